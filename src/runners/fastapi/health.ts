import type { HttpClient } from '../http-kit/http-client.js';
import type { RemoteLimits } from '../http-kit/remote-limits.js';
import type { RunnerHealth } from '../runner.port.js';
import { refusalOf } from './refusal.js';
import { healthSchema } from './wire.js';

interface HealthQuestion {
  client: HttpClient;
  limits: RemoteLimits;
  peer: string;
  signal: AbortSignal;
  /** Whether we have given it as many jobs as it takes. */
  isFull: boolean;
}

const LARGEST_HEALTH_BYTES = 64 * 1024;
/** The server refuses to be asked; jobs would be refused as well. */
const REFUSED = [401, 403];

/**
 * The state that a server reports. One that knows no such question, or answers it in its own words, is judged by its being
 * there.
 *
 * @throws RunnerError when it cannot be asked
 */
export function readHealth({ client, limits, peer, signal, isFull }: HealthQuestion): Promise<RunnerHealth> {
  const call = { method: 'GET', path: 'health', signal, answerMs: limits.callMs, readMs: limits.callMs } as const;
  return client.send(call, async (answer) => {
    if (REFUSED.includes(answer.status)) throw await refusalOf(answer, peer);
    const text = (await answer.bytes('its health', LARGEST_HEALTH_BYTES)).toString('utf8');
    const said = parseHealth(text);
    if (said !== null) return said;
    if (answer.status < 500) return { state: isFull ? 'BUSY' : 'READY' };
    return { state: 'UNHEALTHY', detail: `${peer} answers HTTP ${answer.status} when asked for its health.` };
  });
}

/** @returns null for what says nothing about health as the contract has it */
function parseHealth(text: string): RunnerHealth | null {
  try {
    const { status, detail } = healthSchema.parse(JSON.parse(text));
    return typeof detail === 'string' ? { state: status, detail } : { state: status };
  } catch {
    return null; // Any words will do: the caller looks at the status.
  }
}
