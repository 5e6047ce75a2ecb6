import { Readable } from 'node:stream';

import { Client, errors, Pool, type Dispatcher } from 'undici';

import { RunnerCrashedError, RunnerError, RunnerProtocolError, RunnerUnavailableError } from '../runner.errors.js';
import { CallWatch } from './call-watch.js';
import { ConnectionFailedError, createConnector } from './connect.js';
import { asCutOff, HttpAnswer, notHttp } from './http-answer.js';
import type { OutgoingBody } from './outgoing-body.js';
import type { RemoteLimits } from './remote-limits.js';

export interface HttpClientOptions {
  /** Who is talked to, as a sentence begins: 'The model server "north"'. */
  peer: string;
  url: URL;
  token?: string | undefined;
  limits: RemoteLimits;
}

export interface HttpCall {
  method: 'GET' | 'POST';
  /** Below the base, or an address of the same origin. */
  path: string | URL;
  headers?: Readonly<Record<string, string>>;
  body?: OutgoingBody;
  signal: AbortSignal;
  /** From the last byte of the body to the first of the answer; null: only the signal ends the wait. */
  answerMs: number | null;
  /** From the first byte of the answer to its last. */
  readMs: number;
  /** A job hangs on it: it has a connection of its own, and a connection that breaks is a crash of the server. */
  carriesJob?: boolean;
  /** The body has been handed over as a whole. */
  onSent?: () => void;
}

const MOST_REDIRECTS = 3;
const REDIRECTS = [301, 302, 303, 307, 308];
/** Those after which a call is repeated as it is, body included. */
const REPEATING_REDIRECTS = [307, 308];

/**
 * Calls to one server, with deadlines and limits, whose every failure is a RunnerError. No call leaves the origin of the
 * server, whatever its redirects say, so the token goes nowhere else; no proxy of the environment is asked.
 */
export class HttpClient {
  private readonly base: URL;
  private readonly shared: Pool;
  private readonly clientOptions: Client.Options;

  constructor(private readonly options: HttpClientOptions) {
    this.base = new URL(options.url);
    // What a path is resolved against is a folder.
    if (!this.base.pathname.endsWith('/')) this.base.pathname += '/';
    this.clientOptions = {
      connect: createConnector(options.limits.connectMs),
      // CallWatch has the deadlines.
      headersTimeout: 0,
      bodyTimeout: 0,
    };
    this.shared = new Pool(this.base.origin, this.clientOptions);
  }

  /**
   * Makes a call and hands its answer to `read`, after which the rest of it is dropped.
   *
   * @throws RunnerError, the signal's reason, whatever `read` throws
   */
  async send<Result>(call: HttpCall, read: (answer: HttpAnswer) => Promise<Result>): Promise<Result> {
    let url = this.resolve(call.path, this.base);
    for (let redirects = 0; ; redirects++) {
      const step = await this.exchange(url, call, read);
      if (!('location' in step)) return step.result;
      if (redirects >= MOST_REDIRECTS) throw this.redirected(`redirects more than ${MOST_REDIRECTS} times in a row`);
      url = this.resolve(step.location, url);
    }
  }

  /** Ends every call that is under way. Safe to call twice. */
  async close(): Promise<void> {
    if (!this.shared.destroyed) await this.shared.destroy();
  }

  /** @throws RunnerProtocolError redirected, for an address of another origin or none at all */
  resolve(path: string | URL, from: URL): URL {
    const url = URL.canParse(String(path), from.href) ? new URL(path, from) : null;
    if (url === null) throw this.redirected('refers to something that is no address');
    if (url.origin !== this.base.origin) throw this.redirected('refers to another server than itself');
    url.username = '';
    url.password = '';
    return url;
  }

  private async exchange<Result>(
    url: URL,
    call: HttpCall,
    read: (answer: HttpAnswer) => Promise<Result>,
  ): Promise<{ result: Result } | { location: string }> {
    const { peer, limits } = this.options;
    call.signal.throwIfAborted();
    const watch = new CallWatch(call.signal, peer);
    const dispatcher = call.carriesJob === true ? new Client(this.base.origin, this.clientOptions) : this.shared;
    let body: Dispatcher.ResponseData['body'] | undefined;
    try {
      const response = await this.begin(dispatcher, url, call, watch);
      body = response.body;
      // A body that is dropped half-read says so as an error; what matters was thrown by whoever read it.
      body.on('error', () => undefined);
      watch.reading(limits.idleMs, call.readMs);
      const { statusCode: status, headers } = response;
      const answer = new HttpAnswer({ status, headers, url, peer, body: this.watched(body, watch) });
      const location = this.redirectOf(answer, call);
      return location === null ? { result: await read(answer) } : { location };
    } finally {
      watch.close();
      body?.destroy();
      if (dispatcher !== this.shared) await dispatcher.destroy();
    }
  }

  private async begin(
    dispatcher: Dispatcher,
    url: URL,
    { method, headers, body, answerMs, carriesJob = false, onSent }: HttpCall,
    watch: CallWatch,
  ): Promise<Dispatcher.ResponseData> {
    const { token, limits, peer } = this.options;
    let bodyFailure: unknown;
    async function* sent(outgoing: OutgoingBody): AsyncGenerator<Uint8Array> {
      watch.sending(limits.idleMs);
      try {
        for await (const chunk of outgoing.chunks()) {
          yield chunk;
          watch.touch();
        }
      } catch (error) {
        bodyFailure = error;
        throw error;
      }
      watch.waiting(answerMs);
      onSent?.();
    }
    if (body === undefined) watch.waiting(answerMs);
    try {
      return await dispatcher.request({
        method,
        path: `${url.pathname}${url.search}`,
        signal: watch.signal,
        headers: {
          accept: 'application/json, application/problem+json, application/zip, */*',
          // What is limited and counted are the bytes that mean something.
          'accept-encoding': 'identity',
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...(body === undefined
            ? {}
            : { 'content-type': body.contentType, 'content-length': String(body.contentLength) }),
          ...headers,
        },
        body: body === undefined ? null : Readable.from(sent(body), { objectMode: false }),
      });
    } catch (error) {
      throw explainFailure(bodyFailure ?? error, { watch, peer, carriesJob });
    }
  }

  private async *watched(body: AsyncIterable<Uint8Array>, watch: CallWatch): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of body) {
        watch.touch();
        yield chunk;
      }
    } catch (error) {
      if (watch.signal.aborted) throw watch.signal.reason;
      throw asCutOff(error, this.options.peer);
    }
  }

  /** @returns null for an answer that is no redirect */
  private redirectOf(answer: HttpAnswer, { method }: HttpCall): string | null {
    if (!REDIRECTS.includes(answer.status)) return null;
    if (method === 'POST' && !REPEATING_REDIRECTS.includes(answer.status)) {
      throw this.redirected(`answers a POST with the redirect ${answer.status}, which would make it a GET`);
    }
    const location = answer.header('location');
    if (location === null) throw this.redirected('redirects to nowhere');
    return location;
  }

  private redirected(words: string): RunnerProtocolError {
    return new RunnerProtocolError('redirected', `${this.options.peer} ${words}.`);
  }
}

/** Why there is no answer. */
function explainFailure(
  error: unknown,
  { watch, peer, carriesJob }: { watch: CallWatch; peer: string; carriesJob: boolean },
): unknown {
  if (watch.signal.aborted) return watch.signal.reason;
  if (error instanceof RunnerError) return error;
  if (error instanceof ConnectionFailedError) {
    const message = `${peer} cannot be reached: ${error.message}.`;
    return new RunnerUnavailableError(message, { cause: error });
  }
  if (error instanceof errors.HTTPParserError) return notHttp(error, peer);
  if (error instanceof errors.HeadersOverflowError) {
    return new RunnerProtocolError('too-large', `${peer} sends more headers than anybody needs.`, { cause: error });
  }
  if (error instanceof errors.ClientDestroyedError || error instanceof errors.ClientClosedError) {
    return new RunnerUnavailableError('The runner is closed.', { cause: error });
  }
  const message = `${peer} closed the connection without an answer.`;
  return carriesJob
    ? new RunnerCrashedError(message, { cause: error })
    : new RunnerUnavailableError(message, { cause: error });
}
