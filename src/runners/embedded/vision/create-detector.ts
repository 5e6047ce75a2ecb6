import type { DetectorName } from '../../detector.js';
import { AkazeDetector } from './akaze.js';
import type { FeatureDetector } from './features.js';
import { OpenCvDetector } from './opencv-detector.js';
import { OrbDetector } from './orb.js';
import { SiftDetector } from './sift.js';

type DetectorFactories = { [Name in DetectorName]: () => Promise<FeatureDetector> };

/** A name without a detector does not compile. */
const FACTORIES: DetectorFactories = {
  SIFT: () => SiftDetector.create(),
  ORB: () => OrbDetector.create(),
  AKAZE: () => AkazeDetector.create(),
  KAZE: () => OpenCvDetector.create('KAZE'),
  BRISK: () => OpenCvDetector.create('BRISK'),
};

/** @throws Error when the kernels are not built */
export function createDetector(name: DetectorName): Promise<FeatureDetector> {
  return FACTORIES[name]();
}
