import type { Role } from '../../contract/account.contract.js';

export interface User {
  id: string;
  email: string;
  role: Role;
  credit: number;
}

/** Who a request speaks for. */
export interface Principal {
  userId: string;
  email: string;
  role: Role;
  /** When the token that said so ends. */
  expiresAt: Date;
}
