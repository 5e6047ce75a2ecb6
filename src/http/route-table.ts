import type { Request, Response } from 'express';
import type { OtherStatus, RouteDescriptor, RouteInput, RouteOutput } from '../contract/route.contract.js';
import type { Principal } from '../modules/account/account.domain.js';
import type { Once } from '../platform/once.js';

/** What a handler knows of the request beyond its validated input. */
export interface RequestScope {
  /** Who calls; only routes that are open to everybody may find null here. */
  principal: Principal | null;
  /** Fires when the client has gone. */
  signal: AbortSignal;
  request: Request;
  response: Response;
}

/** The same where a guard has run before. */
export interface AuthenticatedScope extends RequestScope {
  principal: Principal;
}

type ScopeOf<D extends RouteDescriptor> = (D['access'] extends 'none' ? RequestScope : AuthenticatedScope) &
  (D extends { idempotency: 'key' } ? { once: OnceScope<RouteOutput<D>, OtherStatus<D>> } : unknown);

export interface Answer<Body, Status extends number = number> {
  /** Left out: the usual one of the route. */
  status?: Status;
  body: Body;
  headers?: Readonly<Record<string, string>>;
}

/** How a handler of a route with `idempotency: 'key'` has its effect. */
export interface OnceScope<Body, Status extends number> {
  /** True when the key has been answered: checks that come before the body must not refuse a repetition. */
  isAnswered(): Promise<boolean>;
  /**
   * @param act has to hand what it is given to the transaction of the effect: `uow.run(work, { once })`
   * @param present makes the answer, also the one that is kept: pure, as it is called in the transaction
   * @param content of a form that only the handler has read: its fields and the digest of its file
   */
  run<Result>(
    act: (once: Once<Result>) => Promise<Result>,
    present: (result: Result) => Answer<Body, Status>,
    content?: object,
  ): Promise<Answer<Body, Status>>;
}

/** Answered already, by writing to the response. */
export const ANSWERED = Symbol('answered');

/** Answers with a body that fits the contract; where the contract has a file, a page or a stream, by itself. */
export type RouteHandler<D extends RouteDescriptor> = (input: RouteInput<D>, scope: ScopeOf<D>) => Promise<AnswerOf<D>>;

type AnswerOf<D extends RouteDescriptor> = [RouteOutput<D>] extends [never]
  ? typeof ANSWERED
  : | Answer<RouteOutput<D>, OtherStatus<D>>
    | (D['success']['answer'] extends { stream: object } ? typeof ANSWERED : never);

type UntypedHandler = (
  input: { params: unknown; query: unknown; headers: unknown; body: unknown },
  scope: RequestScope & { once: OnceScope<unknown, number> | null },
) => Promise<typeof ANSWERED | Answer<unknown>>;

/** A row of a router's table, its types checked where it was made. */
export interface Route {
  descriptor: RouteDescriptor;
  handler: UntypedHandler;
}

export function route<const D extends RouteDescriptor>(descriptor: D, handler: RouteHandler<D>): Route {
  return { descriptor, handler: handler as unknown as UntypedHandler };
}
