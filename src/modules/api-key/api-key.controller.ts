import type { createApiKeyRoute, deleteApiKeyRoute, listApiKeysRoute } from '../../contract/api-key.contract.js';
import type { RouteHandler } from '../../http/route-table.js';
import { presentApiKey } from './api-key.presenter.js';
import type { ApiKeyService } from './api-key.service.js';

export class ApiKeyController {
  constructor(private readonly keys: ApiKeyService) {}

  readonly create: RouteHandler<typeof createApiKeyRoute> = async ({ body }, { principal }) => {
    const expiresAt = body.expiresAt === undefined ? null : new Date(body.expiresAt);
    const { apiKey, text } = await this.keys.create(principal, { name: body.name, scopes: body.scopes, expiresAt });
    return { body: { message: 'API key created; it is shown only now', key: text, api_key: presentApiKey(apiKey) } };
  };

  readonly list: RouteHandler<typeof listApiKeysRoute> = async ({ query }, { principal }) => {
    const page = await this.keys.list(principal.userId, query);
    return { body: { api_keys: page.items.map(presentApiKey), nextCursor: page.nextCursor } };
  };

  readonly delete: RouteHandler<typeof deleteApiKeyRoute> = async ({ params }, { principal }) => {
    await this.keys.delete(principal.userId, params.id);
    return { body: { message: 'API key deleted' } };
  };
}
