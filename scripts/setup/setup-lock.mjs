import { randomUUID } from 'node:crypto';
import { linkSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { SetupError } from './run-step.mjs';

const POLL_MS = 200;
const HEARTBEAT_MS = 5_000;
/** A holder that gave no sign for so long, watched all the while, is gone (another machine, a reused pid). */
const SILENCE_MS = 5 * 60_000;
const WAIT_MS = 30 * 60_000;

/**
 * Runs `work` while holding a lock file; a second process waits, then finds the work done.
 *
 * @param {string} file
 * @param {(lock: { attach(pid: number): void }) => Promise<void>} work `attach` names a child that works for the holder
 */
export async function withSetupLock(file, work) {
  const holder = { token: randomUUID(), host: hostname(), pids: [process.pid] };
  await acquire(file, holder);
  const heartbeat = setInterval(() => touch(file), HEARTBEAT_MS);
  heartbeat.unref();
  const attach = (pid) => {
    holder.pids.push(pid);
    writeWhole(file, holder, renameSync);
  };
  try {
    await work({ attach });
  } finally {
    clearInterval(heartbeat);
    rmSync(file, { force: true });
  }
}

async function acquire(file, holder) {
  const deadline = performance.now() + WAIT_MS;
  let announced = false;
  let lastSign = { token: '', modified: 0, seenAt: 0 };
  while (!tryCreate(file, holder)) {
    const current = readLock(file);
    if (current !== null) {
      if (current.token !== lastSign.token || current.modified !== lastSign.modified) {
        lastSign = { token: current.token, modified: current.modified, seenAt: performance.now() };
      }
      if (isDead(current) || performance.now() - lastSign.seenAt > SILENCE_MS) {
        removeDeadLock(file, current.token);
        continue;
      }
      if (!announced)
        process.stderr.write(`Waiting for another set-up of this folder (process ${current.pids[0]}) …\n`);
      announced = true;
    }
    if (performance.now() > deadline) {
      throw new SetupError(
        `Gave up waiting for ${file}. If no other set-up is running, delete that file and try again.`,
      );
    }
    await delay(POLL_MS);
  }
}

/** A hard link appears whole or not at all: nobody ever reads a half-written lock. */
function tryCreate(file, holder) {
  try {
    writeWhole(file, holder, linkSync);
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    if (error.code === 'EACCES' || error.code === 'EROFS' || error.code === 'EPERM') {
      throw new SetupError(`Cannot write ${file} (${error.code}), and this folder still needs setting up.`);
    }
    throw error;
  }
}

function writeWhole(file, holder, publish) {
  const draft = `${file}.${holder.token}`;
  writeFileSync(draft, JSON.stringify(holder));
  try {
    publish(draft, file);
  } finally {
    rmSync(draft, { force: true });
  }
}

function readLock(file) {
  try {
    const { token, host, pids } = JSON.parse(readFileSync(file, 'utf8'));
    return { token, host, pids, modified: statSync(file).mtimeMs };
  } catch (error) {
    if (error.code === 'ENOENT') return null;
    throw error;
  }
}

function isDead(lock) {
  return lock.host === hostname() && !lock.pids.some(isAlive);
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/**
 * Removing by name alone could hit the lock of a process that was quicker. Hence the claim file, named after the dead
 * lock: one process wins it, and while it holds it nobody else may remove that lock.
 */
function removeDeadLock(file, token) {
  const claim = `${file}.${token}.claim`;
  try {
    writeFileSync(claim, String(process.pid), { flag: 'wx' });
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
    const claimant = Number(readIfThere(claim));
    if (claimant !== 0 && !isAlive(claimant)) rmSync(claim, { force: true });
    return;
  }
  try {
    if (readLock(file)?.token === token) rmSync(file, { force: true });
  } finally {
    rmSync(claim, { force: true });
  }
}

function readIfThere(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return '';
    throw error;
  }
}

function touch(file) {
  try {
    const now = new Date();
    utimesSync(file, now, now);
  } catch (error) {
    // Somebody deleted the lock by hand; the work itself is not harmed.
    if (error.code !== 'ENOENT') throw error;
  }
}
