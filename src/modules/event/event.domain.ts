import type { EventContent } from '../../contract/events.contract.js';
import { AppError } from '../../platform/app-error.js';

export type LoggedEvent = EventContent & {
  seq: number;
  createdAt: Date;
};

export type NewEvent = EventContent & {
  /** What it is about: the id of a job; of the user, where it is about nothing else. */
  subjectId: string;
};

/** What of a log is kept: `first` is one behind `last` when nothing is. */
export interface LogBounds {
  first: number;
  last: number;
}

/** The event behind the position that was asked for is no longer kept. */
export class EventsGoneError extends AppError {
  /** @param firstSeq of what is kept, or of what comes next where nothing is */
  constructor(readonly firstSeq: number) {
    super('events-gone', `Events before ${firstSeq} are no longer kept; go on behind ${firstSeq - 1}.`, {
      extensions: { firstSeq },
    });
  }
}
