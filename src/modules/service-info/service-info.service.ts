import { AppError } from '../../platform/app-error.js';

/** Who asks for the health wants to know now, not when the database has thought it over. */
const PING_MS = 2_000;

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
      await this.pingInTime();
    } catch (error) {
      throw new AppError('service-unavailable', 'The database does not answer.', { cause: error });
    }
  }

  private async pingInTime(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`No answer within ${PING_MS} ms`)), PING_MS);
    });
    try {
      await Promise.race([this.deps.pingDatabase(), late]);
    } finally {
      clearTimeout(timer);
    }
  }
}
