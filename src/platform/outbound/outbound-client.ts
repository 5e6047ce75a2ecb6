import { lookup } from 'node:dns/promises';
import http from 'node:http';
import https from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import type { Permits } from '../permits.js';
import type { AddressPolicy } from './address-policy.js';

export interface ResolvedAddress {
  address: string;
  family: number;
}

/** Finds all addresses of a name. @param signal fires when nobody waits for them any more */
export type Resolve = (hostname: string, signal: AbortSignal) => Promise<readonly ResolvedAddress[]>;

export const systemResolve: Resolve = (hostname) => lookup(hostname, { all: true, verbatim: true });

/**
 * Looks up no more names at a time than there are permits. A lookup cannot be called off, and keeps one of the few threads
 * that also hash passwords and read files for as long as a name server likes.
 */
export function atMost(permits: Permits, resolve: Resolve): Resolve {
  return async (hostname, signal) => {
    const release = await permits.acquire(signal);
    try {
      return await resolve(hostname, signal);
    } finally {
      release();
    }
  };
}

export type OutboundFailure = 'address-not-allowed' | 'name-not-resolved' | 'connection-failed' | 'timeout' | 'aborted';

/** There was no answer. The message is for the owner of the address. */
export class OutboundError extends Error {
  override readonly name = 'OutboundError';
  constructor(
    readonly code: OutboundFailure,
    message: string,
    options: ErrorOptions = {},
  ) {
    super(message, options);
  }
}

export interface OutboundAnswer {
  status: number;
  /** The beginning of the body. */
  text: string;
}

interface PostOptions {
  headers: Readonly<Record<string, string>>;
  body: string;
  /** For everything together: name, connection, answer. */
  timeoutMs: number;
  signal: AbortSignal;
}

/** Read no further: what counts is the status. */
const MAX_RESPONSE_BYTES = 64 * 1024;
const KEPT_CHARACTERS = 1_000;

/**
 * Sends requests to addresses that users have given. A name is resolved once, every address it has is judged, and the
 * connection goes to one of these and nowhere else, so that a name which changes its mind in between gains nothing.
 * Redirects are not followed, and no proxy of the environment is asked.
 */
export class OutboundClient {
  constructor(
    private readonly policy: AddressPolicy,
    private readonly resolve: Resolve,
  ) {}

  /**
   * The addresses a request to this host and port may go to.
   * @throws OutboundError address-not-allowed; name-not-resolved, also when the signal fires first
   */
  async addressesOf(url: URL, signal: AbortSignal): Promise<readonly ResolvedAddress[]> {
    if (!this.policy.allowsPort(url)) {
      throw new OutboundError('address-not-allowed', `The port ${url.port} is not one for web servers.`);
    }
    const host = url.hostname.replace(/^\[|\]$/g, '');
    const family = isIP(host);
    const addresses = family === 0 ? await this.resolveName(host, signal) : [{ address: host, family }];
    if (addresses.every(({ address }) => this.policy.allows(address))) return addresses;
    throw new OutboundError('address-not-allowed', `${host} is, or leads to, an address that is not allowed.`);
  }

  /** @throws OutboundError */
  async post(url: URL, { headers, body, timeoutMs, signal }: PostOptions): Promise<OutboundAnswer> {
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), timeoutMs);
    const either = AbortSignal.any([late.signal, signal]);
    try {
      const addresses = await this.addressesOf(url, either);
      return await exchange(url, { headers, body, addresses, signal: either });
    } catch (error) {
      if (signal.aborted) throw new OutboundError('aborted', 'The request was called off.', { cause: error });
      if (late.signal.aborted) {
        throw new OutboundError('timeout', `No whole answer within ${timeoutMs / 1000} seconds.`, { cause: error });
      }
      if (error instanceof OutboundError) throw error;
      throw new OutboundError('connection-failed', (error as Error).message, { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }

  private async resolveName(host: string, signal: AbortSignal): Promise<readonly ResolvedAddress[]> {
    try {
      const addresses = await withSignal(this.resolve(host, signal), signal);
      if (addresses.length > 0) return addresses;
    } catch (error) {
      throw new OutboundError('name-not-resolved', `The name ${host} cannot be resolved.`, { cause: error });
    }
    throw new OutboundError('name-not-resolved', `The name ${host} has no address.`);
  }
}

interface Exchange {
  headers: Readonly<Record<string, string>>;
  body: string;
  addresses: readonly ResolvedAddress[];
  signal: AbortSignal;
}

function exchange(url: URL, { headers, body, addresses, signal }: Exchange): Promise<OutboundAnswer> {
  return new Promise((resolve, reject) => {
    const { request } = url.protocol === 'https:' ? https : http;
    const outgoing = request(url, {
      method: 'POST',
      agent: false,
      lookup: pinnedTo(addresses),
      headers: { ...headers, 'Content-Length': String(Buffer.byteLength(body)) },
    });
    const onAbort = (): void => void outgoing.destroy(new Error('called off'));
    signal.addEventListener('abort', onAbort, { once: true });
    let isAnswered = false;
    outgoing.once('close', () => {
      signal.removeEventListener('abort', onAbort);
      // Node ends the connection without an error when the receiver switches protocols.
      if (!isAnswered) reject(new Error('The connection ended without an answer.'));
    });
    outgoing.on('error', reject);
    outgoing.once('response', (answer) => {
      isAnswered = true;
      readStart(answer).then(
        (text) => {
          resolve({ status: answer.statusCode ?? 0, text });
          // What is still to come is of no interest.
          outgoing.destroy();
        },
        (error: unknown) => reject(error),
      );
    });
    if (signal.aborted) onAbort();
    outgoing.end(body);
  });
}

/** Answers with the judged addresses whatever it is asked for. */
function pinnedTo(addresses: readonly ResolvedAddress[]): LookupFunction {
  return (_hostname, options, callback) => {
    if (options.all === true) callback(null, [...addresses]);
    else callback(null, addresses[0].address, addresses[0].family);
  };
}

async function readStart(answer: http.IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    chunks.push(chunk);
    if (bytes >= MAX_RESPONSE_BYTES) break;
  }
  const text = Buffer.concat(chunks).toString('utf8').slice(0, KEPT_CHARACTERS);
  // PostgreSQL keeps no NUL in text.
  return text.replaceAll('\0', '\ufffd');
}

/** @throws Error when the signal fires first */
function withSignal<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(new Error('called off'));
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
