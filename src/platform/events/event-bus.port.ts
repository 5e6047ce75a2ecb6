/** PostgreSQL channel on which the ids of users with new events travel. */
export const EVENT_CHANNEL = 'infernode_events';

/** Called with a user's id, or with null when anybody may have new events (the connection had been away). */
export type EventListener = (userId: string | null) => void;

/** Says that there is something new in the log. What it is has to be read there. */
export interface EventBus {
  start(): Promise<void>;
  subscribe(listener: EventListener): () => void;
  close(): Promise<void>;
}
