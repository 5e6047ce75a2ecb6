"""The published weights of the network (hhcaz/CNS, `cns_state_dict.pth`) as a safetensors file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import safetensors
import safetensors.numpy
import torch

WIDTH = 128
MODEL_NAME = "CNS"
#: The published weights take 1.9 MB.
_LARGEST_FILE_BYTES = 64 * 1024**2

_ATTENTION = "encoder.att_clu_conv"


def _linear(name: str, outputs: int, inputs: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def _residual_convolution(name: str) -> dict[str, tuple[int, ...]]:
    norm = {f"{name}.bn.{part}": (WIDTH,) for part in ("weight", "bias", "mean_scale")}
    return {
        **_linear(f"{name}.conv.msg_nn.fcs.0", WIDTH, 2 * WIDTH + 2),
        **norm,
        **_linear(f"{name}.fc", WIDTH, WIDTH),
    }


#: Names and shapes [outputs, inputs] of the tensors.
TENSOR_SHAPES: dict[str, tuple[int, ...]] = {
    **_linear("encoder.in_enc.fcs.0", WIDTH, 2),
    **_linear(f"{_ATTENTION}.pos_nn.fcs.0", WIDTH, 4),
    **_linear(f"{_ATTENTION}.pos_nn.fcs.1", WIDTH, WIDTH),
    **_linear(f"{_ATTENTION}.attn_nn.fcs.0", WIDTH, WIDTH),
    **_linear(f"{_ATTENTION}.attn_nn.fcs.1", WIDTH, WIDTH),
    **{f"{_ATTENTION}.{name}.weight": (WIDTH, WIDTH) for name in ("lin", "lin_src", "lin_dst")},
    **_linear("encoder.out_enc.fcs.0", WIDTH, 2 * WIDTH),
    **_residual_convolution("backbone.l1_conv0"),
    **_linear("backbone.temporal_aggr.conv_gates.msg_nn.fcs.0", 2 * WIDTH, 4 * WIDTH + 2),
    **_linear("backbone.temporal_aggr.conv_candi.msg_nn.fcs.0", WIDTH, 4 * WIDTH + 2),
    **_residual_convolution("backbone.l1_conv1"),
    **_linear("decoder.pool.gate_nn", 1, WIDTH),
    **_linear("decoder.vel_si_vec.fcs.0", WIDTH, WIDTH),
    **_linear("decoder.vel_si_vec.fcs.1", 6, WIDTH),
    **_linear("decoder.vel_si_norm.fcs.0", WIDTH, WIDTH),
    **_linear("decoder.vel_si_norm.fcs.1", 1, WIDTH),
}


class WeightsError(Exception):
    """The file does not hold the tensors of the network; the message says what is wrong with which."""


@dataclass(frozen=True)
class CnsWeights:
    tensors: dict[str, torch.Tensor]
    #: `sha256:` and the file's digest in hexadecimal digits.
    digest: str


def load_weights(path: Path) -> CnsWeights:
    """
    Raises:
        WeightsError: the file cannot be read, or holds something else
    """
    try:
        if path.stat().st_size > _LARGEST_FILE_BYTES:
            raise WeightsError(f"{path} is larger than {_LARGEST_FILE_BYTES} bytes.")
        content = path.read_bytes()
        arrays = safetensors.numpy.load(content)
    except (OSError, safetensors.SafetensorError) as error:
        raise WeightsError(f"{path} cannot be read as safetensors: {error}.") from error
    tensors = {name: torch.from_numpy(array.copy()) for name, array in arrays.items()}
    return CnsWeights(checked(tensors), f"sha256:{hashlib.sha256(content).hexdigest()}")


def checked(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors of the network among those given.

    Raises:
        WeightsError: one is missing, of another shape or type, or not finite
    """
    for name, shape in TENSOR_SHAPES.items():
        tensor = tensors.get(name)
        if tensor is None:
            raise WeightsError(f'The tensor "{name}" is missing.')
        if tuple(tensor.shape) != shape:
            raise WeightsError(f'The tensor "{name}" is {list(tensor.shape)} instead of {list(shape)}.')
        if tensor.dtype != torch.float32:
            raise WeightsError(f'The tensor "{name}" is {tensor.dtype} instead of float32.')
        if not bool(torch.isfinite(tensor).all()):
            raise WeightsError(f'The tensor "{name}" holds numbers that are not finite.')
    return {name: tensors[name] for name in TENSOR_SHAPES}
