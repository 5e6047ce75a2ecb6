import type { EventType, JobEventData } from '../../contract/events.contract.js';

export interface LoggedEvent {
  seq: number;
  type: EventType;
  data: JobEventData;
  createdAt: Date;
}

export interface NewEvent {
  type: EventType;
  /** What it is about; a job's id. */
  subjectId: string;
  data: JobEventData;
}
