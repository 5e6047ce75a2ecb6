import type { UnitOfWork } from '../../platform/database/unit-of-work.js';
import type { EventRepository } from './event.repository.js';
import type { LiveConnectionRepository } from './live-connection.repository.js';

interface Repositories {
  events: EventRepository;
  liveConnections: LiveConnectionRepository;
}

interface Deps {
  uow: UnitOfWork<Repositories>;
  repositories: Repositories;
}

export class EventService {
  constructor(private readonly deps: Deps) {}

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
}
