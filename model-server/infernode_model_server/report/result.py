"""What a job found, as its worker tells it and as it stands in the archive."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from ..servo.types import FrameResult, Intrinsics, ModelIdentity, Policy

VisualizeMode = Literal["none", "sampled", "all"]
#: Most pictures a job in `sampled` mode puts into its archive.
_SAMPLED_PICTURES = 100

PROBLEM_MESSAGES = {
    "blank-frame": "The frame shows nothing but one shade.",
    "too-few-keypoints": "The frame shows too little texture to find keypoints on.",
    "too-few-matches": "Too little of the goal frame was found again.",
    "too-few-inliers": "What was found of the goal frame does not fit together.",
    "degenerate-geometry": "What was found of the goal frame lies so that no motion follows from it.",
    "unreadable-frame": "The frame could not be read from the video.",
}


@dataclass(frozen=True)
class JobParameters:
    """What was asked for, after every check."""

    detector: str
    goal_frame: int
    start_frame: int
    end_frame: int
    frame_step: int
    policy: Policy = "ibvs"
    #: `cpu` or `cuda:N`, as asked for.
    device: str = "cpu"
    intrinsics: Intrinsics = field(default_factory=Intrinsics)
    #: Metres from the goal camera to the scene.
    distance: float = 1.0
    visualize: VisualizeMode = "none"
    #: Frames per second of the current video; None when nothing says.
    frame_rate: float | None = None

    @property
    def total(self) -> int:
        """Number of processed frames: start, start + step, … ≤ end."""
        return (self.end_frame - self.start_frame) // self.frame_step + 1

    def frame_of(self, row: int) -> int:
        return self.start_frame + row * self.frame_step

    def wants_picture(self, row: int) -> bool:
        """In `sampled` mode at most 100, spread evenly, the first and the last among them."""
        if self.visualize == "none":
            return False
        if self.visualize == "all" or self.total <= _SAMPLED_PICTURES:
            return True
        spacing = (self.total - 1) / (_SAMPLED_PICTURES - 1)
        return round(round(row / spacing) * spacing) == row


@dataclass
class Usage:
    """What a job consumed."""

    wall_seconds: float = 0.0
    #: Of the worker, and its share of the network's.
    cpu_seconds: float = 0.0
    #: Seconds in which a GPU worked, its share where it worked for several jobs at once.
    gpu_seconds: float = 0.0
    #: Wall seconds by stage: decode, observe (summed over threads), decide, archive.
    stages: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Energy:
    """Watt-hours; None for parts that nobody knows."""

    method: Literal["measured", "estimated"]
    cpu_wh: float | None
    gpu_wh: float | None
    memory_wh: float | None
    #: What the figures come from, in words.
    source: str

    @property
    def total_wh(self) -> float:
        return sum(part for part in (self.cpu_wh, self.gpu_wh, self.memory_wh) if part is not None)


@dataclass
class JobResult:
    goal_keypoints: int
    #: Where the network ran; `cpu` for a policy without one.
    device: str
    model: ModelIdentity | None
    frames: list[FrameResult]
    usage: Usage
    energy: Energy
    message: str
    warnings: list[str]

    def frame_errors(self, parameters: JobParameters) -> list[dict[str, Any]]:
        return [
            {"frame": parameters.frame_of(row), "code": result.problem, "message": PROBLEM_MESSAGES[result.problem]}
            for row, result in enumerate(self.frames)
            if result.problem is not None
        ]
