"""Where a camera comes to that follows the velocities of a job.

The velocity of a row holds from its frame to the next processed one, so the path is a chain of screw motions:
pose ← pose · exp(velocity · duration), with the exponential map of SE(3) in closed form (Murray, Li & Sastry, "A Mathematical
Introduction to Robotic Manipulation", 1994, 2.3).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ..servo.types import Floats

#: Taken where neither the video nor the caller says how fast frames follow each other.
ASSUMED_FRAME_RATE = 30.0


@dataclass(frozen=True)
class PathPoint:
    seconds: float
    #: Metres, in the frame of reference of the first frame; [3].
    position: Floats
    #: Rotation vector, radians; [3].
    rotation: Floats
    #: Metres travelled so far.
    path_length: float


def camera_path(velocities: Sequence[Sequence[float]], frames_between: int, frame_rate: float) -> Iterator[PathPoint]:
    """
    Args:
        velocities: rows of [vx, vy, vz, wx, wy, wz], m/s and rad/s, in the frame of the camera itself
        frames_between: frames from one row to the next
        frame_rate: frames per second, above zero
    """
    duration = frames_between / frame_rate
    position, rotation, length = np.zeros(3), np.eye(3), 0.0
    for row, velocity in enumerate(velocities):
        yield PathPoint(row * duration, position, cv2.Rodrigues(rotation)[0][:, 0], length)
        moved, turned = _exponential(np.asarray(velocity, np.float64) * duration)
        position = position + rotation @ moved
        rotation = _orthonormal(rotation @ turned)
        length += duration * float(np.linalg.norm(velocity[:3]))


def _exponential(twist: Floats) -> tuple[Floats, Floats]:
    """Translation and rotation matrix of a screw."""
    along, turn = twist[:3], twist[3:]
    angle = float(np.linalg.norm(turn))
    # (1 − cos θ) / θ² and (θ − sin θ) / θ³ lose their digits near zero, where their series need two terms only.
    small = angle < 1e-2
    first = 0.5 - angle**2 / 24 if small else (1 - np.cos(angle)) / angle**2
    second = 1 / 6 - angle**2 / 120 if small else (angle - np.sin(angle)) / angle**3
    across = np.cross(turn, along)
    return along + first * across + second * np.cross(turn, across), cv2.Rodrigues(turn)[0]


def _orthonormal(matrix: Floats) -> Floats:
    """Rounding would let it drift over a million frames."""
    u, _, v = np.linalg.svd(matrix)
    return u @ v
