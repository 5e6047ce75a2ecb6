import type { JobNotification } from '../../contract/events.contract.js';
import type { Client } from '../../sdk/client.js';

interface FollowJobOptions {
  client: Client;
  signal: AbortSignal;
  onProgress(processed: number, total: number): void;
}

/** A job that says nothing for this long is stuck. */
const SILENCE_MS = 3 * 60_000;

/**
 * Follows the only job of an account live until it has ended well.
 *
 * @returns all events of the account that are about jobs, in order
 * @throws Error with the job's own message when it fails, or when it falls silent
 */
export async function followJob(
  jobId: string,
  { client, signal, onProgress }: FollowJobOptions,
): Promise<JobNotification[]> {
  const events: JobNotification[] = [];
  const finished = new AbortController();
  const silence = new AbortController();
  const timer = setTimeout(() => silence.abort(), SILENCE_MS);
  try {
    await client.followEvents({
      lastSeq: 0,
      signal: AbortSignal.any([signal, finished.signal, silence.signal]),
      onEvent: (event) => {
        timer.refresh();
        if (event.event !== 'INFERENCE_STATUS_UPDATE') return;
        events.push(event);
        const { inferenceId, status, progress, errorMessage } = event.data;
        if (inferenceId !== jobId) return;
        if (progress !== undefined) onProgress(progress.processed, progress.total);
        if (status === 'COMPLETED') finished.abort();
        if (status === 'FAILED' || status === 'ABORTED') throw new Error(`The job is ${status}: ${errorMessage ?? ''}`);
      },
    });
  } finally {
    clearTimeout(timer);
  }
  signal.throwIfAborted();
  if (silence.signal.aborted) throw new Error(`The job has said nothing for ${SILENCE_MS / 1000} seconds.`);
  return events;
}
