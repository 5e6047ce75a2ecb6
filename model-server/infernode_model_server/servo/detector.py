"""What finds keypoints, as a user writes it.

Names joined by `+`, the keypoints of all of them together. A name may be followed by `:` and the quarter turns of the
goal frame that are matched too: `AKAZE:02+ORB:13` looks for AKAZE keypoints of the goal as it is and upside down, and for
ORB keypoints of the goal turned to either side.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import cv2
import numpy as np

from .types import Floats, Gray

DETECTOR_NAMES = ("SIFT", "ORB", "AKAZE", "KAZE", "BRISK")
#: Matching is quadratic: beyond this many the strongest are kept.
MAXIMUM_KEYPOINTS = 12_000
#: Largest picture keypoints are searched on: 4096 x 2304, for which most detectors need about a gigabyte.
MAXIMUM_PIXELS = 4096 * 2304

_MAXIMUM_PARTS = 4
_PART = re.compile(r"([A-Z]+)(?::([0-3]{1,4}))?")


@dataclass(frozen=True)
class DetectorPart:
    name: str
    #: Quarter turns of the goal frame, clockwise; at least one, each once, in the order written.
    turns: tuple[int, ...]


def parse_detector(text: str) -> tuple[DetectorPart, ...] | None:
    """The parts in the order written, each name once; None when the text is no detector."""
    # One more than there may be, so that a text of any length costs the same.
    texts = text.split("+", _MAXIMUM_PARTS)
    parts = [_parse_part(written) for written in texts]
    if len(parts) > _MAXIMUM_PARTS or any(part is None for part in parts):
        return None
    known = tuple(part for part in parts if part is not None)
    return known if len({part.name for part in known}) == len(known) else None


def _parse_part(text: str) -> DetectorPart | None:
    found = _PART.fullmatch(text)
    if found is None or found[1] not in DETECTOR_NAMES:
        return None
    turns = tuple(int(digit) for digit in found[2] or "0")
    return DetectorPart(found[1], turns) if len(set(turns)) == len(turns) else None


@dataclass(frozen=True)
class Features:
    """Keypoints of a picture with their descriptors."""

    #: [N, 2] pixels of the frame; pixel centres are integers.
    points: Floats
    #: [N, length]; uint8 is compared bit by bit (Hamming), float32 by Euclidean distance.
    descriptors: np.ndarray

    def __len__(self) -> int:
        return len(self.points)


class FeatureDetector:
    """One of OpenCV's detectors with the default parameters of its `create()`. Deterministic."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._detector = getattr(cv2, f"{name}_create")()

    def detect(self, frame: Gray) -> Features:
        """At most MAXIMUM_KEYPOINTS. Larger frames are searched on a copy shrunk by a whole factor."""
        picture, factor = _working_picture(frame)
        keypoints, descriptors = self._detector.detectAndCompute(picture, None)
        if descriptors is None or len(keypoints) == 0:
            return Features(np.zeros((0, 2)), np.zeros((0, 1), np.uint8))
        kept = _strongest(np.array([keypoint.response for keypoint in keypoints]))
        points = np.array([keypoints[i].pt for i in kept], np.float64)
        # Pixel centres are integers: the first small pixel lies in the middle of the first factor x factor block.
        return Features((points + 0.5) * factor - 0.5, descriptors[kept])


def _working_picture(frame: Gray) -> tuple[Gray, int]:
    height, width = frame.shape
    if width * height <= MAXIMUM_PIXELS:
        return frame, 1
    factor = int(np.ceil(np.sqrt(width * height / MAXIMUM_PIXELS)))
    small = (width // factor, height // factor)
    whole_blocks = frame[: small[1] * factor, : small[0] * factor]
    return cv2.resize(whole_blocks, small, interpolation=cv2.INTER_AREA).astype(np.uint8), factor


def _strongest(responses: Floats) -> np.ndarray:
    """Indices of the strongest, in their original order; of those alike, the first."""
    if len(responses) <= MAXIMUM_KEYPOINTS:
        return np.arange(len(responses))
    return np.sort(np.argsort(-responses, kind="stable")[:MAXIMUM_KEYPOINTS])


def turn_picture(frame: Gray, turn: int) -> Gray:
    """The picture turned clockwise by so many quarters."""
    return np.ascontiguousarray(np.rot90(frame, -turn))


def turn_back(points: Floats, turn: int, shape: tuple[int, int]) -> Floats:
    """Positions in the turned picture as positions in the picture itself, whose [height, width] is given."""
    height, width = shape
    x, y = points[:, 0], points[:, 1]
    if turn == 1:
        return np.stack([y, height - 1 - x], axis=1)
    if turn == 2:
        return np.stack([width - 1 - x, height - 1 - y], axis=1)
    if turn == 3:
        return np.stack([width - 1 - y, x], axis=1)
    return points
