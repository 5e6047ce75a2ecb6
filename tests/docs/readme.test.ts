import { execFile, spawnSync } from 'node:child_process';
import { access, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROUTES } from '../../src/contract/routes.js';
import { DEFAULT_VIDEO_LIMITS } from '../../src/platform/media/decoder-settings.js';
import { MediaError } from '../../src/platform/media/video-decoder.port.js';
import { chooseVideoStream } from '../../src/platform/media/video-stream.js';
import { DETECTOR_NAMES } from '../../src/runners/detector.js';
import { ServerProcess } from '../support/server-process.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const run = promisify(execFile);
const hasCurl = spawnSync('curl', ['--version']).status === 0 && spawnSync('bash', ['--version']).status === 0;
const TOUR_MS = 240_000;

describe('README.md', () => {
  let text: string;
  beforeAll(async () => {
    text = await readFile(path.join(root, 'README.md'), 'utf8');
  });

  it('links to files that are there', async () => {
    const targets = [...text.matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, target]) => target);
    expect(targets.length).toBeGreaterThan(5);
    for (const target of targets) await access(path.join(root, target));
  });

  it('names npm scripts that are there', async () => {
    const { scripts } = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>;
    };
    const ofNpm = ['install', 'uninstall'];
    const named = [...text.matchAll(/npm (?:run )?([a-z][\w:-]*)/g)]
      .map(([, name]) => name)
      .filter((name) => !ofNpm.includes(name));
    for (const name of named) expect(Object.keys(scripts)).toContain(name);
  });
});

describe('docs', () => {
  it('name every codec and detector that is accepted', async () => {
    const page = await readFile(path.join(root, 'docs/reference/videos-and-detectors.md'), 'utf8');
    const [, codecs] = /accepted are (.*)\.$/.exec(refusalOfCodec()) ?? [];
    expect(codecs?.split(', ').length).toBeGreaterThan(20);
    for (const name of [...codecs.split(', '), ...DETECTOR_NAMES]) expect(page).toMatch(new RegExp(`\\b${name}\\b`));
  });

  const read = (file: string): Promise<string> => readFile(path.join(root, 'docs', file), 'utf8');

  it('how-to names routes that are there', async () => {
    const named = [...(await read('how-to/README.md')).matchAll(/`(GET|POST|PUT|DELETE) \/api(\/[^`]*)`/g)];
    expect(named.length).toBeGreaterThan(10);
    const known = ROUTES.map(({ method, path: route }) => `${method.toUpperCase()} ${route}`);
    for (const [, method, route] of named) expect(known).toContain(`${method} ${route}`);
  });

  it('the list of decisions has each of them, in order', async () => {
    const files = (await readdir(path.join(root, 'docs/adr'))).filter((file) => /^\d{4}-/.test(file)).sort();
    const listed = [...(await read('adr/README.md')).matchAll(/^\| \[\d+\]\(([^)]+)\)/gm)].map(([, file]) => file);
    expect(listed).toEqual(files);
  });
});

// The commands are for people who have curl; the same calls are made without it by the API tests.
describe.runIf(hasCurl)('the curl tour of README.md', () => {
  let folder: string;
  let server: ServerProcess;
  beforeAll(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'readme-'));
    const env = {
      PATH: process.env['PATH'] ?? '',
      HOME: folder,
      HOST: '127.0.0.1',
      PORT: '0',
      DATA_DIR: path.join(folder, 'data'),
      ENGINE_PROCESSES: '1',
    };
    server = await ServerProcess.start({ role: 'all', env, cwd: folder });
  });
  afterAll(async () => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it(
    'works as it is pasted',
    async () => {
      const archive = path.join(folder, 'result.zip');
      const script = (await readTour()).replace('-o result.zip && ls -l result.zip', `-o '${archive}'`);
      // Bash takes a pipe from Node for a login over the network, and would read the start-up file of whoever runs this.
      const { stdout, stderr } = await run('bash', ['--norc', '-u', '-c', script], {
        cwd: root,
        env: { ...process.env, API: `${server.baseUrl}/api` },
        timeout: TOUR_MS - 20_000,
      });
      expect(stderr).toBe('');
      expect(stdout).toContain('User registered successfully');
      expect(stdout).toContain('"status":"COMPLETED"');
      const velocities = stdout.split('\n').filter((line) => /^(-?\d\.\d{4} ){5}-?\d\.\d{4}$/.test(line));
      expect(velocities).toHaveLength(15);
      expect(Math.max(...velocities[14].split(' ').map((value) => Math.abs(Number(value))))).toBeLessThan(0.005);
      expect((await stat(archive)).size).toBeGreaterThan(100_000);
    },
    TOUR_MS,
  );
});

async function readTour(): Promise<string> {
  const text = await readFile(path.join(root, 'README.md'), 'utf8');
  const found = /<!-- curl-tour:start -->\s*```bash\n(.*?)```\s*<!-- curl-tour:end -->/s.exec(text);
  if (found === null) throw new Error('README.md has no curl tour between its marks.');
  return found[1];
}

/** What an upload of an unknown codec is answered. */
function refusalOfCodec(): string {
  const facts = { index: 0, isVideo: true, codec: 'unheard-of', width: 64, height: 64, isAttachedPicture: false };
  const stream = {
    ...facts,
    frameRate: { numerator: 30, denominator: 1 },
    durationSeconds: null,
    indexedFrames: null,
  };
  try {
    chooseVideoStream([stream], { name: 'mp4', demuxer: 'mov' }, DEFAULT_VIDEO_LIMITS);
  } catch (error) {
    if (error instanceof MediaError) return error.message;
  }
  return '';
}
