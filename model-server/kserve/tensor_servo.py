"""The servo pipeline behind tensors, as servers of the Open Inference Protocol hand them over.

What MLServer, KServe and Triton need is thin: each turns its own requests into these arrays and back.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from infernode_model_server.errors import UnusableInputError
from infernode_model_server.servo.sequence import Network, SequenceOptions, ServoSequence
from infernode_model_server.servo.types import FrameResult, Intrinsics

#: Jobs that are remembered at a time. One that its client never ended is forgotten when it is the oldest.
MOST_SEQUENCES = 64

Tensors = Mapping[str, np.ndarray]


class UnusableTensorsError(ValueError):
    """What was sent cannot be worked on. By the word in front clients tell whose fault it is."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"unusable-input: {reason}")


@dataclass(frozen=True)
class ServoAnswer:
    outputs: dict[str, np.ndarray]
    #: What the request cost, and what it ran on.
    report: dict[str, str | float]


class TensorServo:
    """Takes `goal`, `frames`, `intrinsics`, `distance`, `detector`, `policy`; gives `velocity` and what is known of it.

    Args:
        weights: safetensors with the network of the policy `cns`; without them only `ibvs` is to be had
        device: where the network runs
    """

    def __init__(self, weights: Path | None = None, device: str = "cpu") -> None:
        self._network, self._device = _network_of(weights, device)
        self._sequences: OrderedDict[object, ServoSequence] = OrderedDict()
        self._lock = Lock()

    @classmethod
    def from_environment(cls) -> TensorServo:
        """`CNS_WEIGHTS` names the weights, `CNS_DEVICE` what the network runs on."""
        path = os.environ.get("CNS_WEIGHTS", "")
        return cls(Path(path) if path else None, os.environ.get("CNS_DEVICE", "cpu"))

    def infer(self, inputs: Tensors, parameters: Mapping[str, Any]) -> ServoAnswer:
        """One request; those of one sequence come in order.

        Raises:
            UnusableTensorsError: an input is missing, or cannot be worked on
        """
        wall, cpu = time.perf_counter(), time.process_time()
        frames = _pictures(inputs, "frames")
        # A detector keeps its working memory between frames: it is not for two requests at once.
        with self._lock:
            sequence = self._sequence_of(inputs, parameters)
            rows = sequence.process(list(frames))
        report: dict[str, str | float] = {
            "device": self._device if sequence.model is not None else "cpu",
            "cpu_seconds": time.process_time() - cpu,
        }
        if sequence.model is not None:
            report["model_digest"] = sequence.model.digest
            if self._device.startswith("cuda"):
                report["gpu_seconds"] = time.perf_counter() - wall
        return ServoAnswer(_outputs(rows, sequence.goal_keypoints), report)

    def _sequence_of(self, inputs: Tensors, parameters: Mapping[str, Any]) -> ServoSequence:
        options = _options(inputs)
        goal = _pictures(inputs, "goal")[0]
        # A policy that remembers nothing knows a goal again, whoever asks.
        shown = (hashlib.sha256(goal.tobytes()).hexdigest(), goal.shape, options)
        remembers = options.policy == "cns"
        key: object = ("sequence", str(parameters.get("sequence_id", ""))) if remembers else shown
        known = self._sequences.get(key)
        if remembers and bool(parameters.get("sequence_start", True)):
            known = None
        elif remembers and known is None:
            raise UnusableTensorsError("The sequence has not begun, or was forgotten.")
        sequence = known if known is not None else self._begin(goal, options)
        self._sequences[key] = sequence
        self._sequences.move_to_end(key)
        if remembers and bool(parameters.get("sequence_end", False)):
            del self._sequences[key]
        while len(self._sequences) > MOST_SEQUENCES:
            self._sequences.popitem(last=False)[1].close()
        return sequence

    def _begin(self, goal: np.ndarray, options: SequenceOptions) -> ServoSequence:
        if options.policy == "cns" and self._network is None:
            raise UnusableTensorsError('This server has no weights for the policy "cns".')
        try:
            return ServoSequence(goal, options, self._network)
        except (UnusableInputError, ValueError) as error:
            raise UnusableTensorsError(str(error)) from error


def _network_of(weights: Path | None, device: str) -> tuple[Network | None, str]:
    if weights is None:
        return None, "cpu"
    # PyTorch takes seconds to import, and only the network needs it.
    from infernode_model_server.cns.local import LocalNetwork

    return LocalNetwork.load(weights, device), device


def _options(inputs: Tensors) -> SequenceOptions:
    intrinsics = _required(inputs, "intrinsics").astype(np.float64).ravel()
    if intrinsics.shape != (4,):
        raise UnusableTensorsError('The input "intrinsics" has four numbers.')
    return SequenceOptions(
        detector=_text(inputs, "detector"),
        policy=_text(inputs, "policy"),  # type: ignore[arg-type]  # checked where a sequence begins
        intrinsics=Intrinsics(*(float(value) for value in intrinsics)),
        distance=float(_required(inputs, "distance").ravel()[0]),
    )


def _required(inputs: Tensors, name: str) -> np.ndarray:
    if name not in inputs:
        raise UnusableTensorsError(f'The input "{name}" is missing.')
    return inputs[name]


def _pictures(inputs: Tensors, name: str) -> np.ndarray:
    """[N, height, width], whatever dimensions of length one come before."""
    pictures = _required(inputs, name)
    if pictures.ndim < 2 or pictures.size == 0:
        raise UnusableTensorsError(f'The input "{name}" holds no picture.')
    return np.ascontiguousarray(pictures.reshape(-1, *pictures.shape[-2:]), np.uint8)


def _text(inputs: Tensors, name: str) -> str:
    value = _required(inputs, name).ravel()[0]
    return value.decode() if isinstance(value, bytes) else str(value)


def _outputs(rows: list[FrameResult], goal_keypoints: int) -> dict[str, np.ndarray]:
    def counts(values: list[int]) -> np.ndarray:
        return np.array(values, np.int32)

    # JSON has no NaN: no error is a negative one.
    errors = [-1.0 if row.feature_error_px is None else row.feature_error_px for row in rows]
    return {
        "velocity": np.array([row.velocity for row in rows], np.float64),
        "keypoints": counts([row.keypoints for row in rows]),
        "matches": counts([row.matches for row in rows]),
        "inliers": counts([row.inliers for row in rows]),
        "feature_error_px": np.array(errors, np.float64),
        "problem": np.array([(row.problem or "").encode() for row in rows], object),
        "goal_keypoints": counts([goal_keypoints]),
    }
