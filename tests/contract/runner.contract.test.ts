import { createEmbeddedRunner } from '../../src/runners/embedded/embedded.runner.js';
import { silentLogger } from '../support/silent-logger.js';
import { createScriptedRunner } from '../support/scripted.runner.js';
import { describeRunner } from './runner.conformance.js';

describeRunner('scripted', () => {
  const runner = createScriptedRunner({ behaviour: { msPerFrame: 10 } });
  return {
    runner,
    crash: () => {
      runner.crash();
    },
  };
});

describeRunner('embedded', () => {
  const runner = createEmbeddedRunner({ logger: silentLogger, processes: 2, version: '0.0.0' });
  return {
    runner,
    crash: () => {
      for (const pid of runner.pids()) process.kill(pid, 'SIGKILL');
    },
  };
});
