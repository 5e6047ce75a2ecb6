/** Features of a point, of a cluster, and of a cluster's recurrent state. */
export const WIDTH = 128;

/** A float32 array with its shape, row-major. */
export interface Tensor {
  shape: readonly number[];
  values: Float32Array;
}

const linear = (name: string, outputs: number, inputs: number): [string, readonly number[]][] => [
  [`${name}.weight`, [outputs, inputs]],
  [`${name}.bias`, [outputs]],
];

const unbiased = (name: string): [string, readonly number[]][] => [[`${name}.weight`, [WIDTH, WIDTH]]];

const residualConvolution = (name: string): [string, readonly number[]][] => [
  ...linear(`${name}.conv.msg_nn.fcs.0`, WIDTH, 2 * WIDTH + 2),
  [`${name}.bn.weight`, [WIDTH]],
  [`${name}.bn.bias`, [WIDTH]],
  [`${name}.bn.mean_scale`, [WIDTH]],
  ...linear(`${name}.fc`, WIDTH, WIDTH),
];

/** The tensors of the published network (hhcaz/CNS, `cns_state_dict.pth`) by name, with their shapes: [outputs, inputs]. */
export const TENSOR_SHAPES: ReadonlyMap<string, readonly number[]> = new Map([
  ...linear('encoder.in_enc.fcs.0', WIDTH, 2),
  ...linear('encoder.att_clu_conv.pos_nn.fcs.0', WIDTH, 4),
  ...linear('encoder.att_clu_conv.pos_nn.fcs.1', WIDTH, WIDTH),
  ...linear('encoder.att_clu_conv.attn_nn.fcs.0', WIDTH, WIDTH),
  ...linear('encoder.att_clu_conv.attn_nn.fcs.1', WIDTH, WIDTH),
  ...unbiased('encoder.att_clu_conv.lin'),
  ...unbiased('encoder.att_clu_conv.lin_src'),
  ...unbiased('encoder.att_clu_conv.lin_dst'),
  ...linear('encoder.out_enc.fcs.0', WIDTH, 2 * WIDTH),
  ...residualConvolution('backbone.l1_conv0'),
  ...linear('backbone.temporal_aggr.conv_gates.msg_nn.fcs.0', 2 * WIDTH, 4 * WIDTH + 2),
  ...linear('backbone.temporal_aggr.conv_candi.msg_nn.fcs.0', WIDTH, 4 * WIDTH + 2),
  ...residualConvolution('backbone.l1_conv1'),
  ...linear('decoder.pool.gate_nn', 1, WIDTH),
  ...linear('decoder.vel_si_vec.fcs.0', WIDTH, WIDTH),
  ...linear('decoder.vel_si_vec.fcs.1', 6, WIDTH),
  ...linear('decoder.vel_si_norm.fcs.0', WIDTH, WIDTH),
  ...linear('decoder.vel_si_norm.fcs.1', 1, WIDTH),
]);

/** Weights of the network, complete: every tensor of TENSOR_SHAPES, in its shape, all values finite. */
export class CnsWeights {
  private constructor(private readonly tensors: ReadonlyMap<string, Tensor>) {}

  /**
   * @param tensors may hold others beside those of the network
   * @throws WeightsError that names the first tensor that is missing, misshapen or not finite
   */
  static of(tensors: ReadonlyMap<string, Tensor>): CnsWeights {
    for (const [name, shape] of TENSOR_SHAPES) {
      const tensor = tensors.get(name);
      if (tensor === undefined) throw new WeightsError(`the tensor "${name}" is missing`);
      if (!isSameShape(tensor.shape, shape)) {
        throw new WeightsError(
          `the tensor "${name}" has the shape [${tensor.shape.join(', ')}] instead of [${shape.join(', ')}]`,
        );
      }
      const faulty = tensor.values.findIndex((value) => !Number.isFinite(value));
      if (faulty >= 0) throw new WeightsError(`the tensor "${name}" is not finite at position ${faulty}`);
    }
    return new CnsWeights(tensors);
  }

  /** @param name one of TENSOR_SHAPES */
  get(name: string): Tensor {
    const tensor = this.tensors.get(name);
    if (tensor === undefined) throw new RangeError(`The network has no tensor "${name}"`);
    return tensor;
  }
}

/** Why a file does not hold the weights of the network; half a sentence that follows the file's name. */
export class WeightsError extends Error {
  override readonly name = 'WeightsError';
}

function isSameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}
