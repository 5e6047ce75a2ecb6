/** PostgreSQL channel on which the ids of users with new events travel. */
export const EVENT_CHANNEL = 'infernode_events';

/** The one on which the ids of jobs travel whose owners want them stopped. */
export const CANCEL_CHANNEL = 'infernode_cancellations';

/** The one on which the ids of users travel whose sessions, keys or account have lost their access. */
export const ACCESS_CHANNEL = 'infernode_access';

/** The one on which the ids of runners travel that have a free place, or another state. */
export const RUNNER_CHANNEL = 'infernode_runners';

export const BUS_CHANNELS = [EVENT_CHANNEL, CANCEL_CHANNEL, ACCESS_CHANNEL, RUNNER_CHANNEL] as const;
export type BusChannel = (typeof BUS_CHANNELS)[number];

/** Called with the id that travelled, or with null when any may have been missed (the connection had been away). */
export type EventListener = (id: string | null) => void;

/** Says that there is something new in the database. What it is has to be read there. */
export interface EventBus {
  start(): Promise<void>;
  /** @returns ends the subscription */
  subscribe(listener: EventListener, channel?: BusChannel): () => void;
  close(): Promise<void>;
}
