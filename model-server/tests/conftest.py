"""What tests share: golden cases, and weights that have learned nothing."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import safetensors.numpy
import torch

from infernode_model_server.cns.weights import TENSOR_SHAPES
from infernode_model_server.media.video import read_frames
from infernode_model_server.servo.types import Floats, Gray, Intrinsics

FIXTURES = Path(__file__).parents[2] / "tests" / "fixtures"
GOLDEN = FIXTURES / "golden"

cv2.setNumThreads(1)
torch.set_num_threads(1)


@dataclass(frozen=True)
class GoldenCase:
    """A synthetic scene seen by a moving pinhole camera."""

    folder: Path
    intrinsics: Intrinsics
    distance: float
    goal_frame: int
    frame_count: int
    reference: dict[str, Any]

    @classmethod
    def load(cls, name: str) -> GoldenCase:
        folder = GOLDEN / name
        case = json.loads((folder / "case.json").read_text())
        camera = Intrinsics(*(case["camera"][key] for key in ("fx", "fy", "cx", "cy")))
        reference = json.loads((folder / "reference.json").read_text())
        return cls(
            folder, camera, case["distance_prior_m"], case["goal_frame_idx"], case["current_frame_count"], reference
        )

    @property
    def goal_video(self) -> Path:
        return self.folder / "goal.mp4"

    @property
    def current_video(self) -> Path:
        return self.folder / "current.mp4"

    @property
    def ideal(self) -> Floats:
        return np.array(self.reference["ideal"]["ibvs_grid"])

    def goal(self) -> Gray:
        return next(read_frames(self.goal_video, self.goal_frame, self.goal_frame, 1, 1)).gray

    def frames(self, step: int = 1) -> list[Gray]:
        return [frame.gray for frame in read_frames(self.current_video, 0, self.frame_count - 1, step, 1)]

    def moving(self, step: int = 1) -> list[int]:
        """Places among every `step`th frame that are not at rest: ratios there would compare noise."""
        speed = np.linalg.norm(self.ideal, axis=1)
        return [i for i, frame in enumerate(range(0, self.frame_count, step)) if speed[frame] > 0.05 * speed[0]]


def angle_between(a: Floats, b: Floats, distance: float) -> float:
    """Degrees between two velocities, rotation weighed by the distance so that all six share one unit."""
    weight = np.array([1, 1, 1, distance, distance, distance])
    p, q = a * weight, b * weight
    return float(np.degrees(np.arccos(min(1.0, p @ q / (np.linalg.norm(p) * np.linalg.norm(q))))))


def mulberry32(seed: int, count: int) -> Floats:
    """The generator of src/runners/embedded/vision/random.ts."""
    mask = np.uint64(0xFFFFFFFF)
    state = np.array([(seed + 0x6D2B79F5 * i) & 0xFFFFFFFF for i in range(1, count + 1)], np.uint64)
    mixed = ((state ^ (state >> np.uint64(15))) * (state | np.uint64(1))) & mask
    mixed ^= (mixed + (((mixed ^ (mixed >> np.uint64(7))) * (mixed | np.uint64(61))) & mask)) & mask
    return ((mixed ^ (mixed >> np.uint64(14))) & mask).astype(np.float64) / 2**32


def synthetic_tensors() -> dict[str, torch.Tensor]:
    """Weights that have learned nothing, as tests/support/cns-weights.ts makes them."""
    tensors = {}
    for index, (name, shape) in enumerate(TENSOR_SHAPES.items()):
        is_norm = name.endswith((".bn.weight", ".bn.mean_scale"))
        centre, reach = (1.0, 0.5) if is_norm else (0.0, 1.5 / np.sqrt(shape[1] if len(shape) > 1 else 128))
        values = centre + reach * (2 * mulberry32(index + 1, int(np.prod(shape))) - 1)
        tensors[name] = torch.from_numpy(values.astype(np.float32)).reshape(shape)
    return tensors


@pytest.fixture(scope="session")
def synthetic_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "synthetic.safetensors"
    tensors = {name: tensor.numpy() for name, tensor in synthetic_tensors().items()}
    path.write_bytes(safetensors.numpy.save(tensors))
    return path


@pytest.fixture(scope="session")
def published_weights() -> Path:
    """The published weights are no part of this project."""
    path = os.environ.get("CNS_WEIGHTS", "")
    if path == "":
        pytest.skip("CNS_WEIGHTS names no file: the published weights are no part of this project")
    return Path(path)
