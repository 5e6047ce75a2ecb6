"""The network in the process that asks it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from ..servo.types import Floats, ModelIdentity
from .graph import GoalGraph, VisiblePoints
from .network import Chunk, CnsNetwork
from .weights import MODEL_NAME, CnsWeights, load_weights


class LocalNetwork:
    """Not for several threads at once."""

    def __init__(self, weights: CnsWeights, device: str = "cpu") -> None:
        self.identity = ModelIdentity(MODEL_NAME, weights.digest)
        self.network = CnsNetwork(weights.tensors, torch.device(device))

    @classmethod
    def load(cls, path: Path, device: str = "cpu") -> LocalNetwork:
        """
        Raises:
            WeightsError: the file does not hold the tensors of the network
        """
        return cls(load_weights(path), device)

    def begin(self, graph: GoalGraph) -> LocalSession:
        return LocalSession(self.network, graph)


class LocalSession:
    def __init__(self, network: CnsNetwork, graph: GoalGraph) -> None:
        self._network = network
        goal = network.prepare(graph)
        self.chunk = Chunk(goal, network.first_state(goal), [])

    def run(self, frames: Sequence[VisiblePoints]) -> Floats:
        self.chunk.frames = frames
        return np.asarray(self._network.run([self.chunk])[0].numpy(), np.float64)

    def close(self) -> None:
        """Nothing is held that garbage collection would not find."""
