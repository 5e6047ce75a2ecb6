"""The fields of a job, from the form's texts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from ..report.result import JobParameters
from ..servo.detector import DETECTOR_NAMES, parse_detector
from ..servo.types import Intrinsics, Policy
from .problems import Problem

#: Names of the two files.
GOAL_VIDEO, CURRENT_VIDEO = "goal_video", "current_video"
FILES = (GOAL_VIDEO, CURRENT_VIDEO)
REQUIRED = ("jobId", "device", "detector", "goal_frame_idx", "frame_step", "start_frame", "end_frame")
#: What the platform calls what this server runs.
MODEL_NAME = "cns"

#: Rows of one job. Each one is kept, frame or no frame: a wrong end frame must not cost all memory there is.
MOST_FRAMES = 500_000

_FrameNumber = Annotated[int, Field(ge=0, le=2**31 - 1)]


def _from_json(text: object) -> object:
    if not isinstance(text, str):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        # The latter is how the reader gives up on thousands of brackets.
        raise ValueError("is no JSON") from None


class _Camera(BaseModel):
    model_config = ConfigDict(extra="forbid")

    fx: float = Field(gt=0, allow_inf_nan=False)
    fy: float = Field(gt=0, allow_inf_nan=False)
    cx: float = Field(allow_inf_nan=False)
    cy: float = Field(allow_inf_nan=False)


class AnalyzeFields(BaseModel):
    """What the contract calls the fields. Those that it does not know are left alone."""

    jobId: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:~-]{0,127}$")  # noqa: N815
    device: str = Field(pattern=r"^(cpu|cuda(:\d{1,3})?)$")
    detector: str = Field(max_length=64)
    goal_frame_idx: _FrameNumber
    frame_step: int = Field(ge=1, le=2**31 - 1)
    start_frame: _FrameNumber
    end_frame: _FrameNumber
    policy: Literal["ibvs", "cns"] | None = None
    intrinsics: Annotated[_Camera | None, BeforeValidator(_from_json)] = None
    distance: float = Field(1.0, gt=0, le=1e6, allow_inf_nan=False)
    visualize: Literal["none", "sampled", "all"] = "none"
    frame_rate: float | None = Field(None, gt=0, le=1e6, allow_inf_nan=False)
    model: Literal["cns"] = "cns"
    parameters: Annotated[dict[str, Any], BeforeValidator(_from_json)] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _belongs_together(self) -> AnalyzeFields:
        if self.end_frame < self.start_frame:
            raise ValueError("end_frame: lies before start_frame")
        if (self.end_frame - self.start_frame) // self.frame_step >= MOST_FRAMES:
            raise ValueError(f"end_frame: makes more than the {MOST_FRAMES} frames that a job may have")
        if parse_detector(self.detector) is None:
            names = ", ".join(DETECTOR_NAMES)
            raise ValueError(f"detector: is none of {names}, nor made of them as in AKAZE:02+ORB:13")
        if self.parameters:
            raise ValueError(f"parameters: the model {MODEL_NAME} takes none")
        return self

    def to_parameters(self, default_policy: Policy) -> JobParameters:
        """
        Args:
            default_policy: for those who leave it to the server
        """
        camera = self.intrinsics
        return JobParameters(
            detector=self.detector,
            goal_frame=self.goal_frame_idx,
            start_frame=self.start_frame,
            end_frame=self.end_frame,
            frame_step=self.frame_step,
            policy=self.policy or default_policy,
            device=self.device,
            intrinsics=Intrinsics() if camera is None else Intrinsics(camera.fx, camera.fy, camera.cx, camera.cy),
            distance=self.distance,
            visualize=self.visualize,
            frame_rate=self.frame_rate,
        )


def parse_fields(texts: Mapping[str, str]) -> AnalyzeFields:
    """
    Raises:
        Problem: 422, naming the fields
    """
    try:
        # An empty optional field is one that was left out, as forms send them.
        given = {name: text for name, text in texts.items() if text != "" or name in REQUIRED}
        return AnalyzeFields.model_validate(given)
    except ValidationError as error:
        errors = [_in_words(entry["loc"], entry["msg"]) for entry in error.errors(include_url=False)]
        summary = "; ".join(f"{path}: {message}" for path, message in errors)
        raise Problem("unusable-input", f"The fields cannot be used: {summary}.", errors=errors) from None


def _in_words(place: tuple[int | str, ...], message: str) -> tuple[str, str]:
    message = message.removeprefix("Value error, ")
    if place:
        return ".".join(map(str, place)), message
    path, _, words = message.partition(": ")
    return path, words
