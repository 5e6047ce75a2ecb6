import { readFileSync } from 'node:fs';
import net, { type AddressInfo } from 'node:net';
import dotenv from 'dotenv';

export interface ChosenPort {
  port: number;
  /** The port that was wanted and is taken; null when it was free. */
  taken: number | null;
}

/** The wanted port was named by the person and somebody else has it. */
export class PortTakenError extends Error {
  override readonly name = 'PortTakenError';
}

/**
 * @param wanted 0 for any free one
 * @param isExplicit named by the person: then no other will do
 * @throws PortTakenError
 */
export async function choosePort(wanted: number, host: string, isExplicit: boolean): Promise<ChosenPort> {
  const port = await freePort(wanted, host);
  if (port !== null) return { port, taken: null };
  if (isExplicit) throw new PortTakenError(`Port ${wanted} is taken; set PORT to another one, or stop who has it.`);
  const other = await freePort(0, host);
  if (other === null) throw new PortTakenError('There is no free port.');
  return { port: other, taken: wanted };
}

/** Whether PORT comes from the environment or `.env` rather than from the default. */
export function isPortExplicit(env: NodeJS.ProcessEnv, dotenvFile: string): boolean {
  const isGiven = (value: string | undefined): boolean => value !== undefined && value.trim() !== '';
  if (isGiven(env.PORT)) return true;
  try {
    return isGiven(dotenv.parse(readFileSync(dotenvFile)).PORT);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

function freePort(port: number, host: string): Promise<number | null> {
  return new Promise((resolve, reject) => {
    const probe = net.createServer();
    probe.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(null);
      else reject(error);
    });
    probe.listen({ port, host, exclusive: true }, () => {
      const { port: found } = probe.address() as AddressInfo;
      probe.close(() => resolve(found));
    });
  });
}
