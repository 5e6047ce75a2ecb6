import type { docsRoute, healthRoute, keySetRoute, openapiRoute } from '../../contract/service.contract.js';
import { ANSWERED, type RouteHandler } from '../../http/route-table.js';
import type { KeyRing } from '../../platform/auth/key-ring.js';
import type { ReceiptService } from '../receipt/receipt.service.js';
import type { ServiceInfoService } from './service-info.service.js';

interface Documents {
  /** As of now: with the models that are active. */
  openapi(): Promise<{ openapi: string }>;
  /** Swagger UI for that document. */
  docsPage: string;
}

/** Soon enough for a key that is taken away, seldom enough to cost nothing. */
const KEY_SET_HEADERS = { 'Cache-Control': 'public, max-age=300' };

export class ServiceInfoController {
  constructor(
    private readonly service: ServiceInfoService,
    private readonly documents: Documents,
    private readonly keys: { tokens: Pick<KeyRing, 'published'>; receipts: Pick<ReceiptService, 'publishedKeys'> },
  ) {}

  readonly health: RouteHandler<typeof healthRoute> = async () => {
    await this.service.checkHealth();
    return {
      body: { status: 'Server is working!', timestamp: new Date().toISOString() },
    };
  };

  readonly keySet: RouteHandler<typeof keySetRoute> = async () => ({
    body: { keys: [...(await this.keys.tokens.published()), ...(await this.keys.receipts.publishedKeys())] },
    headers: KEY_SET_HEADERS,
  });

  readonly openapi: RouteHandler<typeof openapiRoute> = async () => ({
    body: { ...(await this.documents.openapi()) },
  });

  readonly docs: RouteHandler<typeof docsRoute> = (_input, { response }) => {
    response.status(200).type('html').send(this.documents.docsPage);
    return Promise.resolve(ANSWERED);
  };
}
