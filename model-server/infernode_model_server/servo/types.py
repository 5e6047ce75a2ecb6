"""The words that the parts of the pipeline share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
#: A picture in full-range grey, [height, width]; pixel centres are integers.
Gray = npt.NDArray[np.uint8]

Policy = Literal["ibvs", "cns"]
POLICIES: tuple[Policy, ...] = ("ibvs", "cns")

FrameProblem = Literal[
    "blank-frame",
    "too-few-keypoints",
    "too-few-matches",
    "too-few-inliers",
    "degenerate-geometry",
    "unreadable-frame",
]


@dataclass(frozen=True)
class Intrinsics:
    """Pinhole camera, pixels; pixel centres are integers."""

    fx: float = 540.0
    fy: float = 540.0
    cx: float = 320.0
    cy: float = 240.0

    def to_rays(self, points: Floats) -> Floats:
        """Pixels [N, 2] as positions on the plane at distance 1 before the camera, optical axis at 0, 0."""
        return (points - (self.cx, self.cy)) / (self.fx, self.fy)


@dataclass(frozen=True)
class Pairs:
    """Positions in pixels, [N, 2] each; row i of both shows the same spot."""

    goal: Floats
    current: Floats

    def __len__(self) -> int:
        return len(self.goal)

    def chosen(self, mask: Mask) -> Pairs:
        return Pairs(self.goal[mask], self.current[mask])


NO_PAIRS = Pairs(np.zeros((0, 2)), np.zeros((0, 2)))


@dataclass(frozen=True)
class Observation:
    """What a frame shows of the goal, before any policy has seen it."""

    #: Keypoints of the frame.
    keypoints: int
    #: Goal keypoints found again, ordered by their index in the goal.
    matches: Pairs = NO_PAIRS
    #: Which of the goal's keypoints each match belongs to, ascending; [N].
    goal_index: Indices = field(default_factory=lambda: np.zeros(0, np.int64))
    #: The matches that agree with the motion of the others; only these may decide the velocity. [N]
    inliers: Mask = field(default_factory=lambda: np.zeros(0, np.bool_))
    #: What a least-squares policy solves from: the inliers and what follows from them. Empty with a problem.
    solved_from: Pairs = NO_PAIRS
    #: Why the frame cannot lead to a velocity.
    problem: FrameProblem | None = None

    @property
    def inlier_count(self) -> int:
        return int(np.count_nonzero(self.inliers))

    @property
    def feature_error_px(self) -> float | None:
        """RMS distance in pixels of the inliers from their goal positions; None without inliers."""
        agreeing = self.matches.chosen(self.inliers)
        if len(agreeing) == 0:
            return None
        return float(np.sqrt(np.mean(np.sum((agreeing.goal - agreeing.current) ** 2, axis=1))))


@dataclass(frozen=True)
class FrameResult:
    """The row of one processed frame."""

    #: [vx, vy, vz, wx, wy, wz], m/s and rad/s, camera frame (x right, y down, z forward); zeros with a problem.
    velocity: tuple[float, float, float, float, float, float]
    keypoints: int
    matches: int
    inliers: int
    feature_error_px: float | None
    problem: FrameProblem | None


NO_VELOCITY = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class ModelIdentity:
    """Learned weights that velocities come from; the digest is `sha256:` and hexadecimal digits."""

    name: str
    digest: str
