import { AsyncLocalStorage } from 'node:async_hooks';

/** Ids that every log line of a request or a job carries, without being handed from call to call. */
export interface LogContext {
  requestId?: string;
  userId?: string;
  jobId?: string;
  attempt?: number;
}

interface Context extends LogContext {
  /** That the request came with: for the ledger. */
  idempotencyKey?: string;
  /** The client's network address: for the audit log only, ordinary log lines do without it. */
  address?: string;
}

const storage = new AsyncLocalStorage<Context>();

export function runInContext<T>(context: Context, work: () => T): T {
  return storage.run({ ...storage.getStore(), ...context }, work);
}

/** Adds to the context that is running, e.g. the user once the token is known. */
export function extendContext(context: Context): void {
  Object.assign(storage.getStore() ?? {}, context);
}

export function currentContext(): LogContext {
  const { address: _address, idempotencyKey: _key, ...context } = storage.getStore() ?? {};
  return context;
}

export function currentIdempotencyKey(): string | null {
  return storage.getStore()?.idempotencyKey ?? null;
}

/** Where what is done now was asked for; nulls outside requests. */
export function currentOrigin(): { requestId: string | null; address: string | null } {
  const { requestId, address } = storage.getStore() ?? {};
  return { requestId: requestId ?? null, address: address ?? null };
}
