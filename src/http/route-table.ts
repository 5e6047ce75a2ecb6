import type { Request, Response } from 'express';
import type { RouteDescriptor, RouteInput, RouteOutput } from '../contract/route.contract.js';
import type { Principal } from '../modules/account/account.domain.js';

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

type ScopeOf<D extends RouteDescriptor> = D['access'] extends 'none' ? RequestScope : AuthenticatedScope;

export interface Answer<Body> {
  body: Body;
  headers?: Readonly<Record<string, string>>;
}

/** Answers with a body that fits the contract, or `streamed` after it has answered by itself. */
export type RouteHandler<D extends RouteDescriptor> = (
  input: RouteInput<D>,
  scope: ScopeOf<D>,
) => Promise<[RouteOutput<D>] extends [never] ? void : Answer<RouteOutput<D>>>;

/** A row of a router's table, its types checked where it was made. */
export interface Route {
  descriptor: RouteDescriptor;
  handler(
    input: { params: unknown; query: unknown; body: unknown },
    scope: RequestScope,
  ): Promise<void | Answer<unknown>>;
}

export function route<const D extends RouteDescriptor>(descriptor: D, handler: RouteHandler<D>): Route {
  return { descriptor, handler: handler as Route['handler'] };
}
