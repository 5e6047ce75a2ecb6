import { once } from 'node:events';
import http, { type ClientRequest, type IncomingMessage } from 'node:http';
import https from 'node:https';

export interface OutgoingBody {
  contentType: string;
  contentLength: number;
  chunks(): Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
}

export interface OutgoingRequest {
  method: string;
  url: URL;
  headers: Record<string, string>;
  body: OutgoingBody | undefined;
  signal: AbortSignal | undefined;
  /** Longest silence on the connection. */
  timeoutMs: number;
}

/**
 * One HTTP exchange up to the head of the answer. `fetch` will not do: it sends no body with GET, and no content length
 * with a stream. Every exchange has its own connection, so none is lost to one that the server was just closing.
 */
export function exchange({ method, url, headers, body, signal, timeoutMs }: OutgoingRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const { request, Agent } = url.protocol === 'https:' ? https : http;
    // A server told to close would do so upon its answer, and cut off what of the file is still coming: that resets the
    // connection before the answer is read. So it is asked to stay, and the connection ends here.
    const agent = new Agent({ keepAlive: true });
    const outgoing = request(url, {
      method,
      agent,
      timeout: timeoutMs,
      headers: {
        ...headers,
        ...(body === undefined ? {} : { 'Content-Type': body.contentType, 'Content-Length': body.contentLength }),
      },
    });
    const over = new AbortController();
    const onAbort = (): void => void outgoing.destroy(toError(signal?.reason));
    signal?.addEventListener('abort', onAbort, { once: true });
    outgoing.once('close', () => {
      over.abort();
      agent.destroy();
      signal?.removeEventListener('abort', onAbort);
    });
    outgoing.once('timeout', () => {
      outgoing.destroy(new Error(`${method} ${url.pathname}: silence for ${timeoutMs / 1000} s`));
    });
    outgoing.once('response', (answer) => {
      over.abort();
      // A server that refuses a file answers before it has read it; then the rest stays here.
      answer.once('close', () => void outgoing.destroy());
      resolve(answer);
    });
    // After the head of the answer this changes nothing: then the answer's own stream tells.
    outgoing.on('error', reject);
    if (signal?.aborted === true) onAbort();
    write(outgoing, body, over.signal).catch((error: unknown) => outgoing.destroy(toError(error)));
  });
}

async function write(outgoing: ClientRequest, body: OutgoingBody | undefined, over: AbortSignal): Promise<void> {
  for await (const chunk of body?.chunks() ?? []) {
    if (over.aborted) return;
    if (!outgoing.write(chunk)) await drained(outgoing, over);
  }
  if (!over.aborted) outgoing.end();
}

async function drained(outgoing: ClientRequest, over: AbortSignal): Promise<void> {
  try {
    await once(outgoing, 'drain', { signal: over });
  } catch (error) {
    // The connection's end is reported by the request itself.
    if (!over.aborted) throw error;
  }
}

function toError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
