import type { EventEntry } from '../../contract/events.contract.js';
import type { LoggedEvent } from './event.domain.js';

/** An entry of the log as everybody gets it, whichever way they listen. */
export function presentEvent({ seq, createdAt, ...content }: LoggedEvent): EventEntry {
  const position = { seq, timestamp: createdAt.toISOString() };
  switch (content.type) {
    case 'INFERENCE_STATUS_UPDATE':
      return { event: content.type, ...position, data: content.data };
    case 'TEST_NOTIFICATION':
      return { event: content.type, ...position, data: content.data };
    case 'WEBHOOK_DISABLED':
      return { event: content.type, ...position, data: content.data };
  }
}
