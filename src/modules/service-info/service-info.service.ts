import { AppError } from '../../platform/app-error.js';

interface Deps {
  /** Rejects when the database does not answer. */
  pingDatabase(): Promise<void>;
  shutdown: AbortSignal;
}

export class ServiceInfoService {
  constructor(private readonly deps: Deps) {}

  /** @throws AppError service-unavailable */
  async checkHealth(): Promise<void> {
    if (this.deps.shutdown.aborted) throw new AppError('service-unavailable', 'The server is shutting down.');
    try {
      await this.deps.pingDatabase();
    } catch (error) {
      throw new AppError('service-unavailable', 'The database does not answer.', { cause: error });
    }
  }
}
