import { STOP_SIGNAL } from './stop-signal.js';

/**
 * Loaded into the server by `--import`. The channel to the quickstart closes when that ends, however it ends; then the
 * server stops as if it had been told to. Processes of the server that inherit the flag have no such channel.
 */
if (process.channel !== undefined) {
  process.once('disconnect', () => process.kill(process.pid, STOP_SIGNAL));
  process.channel.unref();
}
