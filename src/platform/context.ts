import { AsyncLocalStorage } from 'node:async_hooks';

/** Ids that every log line of a request or a job carries, without being handed from call to call. */
export interface LogContext {
  requestId?: string;
  userId?: string;
  jobId?: string;
  attempt?: number;
}

const storage = new AsyncLocalStorage<LogContext>();

export function runInContext<T>(context: LogContext, work: () => T): T {
  return storage.run({ ...storage.getStore(), ...context }, work);
}

/** Adds to the context that is running, e.g. the user once the token is known. */
export function extendContext(context: LogContext): void {
  Object.assign(storage.getStore() ?? {}, context);
}

export function currentContext(): LogContext {
  return storage.getStore() ?? {};
}
