"""Pictures of correspondences: the goal frame beside a current frame, with what was found again."""

from __future__ import annotations

import cv2
import numpy as np

from ..servo.types import FrameResult, Gray, Observation
from .result import PROBLEM_MESSAGES

#: Each of the two views fits into this, pixels.
_LARGEST_VIEW = (960, 720)
_GAP = 8
_CAPTION = 52
_LINES = 150
_JPEG_QUALITY = 85
#: Blue, green, red.
_INLIER = (80, 170, 40)
_OUTLIER = (60, 60, 220)
_TEXT = (30, 30, 30)


def correspondence_picture(
    goal: Gray, goal_frame: int, current: Gray, frame: int, seen: Observation, result: FrameResult
) -> bytes:
    """A JPEG."""
    (goal_view, goal_scale), (current_view, current_scale) = _view(goal), _view(current)
    left = goal_view.shape[1] + _GAP
    height = max(goal_view.shape[0], current_view.shape[0])
    picture = np.full((height + _CAPTION, left + current_view.shape[1], 3), 255, np.uint8)
    picture[_CAPTION : _CAPTION + goal_view.shape[0], : goal_view.shape[1]] = goal_view[..., None]
    picture[_CAPTION : _CAPTION + current_view.shape[0], left:] = current_view[..., None]
    for mask, color in ((~seen.inliers, _OUTLIER), (seen.inliers, _INLIER)):
        pairs = seen.matches.chosen(mask)
        # Pixel centres are integers, so a picture's edge lies at -0.5 on every scale.
        there = (pairs.goal + 0.5) * goal_scale - 0.5 + (0, _CAPTION)
        here = (pairs.current + 0.5) * current_scale - 0.5 + (left, _CAPTION)
        for start, end in _even_sample(np.concatenate([there, here], axis=1)).round().astype(int).reshape(-1, 2, 2):
            cv2.line(picture, start.tolist(), end.tolist(), color, 1, cv2.LINE_AA)
        for point in np.concatenate([there, here]).round().astype(int):
            cv2.circle(picture, point.tolist(), 2, color, -1, cv2.LINE_AA)
    counts = f"goal {goal_frame}   frame {frame}   {result.inliers} of {result.matches} matches agree"
    _write(picture, counts, 18)
    _write(picture, _caption(result), 40)
    is_encoded, content = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    if not is_encoded:
        raise RuntimeError("OpenCV could not encode a JPEG")
    return content.tobytes()


def _view(gray: Gray) -> tuple[Gray, float]:
    height, width = gray.shape
    scale = min(1.0, _LARGEST_VIEW[0] / width, _LARGEST_VIEW[1] / height)
    if scale == 1.0:
        return gray, scale
    size = (max(1, int(width * scale)), max(1, int(height * scale)))
    return np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_AREA), np.uint8), scale


def _even_sample(rows: np.ndarray) -> np.ndarray:
    """Few enough lines to see something."""
    return rows if len(rows) <= _LINES else rows[np.arange(_LINES) * len(rows) // _LINES]


def _caption(result: FrameResult) -> str:
    if result.problem is not None:
        return f"no velocity: {PROBLEM_MESSAGES[result.problem]}"
    values = [f"{value:+.4f}" for value in result.velocity]
    return f"v {' '.join(values[:3])} m/s   w {' '.join(values[3:])} rad/s"


def _write(picture: np.ndarray, text: str, baseline: int) -> None:
    # Narrow pictures get smaller letters rather than half a sentence.
    (width, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.5, 1)
    scale = 0.5 * min(1.0, (picture.shape[1] - 16) / width)
    cv2.putText(picture, text, (8, baseline), cv2.FONT_HERSHEY_SIMPLEX, scale, _TEXT, 1, cv2.LINE_AA)
