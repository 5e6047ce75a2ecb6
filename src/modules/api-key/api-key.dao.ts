import { Op, type Attributes } from 'sequelize';
import type { Role } from '../../contract/account.contract.js';
import type { Scope } from '../../contract/route.contract.js';
import { BaseDao, plain } from '../../platform/database/base.dao.js';
import type { DatabaseScope } from '../../platform/database/scope.js';
import type { ApiKeyModel } from './api-key.model.js';

export type ApiKeyRow = Attributes<ApiKeyModel>;

export interface KeyUserRow {
  id: string;
  user_id: string;
  email: string;
  role: Role;
  scopes: Scope[];
  expires_at: Date | null;
  /** Not noted as used for a minute or more. */
  stale: boolean;
}

export class ApiKeyDao extends BaseDao<ApiKeyModel> {
  constructor(scope: DatabaseScope) {
    super(scope, scope.models.apiKeys);
  }

  count(userId: string): Promise<number> {
    return this.model.count({ where: { userId }, ...this.inScope });
  }

  /** Oldest first. */
  async page(userId: string, after: string, limit: number): Promise<ApiKeyRow[]> {
    const rows = await this.model.findAll({
      where: { userId, position: { [Op.gt]: after } },
      order: [['position', 'ASC']],
      limit,
      ...this.inScope,
    });
    return rows.map((row) => plain(row));
  }

  async delete(userId: string, id: string): Promise<boolean> {
    return (await this.model.destroy({ where: { id, userId }, ...this.inScope })) === 1;
  }

  findUserByHash(hash: string): Promise<KeyUserRow | null> {
    return this.findUser('api_keys.secret_hash = $1', hash);
  }

  findUserById(id: string): Promise<KeyUserRow | null> {
    return this.findUser('api_keys.id = $1', id);
  }

  async touch(id: string): Promise<void> {
    await this.rows(
      `UPDATE api_keys SET last_used_at = now()
       WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')`,
      [id],
    );
  }

  /** The key and its user: unless it has expired, or the user is disabled. */
  private async findUser(condition: string, value: string): Promise<KeyUserRow | null> {
    const [row] = await this.rows<KeyUserRow>(
      `SELECT api_keys.id, api_keys.user_id, users.email, users.role, api_keys.scopes, api_keys.expires_at,
              coalesce(api_keys.last_used_at < now() - interval '1 minute', true) AS stale
       FROM api_keys JOIN users ON users.id = api_keys.user_id
       WHERE ${condition} AND users.disabled_at IS NULL
         AND (api_keys.expires_at IS NULL OR api_keys.expires_at > now())`,
      [value],
    );
    return row ?? null;
  }
}
