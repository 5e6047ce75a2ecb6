import fs from 'node:fs/promises';
import path from 'node:path';
import { EmbeddedPostgresError, codeOf } from './embedded-postgres.errors.js';

/** Where the embedded server keeps its things below the data directory. All paths are absolute. */
export interface Layout {
  /** The data directory, symbolic links resolved. */
  dataDir: string;
  /** `<dataDir>/postgres`; stays with the user that starts the server. */
  root: string;
  /** The cluster (PGDATA); belongs to the user that runs the server. */
  cluster: string;
  /** Preferred folder of the Unix socket. */
  socket: string;
  log: string;
  /** Locked while a process starts or runs the server. */
  lock: string;
}

/** Folders that `initdb` works in until they are complete begin with this, next to the cluster. */
export const UNFINISHED_CLUSTER_PREFIX = 'pg.init-';

export async function prepareLayout(dataDir: string): Promise<Layout> {
  const wanted = path.resolve(dataDir, 'postgres');
  try {
    await fs.mkdir(wanted, { recursive: true, mode: 0o700 });
    await fs.access(wanted, fs.constants.R_OK | fs.constants.W_OK | fs.constants.X_OK);
  } catch (cause) {
    const reason = codeOf(cause) ?? 'unknown error';
    throw new EmbeddedPostgresError(
      `The folder ${wanted} cannot be used by this user (${reason}); change its owner or set DATA_DIR to another folder.`,
      { cause },
    );
  }
  return layoutOf(await fs.realpath(path.dirname(wanted)));
}

function layoutOf(dataDir: string): Layout {
  const root = path.join(dataDir, 'postgres');
  return {
    dataDir,
    root,
    cluster: path.join(root, 'pg'),
    socket: path.join(root, 'socket'),
    log: path.join(root, 'server.log'),
    lock: path.join(root, 'launch.lock'),
  };
}
