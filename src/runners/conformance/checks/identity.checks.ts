import { setTimeout as delay } from 'node:timers/promises';

import { DETECTOR_NAMES } from '../../detector.js';
import { POLICIES } from '../../runner.port.js';
import { expect, type Check } from '../check.js';

/** Without it nothing else can be tested. */
export const HEALTH_CHECK = 'health';

const STARTING_POLL_MS = 500;

/** What a runner says about itself before it gets a job. */
export const identityChecks: readonly Check[] = [
  {
    name: HEALTH_CHECK,
    title: 'says that it is ready',
    severity: 'required',
    async run({ runner, signal }) {
      let { state, detail } = await runner.health(signal);
      while (state === 'STARTING') {
        await delay(STARTING_POLL_MS, undefined, { signal });
        ({ state, detail } = await runner.health(signal));
      }
      expect(
        state === 'READY' || state === 'BUSY',
        detail === undefined ? `Its health is ${state}.` : `${state}: ${detail}`,
      );
      return detail === undefined ? state : `${state}: ${detail}`;
    },
  },
  {
    name: 'description',
    title: 'says what it offers',
    severity: 'required',
    async run({ runner, scene }) {
      const { kind, name, version, detectors, policies, serves, device, slots } = runner.describe();
      expect(
        [kind, name, version].every((text) => text !== ''),
        'Its kind, name or version is empty.',
      );
      expect(Number.isInteger(slots) && slots >= 1, `It offers ${slots} slots.`);
      expect(
        detectors.length > 0 && detectors.every((one) => DETECTOR_NAMES.includes(one)),
        `It offers the detectors [${detectors.join(', ')}].`,
      );
      expect(
        policies.length > 0 && policies.every((one) => POLICIES.includes(one)),
        `It offers the policies [${policies.join(', ')}].`,
      );
      expect(
        serves.includes(scene.modelName),
        `It serves ${serves.join(', ') || 'no model'}, and not "${scene.modelName}".`,
      );
      const parts = [
        detectors.join(' '),
        policies.join(' '),
        device.toUpperCase(),
        slots === 1 ? '1 slot' : `${slots} slots`,
      ];
      return `${name} ${version}: ${parts.join('; ')}`;
    },
  },
];
