import type { GoalClusters } from './goal-clusters.js';
import { foldLayers, type ConvolutionLayers, type MessageLayer } from './layers.js';
import { fromRow, NetworkKernel, padded, type Block, type PlacedLayer } from './network-kernel.js';
import { PointEncoder, type VisiblePoints } from './point-encoder.js';
import type { Points } from './plane-points.js';
import { WIDTH, type CnsWeights } from './weights.js';

const POSITION_AXES = 2;
const DIRECTION_COMPONENTS = 6;

/** What the network says of a frame. */
export interface NetworkOutput {
  /** Not normalised; metres in the unit of the distance prior, radians. */
  direction: Float32Array;
  /** Of the velocity; its speed is 1 + elu(size). */
  size: number;
}

interface PlacedMessageLayer {
  product: PlacedLayer;
  position: PlacedLayer;
}

interface PlacedConvolution {
  message: PlacedMessageLayer;
  norm: { weight: Block; bias: Block; meanScale: Block };
  output: PlacedLayer;
}

/** What a goal needs besides its points: the recurrent state, and room for what passes between the layers. */
interface Goal {
  clusterCount: number;
  /** [clusters, WIDTH] */
  state: Block;
  live: number;
  ascending: number;
  summaries: Block;
  features: Block;
  residual: Block;
  joined: Block;
  sent: Block;
  received: Block;
  gates: Block;
  scores: Block;
  pooled: Block;
  /** What each message layer adds for the clusters' positions and its bias. */
  addends: Map<PlacedMessageLayer, Block>;
}

/**
 * The graph network of "CNS: Correspondence Encoded Neural Image Servo Policy" (Chen et al., ICRA 2024) on own kernels:
 * goal points and their positions in the current frame → features of their clusters → recurrent state → velocity. With
 * the published weights and the same clusters the outputs are within 1e-5 of PyTorch's.
 */
export class CnsNetwork {
  /** @throws Error when the kernel is not built */
  static async create(weights: CnsWeights): Promise<CnsNetwork> {
    return new CnsNetwork(await NetworkKernel.create(), weights);
  }

  private readonly encoder: PointEncoder;
  private readonly clusterOutput: PlacedLayer;
  private readonly convolutions: readonly [PlacedConvolution, PlacedConvolution];
  private readonly gateLayer: PlacedMessageLayer;
  private readonly candidateLayer: PlacedMessageLayer;
  private readonly poolingScore: PlacedLayer;
  private readonly headInput: PlacedLayer;
  private readonly headOutput: PlacedLayer;
  /** Where the memory of the weights ends and that of the goal begins. */
  private readonly goalMark: number;
  private goal: Goal | null = null;

  private constructor(
    private readonly kernel: NetworkKernel,
    weights: CnsWeights,
  ) {
    const layers = foldLayers(weights);
    this.encoder = new PointEncoder(kernel, layers);
    this.clusterOutput = kernel.place(layers.clusterOutput);
    const [first, second] = layers.convolutions;
    this.convolutions = [this.placeConvolution(first), this.placeConvolution(second)];
    this.gateLayer = this.placeMessageLayer(layers.gates);
    this.candidateLayer = this.placeMessageLayer(layers.candidate);
    this.poolingScore = kernel.place(layers.poolingScore);
    this.headInput = kernel.place(layers.headInput);
    this.headOutput = kernel.place(layers.headOutput);
    this.goalMark = kernel.arena.mark();
  }

  /**
   * Starts over with another goal; the recurrent state is zero then.
   *
   * @param points normalised image coordinates of the goal's keypoints
   * @throws RunnerInputError when there is no memory for so many
   */
  setGoal(points: Points, clusters: GoalClusters): void {
    const { kernel } = this;
    const { count } = clusters;
    kernel.arena.rewind(this.goalMark);
    this.goal = null;
    this.encoder.setGoal(points, clusters);
    const goal: Goal = {
      clusterCount: count,
      state: kernel.reserve(count, WIDTH),
      live: kernel.arena.reserve(count),
      ascending: kernel.reserveIndices(count),
      summaries: kernel.reserve(count, 2 * WIDTH),
      features: kernel.reserve(count, WIDTH),
      residual: kernel.reserve(count, WIDTH),
      joined: kernel.reserve(count, 2 * WIDTH),
      sent: kernel.reserve(count, 4 * WIDTH),
      received: kernel.reserve(count, WIDTH),
      gates: kernel.reserve(count, 2 * WIDTH),
      scores: kernel.reserve(count, this.poolingScore.columns),
      pooled: kernel.reserve(1, 2 * WIDTH),
      addends: new Map(),
    };
    kernel.view(goal.state, count).fill(0);
    const ascending = kernel.arena.integers(goal.ascending, padded(count));
    // The rows beyond the last cluster start from the last one.
    ascending.forEach((_, i) => (ascending[i] = Math.min(i, count - 1)));
    const positions = kernel.reserve(count, POSITION_AXES);
    kernel.view(positions, count).set([...clusters.centers].flatMap((i) => [points[2 * i]!, points[2 * i + 1]!]));
    const messages = [...this.convolutions.map(({ message }) => message), this.gateLayer, this.candidateLayer];
    for (const layer of messages) {
      const addend = kernel.reserve(count, layer.position.columns);
      kernel.apply(layer.position, positions, count, addend);
      goal.addends.set(layer, addend);
    }
    this.goal = goal;
  }

  /** The recurrent state, [clusters, WIDTH]; a copy. */
  getState(): Float32Array {
    const { state, clusterCount } = this.currentGoal();
    return this.kernel.view(state, clusterCount).slice();
  }

  /** @param state as `getState` gave it, for the same goal */
  setState(state: Float32Array): void {
    const { state: block, clusterCount } = this.currentGoal();
    if (state.length !== clusterCount * WIDTH) throw new RangeError('The state has not as many clusters as the goal');
    this.kernel.view(block, clusterCount).set(state);
  }

  /** Takes in one frame, in order, and updates the recurrent state. */
  step(visible: VisiblePoints): NetworkOutput {
    const goal = this.currentGoal();
    this.encodeClusters(goal, visible);
    this.convolve(this.convolutions[0], goal, goal.features, goal.joined);
    this.remember(goal);
    this.convolve(this.convolutions[1], goal, goal.state, goal.joined);
    this.pool(goal);
    return this.decide(goal);
  }

  private currentGoal(): Goal {
    if (this.goal === null) throw new Error('The network has no goal');
    return this.goal;
  }

  /** Features of the clusters; zero for those without a visible point. */
  private encodeClusters(goal: Goal, visible: VisiblePoints): void {
    const { kernel } = this;
    const { clusterCount, summaries, features } = goal;
    const live = kernel.arena.bytes(goal.live, clusterCount);
    this.encoder.summarise(visible, live, summaries);
    kernel.apply(this.clusterOutput, summaries, clusterCount, features, WIDTH);
    const rows = kernel.view(features, clusterCount);
    live.forEach((isLive, c) => {
      if (isLive === 0) rows.fill(0, c * WIDTH, (c + 1) * WIDTH);
    });
  }

  /** x plus what the live clusters tell each other of x, rectified, into the first half of `out`. */
  private convolve(layer: PlacedConvolution, goal: Goal, x: Block, out: Block): void {
    const { kernel } = this;
    const { clusterCount, received, residual } = goal;
    const { weight, bias, meanScale } = layer.norm;
    this.exchange(layer.message, goal, x, goal.live, received);
    kernel.exports.graphNorm(received.address, clusterCount, WIDTH, weight.address, bias.address, meanScale.address);
    kernel.apply(layer.output, received, clusterCount, residual);
    for (let c = 0; c < clusterCount; c++) {
      const [a, b, sum] = [residual, x, out].map((block) => fromRow(block, c).address) as [number, number, number];
      kernel.exports.addRectified(a, b, sum, WIDTH);
    }
  }

  /** @param live 0: all clusters take part */
  private exchange(layer: PlacedMessageLayer, goal: Goal, x: Block, live: number, out: Block): void {
    const { kernel } = this;
    const { clusterCount, sent, ascending, addends } = goal;
    const { product } = layer;
    const rows = { address: sent.address, stride: product.columns };
    kernel.apply(product, x, clusterCount, rows, 0, { rows: addends.get(layer)!, index: ascending });
    kernel.exports.connectAll(rows.address, clusterCount, product.columns / 2, live, out.address);
  }

  /** The gated recurrent unit: gates over all clusters, candidates over the live ones. */
  private remember(goal: Goal): void {
    const { kernel } = this;
    const { clusterCount, state, joined, gates, received } = goal;
    const rows = kernel.view(joined, clusterCount);
    const before = kernel.view(state, clusterCount);
    for (let c = 0; c < clusterCount; c++) {
      rows.set(before.subarray(c * WIDTH, (c + 1) * WIDTH), (2 * c + 1) * WIDTH);
    }
    this.exchange(this.gateLayer, goal, joined, 0, gates);
    kernel.exports.resetState(gates.address, state.address, joined.address, clusterCount, WIDTH);
    this.exchange(this.candidateLayer, goal, joined, goal.live, received);
    kernel.exports.updateState(gates.address, received.address, state.address, clusterCount, WIDTH);
  }

  /** The live clusters' features, weighed by the softmax of their scores: one segment. */
  private pool(goal: Goal): void {
    const { kernel } = this;
    const { clusterCount, joined, scores, pooled } = goal;
    kernel.apply(this.poolingScore, joined, clusterCount, scores);
    const live = kernel.arena.bytes(goal.live, clusterCount);
    const score = kernel.view(scores, clusterCount);
    const features = kernel.view(joined, clusterCount);
    let greatest = -Infinity;
    live.forEach((isLive, c) => {
      if (isLive === 1) greatest = Math.max(greatest, score[c * scores.stride]!);
    });
    const sums = new Float64Array(WIDTH);
    let total = 0;
    live.forEach((isLive, c) => {
      if (isLive === 0) return;
      const share = Math.exp(score[c * scores.stride]! - greatest);
      total += share;
      for (let k = 0; k < WIDTH; k++) sums[k]! += share * features[c * joined.stride + k]!;
    });
    kernel.view(pooled, 1).set(sums.map((sum) => sum / total));
  }

  private decide({ pooled, sent, scores }: Goal): NetworkOutput {
    const { kernel } = this;
    kernel.apply(this.headInput, pooled, 1, sent, 2 * WIDTH);
    kernel.apply(this.headOutput, sent, 1, scores);
    const values = kernel.view(scores, 1);
    return { direction: values.slice(0, DIRECTION_COMPONENTS), size: values[DIRECTION_COMPONENTS]! };
  }

  private placeMessageLayer({ weight, position, bias }: MessageLayer): PlacedMessageLayer {
    return { product: this.kernel.placeProduct(weight), position: this.kernel.place({ weight: position, bias }) };
  }

  private placeConvolution({ message, norm, output }: ConvolutionLayers): PlacedConvolution {
    const { kernel } = this;
    return {
      message: this.placeMessageLayer(message),
      norm: {
        weight: kernel.placeRow(norm.weight),
        bias: kernel.placeRow(norm.bias),
        meanScale: kernel.placeRow(norm.meanScale),
      },
      output: kernel.place(output),
    };
  }
}
