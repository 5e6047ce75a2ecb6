import { spawnSync } from 'node:child_process';

const OLDEST = [3, 10];
/** The system's own comes early: what its package manager installed only it can see. */
const CANDIDATES = ['python3', '/usr/bin/python3', 'python3.13', 'python3.12', 'python3.11', 'python3.10', 'python'];
/** Found, not imported: PyTorch alone would take seconds. */
const PROBE = `
import importlib.util, json, sys
has = lambda *names: all(importlib.util.find_spec(name) is not None for name in names)
print(json.dumps({
  "version": list(sys.version_info[:2]),
  "hasVenv": has("venv", "ensurepip"),
  "hasNumeric": has("torch", "cv2", "numpy", "scipy", "sklearn"),
}))`;

/** No Python will do; the message says what is missing. */
export class PythonMissingError extends Error {}

/**
 * A Python that can run the model server; one that has PyTorch and the like is preferred.
 *
 * @param {string | undefined} wanted the only one to consider
 * @returns {{ program: string, version: string, hasNumeric: boolean }}
 */
export function findPython(wanted) {
  const found = (wanted ? [wanted] : CANDIDATES).map(probe).filter((python) => python !== null);
  const fitting = found.filter(({ isRecent, hasVenv }) => isRecent && hasVenv);
  const chosen = fitting.find(({ hasNumeric }) => hasNumeric) ?? fitting[0];
  if (chosen !== undefined) return chosen;
  const needs = `The model server needs Python ${OLDEST.join('.')} or newer with its venv module`;
  if (found.length === 0) {
    const where = wanted ? `${wanted} is none` : 'there is none in the PATH';
    throw new PythonMissingError(`${needs}: ${where}. On Debian: apt-get install python3 python3-venv`);
  }
  const seen = found.map(
    ({ program, version, hasVenv }) => `${program} is ${version}${hasVenv ? '' : ' without venv'}`,
  );
  throw new PythonMissingError(`${needs}: ${seen.join(', ')}. On Debian: apt-get install python3-venv`);
}

function probe(program) {
  const { status, stdout } = spawnSync(program, ['-c', PROBE], { encoding: 'utf8' });
  if (status !== 0) return null;
  const { version, ...abilities } = JSON.parse(stdout);
  const isRecent = version[0] > OLDEST[0] || (version[0] === OLDEST[0] && version[1] >= OLDEST[1]);
  return { program, version: version.join('.'), isRecent, ...abilities };
}
