import type { UnitOfWork } from '../../platform/database/unit-of-work.js';
import { isFinal } from '../inference/inference.domain.js';
import type { InferenceRepository } from '../inference/inference.repository.js';
import type { LoggedEvent } from './event.domain.js';
import type { EventRepository } from './event.repository.js';
import type { LiveConnectionRepository } from './live-connection.repository.js';

interface Repositories {
  jobs: InferenceRepository;
  events: EventRepository;
  liveConnections: LiveConnectionRepository;
}

interface Deps {
  uow: UnitOfWork<Repositories>;
  repositories: Repositories;
  /** How long an entry is kept. */
  retentionSeconds: number;
}

const USER_BATCH = 100;
const REMOVE_BATCH = 1_000;

/** A log that can be followed: that of a user, or what of it is about one job. */
export interface FollowableLog {
  /** Behind everything there is. */
  end: number;
  /** Before everything that is kept. */
  start: number;
  /** Whether nothing will be added any more. */
  isComplete: boolean;
  /** @throws EventsGoneError */
  readAfter(seq: number, limit: number): Promise<LoggedEvent[]>;
  /** Whether nothing can follow this event. */
  isLast(event: LoggedEvent): boolean;
}

export class EventService {
  constructor(private readonly deps: Deps) {}

  async logOf(userId: string): Promise<FollowableLog> {
    const { events } = this.deps.repositories;
    const { first, last } = await events.bounds(userId);
    return {
      start: first - 1,
      end: last,
      isComplete: false,
      readAfter: (seq, limit) => events.readAfter(userId, seq, limit),
      isLast: () => false,
    };
  }

  /** @throws AppError not-found, for the jobs of others too */
  async logOfJob(userId: string, jobId: string): Promise<FollowableLog> {
    const { events, jobs } = this.deps.repositories;
    const job = await jobs.getOwned(userId, jobId);
    const { first, last } = await events.bounds(userId);
    return {
      start: first - 1,
      end: last,
      isComplete: isFinal(job.status),
      readAfter: (seq, limit) => events.readOfJobAfter(userId, jobId, seq, limit),
      isLast: ({ type, data }) => type === 'INFERENCE_STATUS_UPDATE' && isFinal(data.status),
    };
  }

  /** Open WebSocket connections over all processes: of everybody, and of this user. */
  countConnections(userId: string): Promise<{ total: number; own: number }> {
    return this.deps.repositories.liveConnections.count(userId);
  }

  /** Through the log like everything else: what is delivered to one connection is delivered to all. */
  async sendTest(userId: string, message: string): Promise<void> {
    await this.deps.uow.run(({ repositories }) =>
      repositories.events.append(userId, [{ type: 'TEST_NOTIFICATION', subjectId: userId, data: { message } }]),
    );
  }

  /** Takes away what is older than it is kept for, always from the start of a log: what is left has no gaps. */
  async removeOld(): Promise<void> {
    const { events } = this.deps.repositories;
    const { retentionSeconds } = this.deps;
    let userIds: string[] = [];
    do {
      userIds = await events.usersWithOld(retentionSeconds, userIds.at(-1) ?? null, USER_BATCH);
      for (const userId of userIds) {
        let removed: number;
        do removed = await events.removeOldOf(userId, retentionSeconds, REMOVE_BATCH);
        while (removed === REMOVE_BATCH);
      }
    } while (userIds.length === USER_BATCH);
  }
}
