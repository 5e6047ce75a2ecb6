import { above, add, beside, columnsOf, matrixOf, multiply, scale, zeros, type Matrix } from './matrix.js';
import { WIDTH, type CnsWeights } from './weights.js';

/** y = W x + b */
export interface Layer {
  weight: Matrix;
  /** One column. */
  bias: Matrix;
}

/**
 * A layer over a fully connected graph. The network's message from node j to node i is W [x_i, x_j - x_i, p_j - p_i] + b
 * with the positions p of the clusters; i takes the greatest of each component. It falls into what i adds and what j
 * sends, so that the work grows with the nodes and not with their pairs. Both are computed at once: first what is added,
 * then what is sent.
 */
export interface MessageLayer {
  /** On x alone. */
  weight: Matrix;
  /** On p, two columns: to be added together with `bias` for a given set of clusters. */
  position: Matrix;
  bias: Matrix;
}

/** A residual convolution's layers; the vectors as in GraphNorm. */
export interface ConvolutionLayers {
  message: MessageLayer;
  norm: { weight: Matrix; bias: Matrix; meanScale: Matrix };
  output: Layer;
}

/** The network's layers, merged where nothing but a linear map lies between them. */
export interface NetworkLayers {
  /**
   * Of the six numbers of a point (its current position; cluster centre - current position; cluster centre - goal
   * position): its features x, and p, the first layer of its relative position. To be rectified.
   */
  pointInput: Layer;
  /** Of [x, p]: the first layer of the attention logits (to be rectified), then the values. */
  pointMix: Layer;
  /** Of the features of a cluster's centre: what to add to the first half of `pointMix` for the cluster's points. */
  centre: Layer;
  /** Of the rectified first half of `pointMix`: the attention logits. */
  attention: Layer;
  /** Of [the current points' summary, the goal points' summary] of a cluster: its features. To be rectified. */
  clusterOutput: Layer;
  convolutions: readonly [ConvolutionLayers, ConvolutionLayers];
  gates: MessageLayer;
  candidate: MessageLayer;
  poolingScore: Layer;
  /** Hidden layers of direction and size of the velocity, one after the other. To be rectified. */
  headInput: Layer;
  /** Six components of the direction, then the size. */
  headOutput: Layer;
}

export function foldLayers(weights: CnsWeights): NetworkLayers {
  const weight = (name: string) => matrixOf(weights.get(`${name}.weight`));
  const bias = (name: string) => matrixOf(weights.get(`${name}.bias`));
  const layer = (name: string): Layer => ({ weight: weight(name), bias: bias(name) });
  const convolution = (name: string): ConvolutionLayers => ({
    message: messageLayer(layer(`${name}.conv.msg_nn.fcs.0`)),
    norm: {
      weight: weight(`${name}.bn`),
      bias: bias(`${name}.bn`),
      meanScale: matrixOf(weights.get(`${name}.bn.mean_scale`)),
    },
    output: layer(`${name}.fc`),
  });

  const points = layer('encoder.in_enc.fcs.0');
  const position = layer('encoder.att_clu_conv.pos_nn.fcs.0');
  const relative = layer('encoder.att_clu_conv.pos_nn.fcs.1');
  const attention = layer('encoder.att_clu_conv.attn_nn.fcs.0');
  const clusters = layer('encoder.out_enc.fcs.0');
  const current = columnsOf(clusters.weight, 0, WIDTH);
  const difference = columnsOf(clusters.weight, WIDTH, 2 * WIDTH);
  const heads = ['decoder.vel_si_vec', 'decoder.vel_si_norm'] as const;
  const outputs = heads.map((name) => layer(`${name}.fcs.1`));
  const [direction, size] = outputs as [Layer, Layer];

  return {
    pointInput: {
      weight: above(beside(points.weight, zeros(WIDTH, 4)), beside(zeros(WIDTH, 2), position.weight)),
      bias: above(points.bias, position.bias),
    },
    pointMix: {
      weight: above(
        beside(
          scale(multiply(attention.weight, weight('encoder.att_clu_conv.lin_src')), -1),
          multiply(attention.weight, relative.weight),
        ),
        beside(weight('encoder.att_clu_conv.lin'), relative.weight),
      ),
      bias: above(zeros(WIDTH, 1), relative.bias),
    },
    centre: {
      weight: multiply(attention.weight, weight('encoder.att_clu_conv.lin_dst')),
      bias: add(multiply(attention.weight, relative.bias), attention.bias),
    },
    attention: layer('encoder.att_clu_conv.attn_nn.fcs.1'),
    clusterOutput: { weight: beside(add(current, difference, -1), difference), bias: clusters.bias },
    convolutions: [convolution('backbone.l1_conv0'), convolution('backbone.l1_conv1')],
    gates: messageLayer(layer('backbone.temporal_aggr.conv_gates.msg_nn.fcs.0')),
    candidate: messageLayer(layer('backbone.temporal_aggr.conv_candi.msg_nn.fcs.0')),
    poolingScore: layer('decoder.pool.gate_nn'),
    headInput: {
      weight: above(...heads.map((name) => weight(`${name}.fcs.0`))),
      bias: above(...heads.map((name) => bias(`${name}.fcs.0`))),
    },
    headOutput: {
      weight: above(beside(direction.weight, zeros(6, WIDTH)), beside(zeros(1, WIDTH), size.weight)),
      bias: above(direction.bias, size.bias),
    },
  };
}

/** @param layer on [x_i, x_j - x_i, p_j - p_i] */
function messageLayer({ weight, bias }: Layer): MessageLayer {
  const width = (weight.columns - 2) / 2;
  const receiver = columnsOf(weight, 0, width);
  const sender = columnsOf(weight, width, 2 * width);
  const offset = columnsOf(weight, 2 * width, weight.columns);
  return {
    weight: above(add(receiver, sender, -1), sender),
    position: above(scale(offset, -1), offset),
    bias: above(bias, zeros(bias.rows, 1)),
  };
}
