import { fork } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const LOGGER = new URL('./winston-logger.ts', import.meta.url).href;

/** Standard error of a process that logs one hostile line. */
async function logged(format: 'json' | 'pretty'): Promise<string[]> {
  const script = `
    const { createLogger } = await import(${JSON.stringify(LOGGER)});
    const logger = createLogger({ level: 'info', format: '${format}', fields: { role: 'api' } });
    logger.info('Request refused', {
      detail: 'x\\n23:59:59.999 ERROR forged\\u001b[31m\\u2028',
      path: 'a'.repeat(50_000),
      nested: { ['-eyJaaaaa'.repeat(10_000)]: 1, password: 'hunter2', url: 'postgres://me:hunter2@host/db' },
      error: new Error('went\\nwrong'),
    });
    logger.debug('not asked for', { get expensive() { throw new Error('was formatted'); } });
  `;
  const child = fork(fileURLToPath(import.meta.resolve('tsx/cli')), ['--input-type=module', '-e', script], {
    silent: true,
    execArgv: [],
  });
  if (child.stderr === null) throw new Error('The child has no standard error.');
  return (await text(child.stderr)).split('\n').filter((line) => line !== '');
}

describe('the logger', () => {
  it('writes one bounded JSON line, whatever a stranger has sent', async () => {
    const lines = await logged('json');
    expect(lines).toHaveLength(1);
    expect(lines[0].length).toBeLessThan(16_000);
    expect(lines[0]).not.toContain('hunter2');
    expect(JSON.parse(lines[0])).toMatchObject({ level: 'info', role: 'api', message: 'Request refused' });
  });

  it('lets nobody forge a line or steer the terminal in the readable form', async () => {
    const lines = await logged('pretty');
    expect(lines.filter((line) => /^\d\d:\d\d:\d\d\.\d{3} /.test(line))).toHaveLength(1);
    expect(lines.join('\n')).not.toMatch(/\u001b|\u2028|hunter2/);
  });
});
