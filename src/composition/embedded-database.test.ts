import { describe, expect, it } from 'vitest';
import { silentLogger } from '../../tests/support/silent-logger.js';
import { until } from '../../tests/support/wait.js';
import type { EmbeddedPostgres } from '../platform/database/embedded/embedded-postgres.js';
import { Lifecycle } from '../platform/lifecycle.js';
import { runEmbeddedDatabase } from './embedded-database.js';

const CONNECTION = { host: '/nowhere', port: 5432, username: 'x', database: 'x' };

/** A server of which only the life matters here. */
class Server implements EmbeddedPostgres {
  readonly pid = 1;
  readonly connection = CONNECTION;
  die: (cause: Error) => void = () => undefined;
  readonly died = new Promise<Error>((resolve) => (this.die = resolve));
  stopped = false;
  stop(): Promise<void> {
    this.stopped = true;
    return Promise.resolve();
  }
}

describe('runEmbeddedDatabase', () => {
  it('stops the server that comes up while the shutdown is on its way', async () => {
    const lifecycle = new Lifecycle(silentLogger);
    const servers = [new Server(), new Server()];
    let comeUp: () => void = () => undefined;
    const starts: number[] = [];
    await runEmbeddedDatabase('/nowhere', lifecycle, silentLogger, async () => {
      starts.push(performance.now());
      if (starts.length === 2) await new Promise<void>((resolve) => (comeUp = resolve));
      return servers[starts.length - 1];
    });
    servers[0].die(new Error('killed'));
    await until(() => starts.length === 2);
    const stopping = lifecycle.stop();
    comeUp();
    await stopping;
    expect(servers[1].stopped).toBe(true);
  });

  it('calls a start off when the shutdown comes first', async () => {
    const lifecycle = new Lifecycle(silentLogger);
    const server = new Server();
    let starts = 0;
    await runEmbeddedDatabase('/nowhere', lifecycle, silentLogger, ({ signal }) => {
      if (++starts === 1) return Promise.resolve(server);
      return new Promise((_resolve, reject) => {
        signal?.addEventListener('abort', () => reject(new Error('called off')));
      });
    });
    server.die(new Error('killed'));
    await until(() => starts === 2);
    await lifecycle.stop();
    expect(starts).toBe(2);
  });

  it('pauses before each start of a server that dies at once', async () => {
    const lifecycle = new Lifecycle(silentLogger);
    const starts: number[] = [];
    await runEmbeddedDatabase('/nowhere', lifecycle, silentLogger, () => {
      starts.push(performance.now());
      const server = new Server();
      if (starts.length < 3) server.die(new Error('at once'));
      return Promise.resolve(server);
    });
    await until(() => starts.length === 3);
    await lifecycle.stop();
    expect(starts[1] - starts[0]).toBeGreaterThan(250);
    expect(starts[2] - starts[1]).toBeGreaterThan(250);
  });
});
