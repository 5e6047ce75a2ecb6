import { createHash } from 'node:crypto';
import type { Request, Response } from 'express';
import { IDEMPOTENCY_KEY, type RouteDescriptor } from '../contract/route.contract.js';
import type { IdempotencyService } from '../modules/idempotency/idempotency.service.js';
import { invalidField } from '../platform/app-error.js';
import { extendContext } from '../platform/context.js';
import { withoutKey, type Once, type RecordedAnswer } from '../platform/once.js';
import type { Answer, OnceScope } from './route-table.js';

const REPLAYED = 'Idempotency-Replayed';

/** Visible ASCII; the quotes of a structured field (draft-ietf-httpapi-idempotency-key-header) may be left out. */
const KEY = /^[!-~]{1,255}$/;
const QUOTED = /^"((?:[^"\\]|\\["\\])*)"$/;

interface KeyedRoute {
  descriptor: RouteDescriptor;
  request: Request;
  userId: string;
  input: { params: unknown; query: unknown; body: unknown };
  service: IdempotencyService;
}

/** The same for all routes, whose answers are typed where the handlers are. */
export class RequestOnce implements OnceScope<unknown, number> {
  private readonly key: string | null;
  private hasRun = false;

  /** @throws AppError validation-failed for a header that is no key */
  constructor(private readonly route: KeyedRoute) {
    this.key = readKey(route.request);
    if (this.key !== null) extendContext({ idempotencyKey: this.key });
  }

  isAnswered(): Promise<boolean> {
    return this.key === null ? Promise.resolve(false) : this.route.service.isAnswered(this.route.userId, this.key);
  }

  async run<Result>(
    act: (once: Once<Result>) => Promise<Result>,
    present: (result: Result) => Answer<unknown>,
    content?: object,
  ): Promise<Answer<unknown>> {
    this.hasRun = true;
    let wasWithin = false;
    const once = this.open(present, content);
    const result = await act({
      recall: () => once.recall(),
      within: (scope, work) => {
        wasWithin = true;
        return once.within(scope, work);
      },
    });
    if (!wasWithin) throw new Error(`${this.route.descriptor.operationId} had its effect outside uow.run(…, { once })`);
    return present(result);
  }

  /** A handler that goes around `run` would have its effect twice; told with and without a key, so that any test sees it. */
  requireRun(): void {
    if (!this.hasRun) throw new Error(`${this.route.descriptor.operationId} answers without once.run`);
  }

  private open<Result>(present: (result: Result) => Answer<unknown>, content: object | undefined): Once<Result> {
    const { descriptor, input, service, userId } = this.route;
    if (descriptor.request?.multipart !== undefined && content === undefined) {
      throw new TypeError(`${descriptor.operationId} does not say what its form holds`);
    }
    if (this.key === null) return withoutKey<Result>();
    const fingerprint = fingerprintOf([descriptor.operationId, input.params, input.query, input.body, content]);
    return service.once({ userId, key: this.key, fingerprint }, (result: Result) => {
      const { status = descriptor.success.status, body, headers = {} } = present(result);
      return { status, headers, body: JSON.stringify(body) };
    });
  }
}

export function sendRecorded(response: Response, { status, headers, body }: RecordedAnswer): void {
  response
    .status(status)
    .set({ ...headers, [REPLAYED]: 'true' })
    .type('application/json')
    .send(body);
}

function readKey(request: Request): string | null {
  const values = request.headersDistinct[IDEMPOTENCY_KEY.toLowerCase()] ?? [];
  if (values.length === 0) return null;
  const quoted = QUOTED.exec(values[0])?.[1];
  const key = quoted === undefined ? values[0] : quoted.replaceAll(/\\(["\\])/g, '$1');
  if (values.length > 1 || !KEY.test(key)) {
    throw invalidField(IDEMPOTENCY_KEY, 'A key is 1 to 255 visible ASCII characters, sent once.');
  }
  return key;
}

/** The same for the same request however its members are ordered, and whichever alias of the address was used. */
function fingerprintOf(request: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(request, sortMembers)).digest('hex');
}

function sortMembers(_name: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
