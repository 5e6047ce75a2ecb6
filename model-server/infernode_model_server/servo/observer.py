"""Finds the goal's keypoints again in frames. One frame knows nothing of another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from ..errors import UnusableInputError
from .agreement import MINIMUM_POINTS, agree
from .detector import DetectorPart, FeatureDetector, Features, turn_back, turn_picture
from .matching import match
from .types import Floats, Gray, Indices, Intrinsics, Observation, Pairs

#: A frame whose grey levels differ by no more than compression noise does shows nothing.
_BLANK_RANGE = 2
#: Keypoints of two turns of the same picture that lie this near to each other, in pixels, are one.
_SAME_PLACE_PX = 0.5


@dataclass(frozen=True)
class GoalTurn:
    """The goal frame as one detector sees it when it is turned; positions in the frame as it is."""

    features: Features
    #: For each of the features, which of the goal's keypoints it is.
    goal_index: Indices


@dataclass(frozen=True)
class Goal:
    """What is looked for in other frames."""

    #: All keypoints, part by part in the order written, those that several turns of a part show once; [N, 2] pixels.
    keypoints: Floats
    #: For each part of the detector its turns.
    parts: tuple[tuple[GoalTurn, ...], ...]


class Observer:
    """Not for several threads at once: detectors keep their working memory."""

    def __init__(self, parts: tuple[DetectorPart, ...]) -> None:
        self._parts = parts
        self._detectors = [FeatureDetector(part.name) for part in parts]

    def find_goal(self, frame: Gray) -> Goal:
        """
        Raises:
            UnusableInputError: the frame is blank or has fewer than 4 keypoints
        """
        if _is_blank(frame):
            raise UnusableInputError("The goal frame is blank: it shows no texture to find keypoints on.")
        keypoints = np.zeros((0, 2))
        parts = []
        for part, detector in zip(self._parts, self._detectors, strict=True):
            first_of_part = len(keypoints)
            turns = []
            for turn in part.turns:
                turned = detector.detect(turn_picture(frame, turn))
                points = turn_back(turned.points, turn, (frame.shape[0], frame.shape[1]))
                goal_index, keypoints = _merged(keypoints, first_of_part, points)
                turns.append(GoalTurn(Features(points, turned.descriptors), goal_index))
            parts.append(tuple(turns))
        if len(keypoints) < MINIMUM_POINTS:
            names = " and ".join(part.name for part in self._parts)
            raise UnusableInputError(
                f"{names} found {len(keypoints)} keypoints in the goal frame of {frame.shape[1]}x{frame.shape[0]} pixels; "
                f"at least {MINIMUM_POINTS} are needed. Choose a frame with more texture, or another detector: in small "
                "pictures SIFT finds most."
            )
        return Goal(keypoints, tuple(parts))

    def observe(self, goal: Goal, frame: Gray, intrinsics: Intrinsics) -> Observation:
        """The frame's size may differ from the goal's; the goal comes from an observer with the same detector."""
        if _is_blank(frame):
            return Observation(0, problem="blank-frame")
        features = [detector.detect(frame) for detector in self._detectors]
        keypoints = sum(map(len, features))
        if keypoints < MINIMUM_POINTS:
            return Observation(keypoints, problem="too-few-keypoints")
        found = [_best_turn(turns, current) for turns, current in zip(goal.parts, features, strict=True)]
        goal_index = np.concatenate([indices for indices, _, _ in found])
        order = np.argsort(goal_index, kind="stable")
        matches = Pairs(
            np.concatenate([there for _, there, _ in found])[order],
            np.concatenate([here for _, _, here in found])[order],
        )
        agreement = agree(matches, goal.keypoints, (frame.shape[0], frame.shape[1]), intrinsics)
        return Observation(
            keypoints,
            matches=matches,
            goal_index=goal_index[order],
            inliers=agreement.inliers,
            solved_from=agreement.solved_from,
            problem=agreement.problem,
        )


def _best_turn(turns: tuple[GoalTurn, ...], current: Features) -> tuple[Indices, Floats, Floats]:
    """The turn that most keypoints are found again in; the others show the same keypoints, less like they are here."""
    matched = [(turn, *match(turn.features, current)) for turn in turns]
    turn, goal, here = max(matched, key=lambda candidate: len(candidate[1]))
    return turn.goal_index[goal], turn.features.points[goal], current.points[here]


def _merged(keypoints: Floats, first_of_part: int, points: Floats) -> tuple[Indices, Floats]:
    """Which of the goal's keypoints each point of a turn is, and the keypoints with the new ones; no index twice."""
    indices = np.full(len(points), -1, np.int64)
    earlier = keypoints[first_of_part:]
    if len(earlier) > 0 and len(points) > 0:
        candidates = cKDTree(earlier).query_ball_point(points, _SAME_PLACE_PX)
        taken: set[int] = set()
        for i, near in enumerate(candidates):
            free = [known for known in near if known not in taken]
            if free:
                known = free[int(np.argmin(np.linalg.norm(earlier[free] - points[i], axis=1)))]
                taken.add(known)
                indices[i] = known + first_of_part
    fresh = np.nonzero(indices < 0)[0]
    indices[fresh] = len(keypoints) + np.arange(len(fresh))
    return indices, np.concatenate([keypoints, points[fresh]])


def _is_blank(frame: Gray) -> bool:
    return int(frame.max()) - int(frame.min()) <= _BLANK_RANGE
