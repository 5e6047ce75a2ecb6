"""Exact nearest-neighbour matching of descriptors."""

from __future__ import annotations

import cv2
import numpy as np

from .detector import Features
from .types import Indices

#: A nearest neighbour counts only when the second nearest is this much farther (Lowe 2004, section 7.1).
DISTANCE_RATIO = 0.8
#: Rows of the distance matrix that are in memory at a time.
_ROWS = 1024


def match(goal: Features, current: Features) -> tuple[Indices, Indices]:
    """Pairs of keypoints that are each other's nearest, where the current one's second nearest is clearly farther.

    Where there is no second nearest, nothing can be told, and nothing matches.

    Returns:
        indices of goal keypoints, ascending, none twice; indices of the current keypoints they match, none twice
    """
    if len(goal) < 2 or len(current) == 0:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    if goal.descriptors.dtype == np.uint8:
        nearest, first, second, back = _hamming(goal.descriptors, current.descriptors)
        ratio = DISTANCE_RATIO
    else:
        nearest, first, second, back = _euclidean(goal.descriptors, current.descriptors)
        ratio = DISTANCE_RATIO**2
    goals = np.arange(len(goal))
    mutual = nearest[back] == goals
    clear = first[back] < ratio * second[back]
    chosen = np.nonzero(mutual & clear)[0]
    return chosen, back[chosen]


_Neighbours = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def _hamming(goal: np.ndarray, current: np.ndarray) -> _Neighbours:
    distances, indices = cv2.batchDistance(current, goal, cv2.CV_32S, normType=cv2.NORM_HAMMING, K=2)
    _, back = cv2.batchDistance(goal, current, cv2.CV_32S, normType=cv2.NORM_HAMMING, K=1)
    return indices[:, 0].astype(np.int64), distances[:, 0], distances[:, 1], back[:, 0].astype(np.int64)


def _euclidean(goal: np.ndarray, current: np.ndarray) -> _Neighbours:
    """Squared distances from one matrix product; exact for SIFT, whose components are whole numbers below 256."""
    goal_squares = np.einsum("ij,ij->i", goal, goal)
    nearest = np.empty(len(current), np.int64)
    first = np.empty(len(current), np.float32)
    second = np.empty(len(current), np.float32)
    back = np.zeros(len(goal), np.int64)
    back_distance = np.full(len(goal), np.inf, np.float32)
    for start in range(0, len(current), _ROWS):
        rows = current[start : start + _ROWS]
        squares = np.einsum("ij,ij->i", rows, rows)
        distances = np.maximum(squares[:, None] + goal_squares[None] - 2 * (rows @ goal.T), 0)
        two = np.argpartition(distances, 1, axis=1)[:, :2]
        values = np.take_along_axis(distances, two, axis=1)
        order = np.argsort(values, axis=1, kind="stable")
        end = start + len(rows)
        nearest[start:end] = np.take_along_axis(two, order, axis=1)[:, 0]
        first[start:end], second[start:end] = np.take_along_axis(values, order, axis=1).T
        candidates = np.argmin(distances, axis=0)
        candidate_distance = distances[candidates, np.arange(len(goal))]
        nearer = candidate_distance < back_distance
        back[nearer] = candidates[nearer] + start
        back_distance[nearer] = candidate_distance[nearer]
    return nearest, first, second, back
