import { createHash } from 'node:crypto';

import type { Intrinsics, ModelIdentity } from '../../runner.port.js';
import { clusterGoal, type GoalClusters } from '../cns/goal-clusters.js';
import { CNS_MODEL_NAME } from '../cns/load-weights.js';
import { CnsNetwork, type NetworkOutput } from '../cns/network.js';
import type { Points } from '../cns/plane-points.js';
import type { VisiblePoints } from '../cns/point-encoder.js';
import type { Keypoints } from '../vision/features.js';
import type { Observation } from '../vision/observation.js';
import { decodeCnsState, encodeCnsState } from './cns-state.js';
import type { PolicyOptions } from './policy-options.js';
import type { ServoPolicy, Velocity } from './servo-policy.js';

/** Clustering and network take time and memory with the goal's keypoints; a 640 x 480 frame seldom has more. */
export const MAXIMUM_GRAPH_POINTS = 4096;
/** As in the published controller: keeps the direction of no motion finite. */
const DIRECTION_EPSILON = 1e-7;

/**
 * The policy of "CNS: Correspondence Encoded Neural Image Servo Policy" (Chen et al., ICRA 2024). It remembers the
 * frames before. Positions are those of the matches that agree with each other; none are predicted.
 */
export async function createCnsPolicy(options: Omit<PolicyOptions, 'policy'>): Promise<ServoPolicy> {
  const { weights, digest } = await options.loadWeights();
  const graph = graphOf(options.goal, options.intrinsics);
  const clusters = await options.remember(
    clustersKey(options.intrinsics),
    () => clusterGoal(graph.points, () => options.breathe()),
    ({ clusterOf, centers }) => clusterOf.byteLength + centers.byteLength,
  );
  const network = await CnsNetwork.create(weights);
  network.setGoal(graph.points, clusters);
  return new CnsPolicy({ options, graph, network, digest, fingerprint: fingerprintOf(digest, graph.points, clusters) });
}

/** The points that are clustered are normalised by the camera. */
function clustersKey({ fx, fy, cx, cy }: Intrinsics): string {
  return `clusters ${fx} ${fy} ${cx} ${cy}`;
}

/** The goal's keypoints that are nodes of the graph. */
interface GoalGraph {
  /** Normalised image coordinates. */
  points: Points;
  /** For each keypoint of the goal its index among `points`; -1 where it has none. */
  nodeOf: Int32Array;
}

interface Parts {
  options: Pick<PolicyOptions, 'intrinsics' | 'distance' | 'goal'>;
  graph: GoalGraph;
  network: CnsNetwork;
  digest: string;
  fingerprint: Uint8Array;
}

class CnsPolicy implements ServoPolicy {
  readonly model: ModelIdentity;
  readonly warnings: readonly string[];

  constructor(private readonly parts: Parts) {
    this.model = { name: CNS_MODEL_NAME, digest: parts.digest };
    const [all, taken] = [parts.options.goal.count, parts.graph.points.length / 2];
    const warning = `The goal frame has ${all} keypoints; the graph of the CNS policy took ${taken} of them, evenly picked.`;
    this.warnings = taken < all ? [warning] : [];
  }

  decide(observation: Observation): Velocity | null {
    const visible = this.visiblePoints(observation);
    if (visible.indices.length === 0) return null;
    return velocityOf(this.parts.network.step(visible), this.parts.options.distance);
  }

  saveState(): Uint8Array {
    return encodeCnsState(this.parts.fingerprint, this.parts.network.getState());
  }

  restoreState(state: Uint8Array): void {
    const { network, fingerprint } = this.parts;
    network.setState(decodeCnsState(fingerprint, state, network.getState().length));
  }

  private visiblePoints({ matches, inliers }: Observation): VisiblePoints {
    const { nodeOf } = this.parts.graph;
    const { intrinsics } = this.parts.options;
    const indices = new Int32Array(matches.count);
    const positions = new Float64Array(2 * matches.count);
    let count = 0;
    for (let i = 0; i < matches.count; i++) {
      const node = nodeOf[matches.goalIndex[i]!]!;
      if (inliers[i] !== 1 || node < 0) continue;
      indices[count] = node;
      positions[2 * count] = (matches.current[2 * i]! - intrinsics.cx) / intrinsics.fx;
      positions[2 * count + 1] = (matches.current[2 * i + 1]! - intrinsics.cy) / intrinsics.fy;
      count++;
    }
    return { indices: indices.subarray(0, count), positions: positions.subarray(0, 2 * count) };
  }
}

/** Evenly picked along the detector's order, which runs over all places and sizes, when there are too many. */
function graphOf({ count, points }: Keypoints, { fx, fy, cx, cy }: Intrinsics): GoalGraph {
  const nodes = Math.min(count, MAXIMUM_GRAPH_POINTS);
  const graph: GoalGraph = { points: new Float64Array(2 * nodes), nodeOf: new Int32Array(count).fill(-1) };
  for (let node = 0; node < nodes; node++) {
    const keypoint = Math.floor((node * count) / nodes);
    graph.nodeOf[keypoint] = node;
    graph.points[2 * node] = (points[2 * keypoint]! - cx) / fx;
    graph.points[2 * node + 1] = (points[2 * keypoint + 1]! - cy) / fy;
  }
  return graph;
}

/** Direction times speed 1 + elu(size); the distance prior gives the translation its metres. */
function velocityOf({ direction, size }: NetworkOutput, distance: number): Velocity {
  const speed = (size > 0 ? 1 + size : Math.exp(size)) / (Math.hypot(...direction) + DIRECTION_EPSILON);
  return Array.from(direction, (component, axis) => component * speed * (axis < 3 ? distance : 1)) as Velocity;
}

/** Tells apart all that a recurrent state depends on besides the frames. */
function fingerprintOf(digest: string, points: Points, { clusterOf, centers }: GoalClusters): Uint8Array {
  const hash = createHash('sha256').update(digest);
  for (const { buffer, byteOffset, byteLength } of [points, clusterOf, centers]) {
    hash.update(new Uint8Array(buffer, byteOffset, byteLength));
  }
  return hash.digest();
}
