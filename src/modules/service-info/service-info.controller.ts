import type { docsRoute, healthRoute, openapiRoute } from '../../contract/service.contract.js';
import { ANSWERED, type RouteHandler } from '../../http/route-table.js';
import type { ServiceInfoService } from './service-info.service.js';

interface Documents {
  openapi: { openapi: string };
  /** Swagger UI for that document. */
  docsPage: string;
}

export class ServiceInfoController {
  constructor(
    private readonly service: ServiceInfoService,
    private readonly documents: Documents,
  ) {}

  readonly health: RouteHandler<typeof healthRoute> = async () => {
    await this.service.checkHealth();
    return {
      body: { status: 'Server is working!', timestamp: new Date().toISOString() },
    };
  };

  readonly openapi: RouteHandler<typeof openapiRoute> = () => Promise.resolve({ body: { ...this.documents.openapi } });

  readonly docs: RouteHandler<typeof docsRoute> = (_input, { response }) => {
    response.status(200).type('html').send(this.documents.docsPage);
    return Promise.resolve(ANSWERED);
  };
}
