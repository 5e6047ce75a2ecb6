import { Socket } from 'node:net';

import { buildConnector } from 'undici';

/** There is no connection: no such name, nobody listens, no route, a certificate nobody trusts, or no answer in time. */
export class ConnectionFailedError extends Error {
  override readonly name = 'ConnectionFailedError';
}

/**
 * Makes the connections of a client. Unlike undici's own connector it tells a connection that failed from one that broke,
 * and does not lose the answer of a server that closes while input is still being sent.
 */
export function createConnector(connectMs: number): buildConnector.connector {
  const connectTls = buildConnector({ timeout: connectMs, allowH2: false });
  return (options, callback) => {
    const report: buildConnector.Callback = (...[error, socket]) => {
      if (error === null) callback(null, socket);
      else callback(new ConnectionFailedError(error.message, { cause: error }), null);
    };
    if (options.protocol === 'https:') connectTls(options, report);
    else connectPlain(options, connectMs, report);
  };
}

/** Dead peers are noticed without traffic, also while a job runs for an hour. */
const KEEP_ALIVE_PROBE_MS = 30_000;
const HTTP_PORT = 80;

function connectPlain(
  { hostname, port }: buildConnector.Options,
  connectMs: number,
  callback: buildConnector.Callback,
): void {
  const socket = new PatientSocket();
  const timer = setTimeout(() => socket.destroy(new Error(`no connection within ${connectMs / 1000} s`)), connectMs);
  const onError = (error: Error): void => {
    clearTimeout(timer);
    callback(error, null);
  };
  socket.once('error', onError);
  socket.once('connect', () => {
    clearTimeout(timer);
    socket.off('error', onError);
    callback(null, socket);
  });
  socket.setNoDelay(true).setKeepAlive(true, KEEP_ALIVE_PROBE_MS);
  socket.connect({ host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? HTTP_PORT : Number(port) });
}

const CLOSED_PEER: readonly unknown[] = ['EPIPE', 'ECONNRESET'];

type WriteCallback = (error?: Error | null) => void;

/**
 * A server that refuses a large upload answers and closes while we still write. The next write fails then, and Node would
 * destroy the socket with the answer unread in it. Here a failed write is silent: the reading side tells how it ends, with
 * the answer, or with the same error when there is none.
 */
class PatientSocket extends Socket {
  override _write(chunk: Uint8Array, encoding: BufferEncoding, callback: WriteCallback): void {
    super._write(chunk, encoding, ignoringClosedPeer(callback));
  }

  override _writev(chunks: { chunk: Uint8Array; encoding: BufferEncoding }[], callback: WriteCallback): void {
    super._writev?.(chunks, ignoringClosedPeer(callback));
  }
}

function ignoringClosedPeer(callback: WriteCallback): WriteCallback {
  return (error) => {
    const isClosedPeer = error instanceof Error && 'code' in error && CLOSED_PEER.includes(error.code);
    callback(isClosedPeer ? null : error);
  };
}
