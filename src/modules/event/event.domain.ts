import type { EventContent } from '../../contract/events.contract.js';

export type LoggedEvent = EventContent & {
  seq: number;
  createdAt: Date;
};

export type NewEvent = EventContent & {
  /** What it is about: the id of a job; of the user, where it is about nothing else. */
  subjectId: string;
};
