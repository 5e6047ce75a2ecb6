"""The homography that most pairs agree with."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .statistics import robust_sigma, tukey_weights
from .types import Floats, Mask, Pairs

_SAMPLE_SIZE = 4
_MAXIMUM_SAMPLES = 3000
_CONFIDENCE = 0.9999
_REFINEMENTS = 10
#: Further rounds of the refinement that move no weight by more than this change nothing that matters.
_SETTLED = 1e-4


@dataclass(frozen=True)
class HomographyFit:
    #: [3, 3], goal pixels to current pixels; points in front of the camera get a positive depth.
    matrix: Floats
    #: Transfer error within the threshold; [N].
    inliers: Mask
    #: Between 0 and 1: how much each pair is to be trusted, by its error against that of the others; [N].
    weights: Floats
    #: Standard deviation of one coordinate of the inliers' transfer errors, pixels.
    sigma: float

    @property
    def inlier_count(self) -> int:
        return int(np.count_nonzero(self.inliers))


def fit_homography(pairs: Pairs, threshold: float) -> HomographyFit | None:
    """RANSAC, then iteratively reweighted least squares on the transfer error. Seeded: same input, same result.

    Args:
        threshold: pixels of transfer error (goal to current) up to which a pair is an inlier

    Returns:
        None when no four pairs span a homography that a camera could see
    """
    if len(pairs) < _SAMPLE_SIZE:
        return None
    matrix, _ = cv2.findHomography(
        pairs.goal, pairs.current, cv2.RANSAC, threshold, maxIters=_MAXIMUM_SAMPLES, confidence=_CONFIDENCE
    )
    if matrix is None or not np.all(np.isfinite(matrix)):
        return None
    fit = _assess(pairs, _facing_forward(np.asarray(matrix, np.float64), pairs.goal), threshold)
    return _refine(pairs, fit, threshold) if fit.inlier_count >= _SAMPLE_SIZE else None


def squared_transfer_errors(matrix: Floats, pairs: Pairs) -> Floats:
    """Squared pixels between current points and where the homography puts their goal points; inf behind the camera."""
    mapped, depth = apply_homography(matrix, pairs.goal)
    squares = np.sum((mapped - pairs.current) ** 2, axis=1)
    return np.where(depth > 0, squares, np.inf)


def apply_homography(matrix: Floats, points: Floats) -> tuple[Floats, Floats]:
    """Where points [N, 2] go, and their depths [N], in units that are positive before the camera."""
    x, y, depth = matrix @ np.vstack([points.T, np.ones(len(points))])
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.stack([x / depth, y / depth], axis=1), depth


def _facing_forward(matrix: Floats, goal: Floats) -> Floats:
    """A homography is one up to its sign; most points are before the camera."""
    _, depth = apply_homography(matrix, goal)
    return matrix if np.count_nonzero(depth > 0) * 2 >= len(depth) else -matrix


def _refine(pairs: Pairs, fit: HomographyFit, threshold: float) -> HomographyFit:
    for _ in range(_REFINEMENTS):
        _, depth = apply_homography(fit.matrix, pairs.goal)
        # Divided by the squared depth, the algebraic error that least squares minimises becomes the transfer error.
        matrix = _solve_weighted(pairs, np.where(fit.weights > 0, fit.weights / depth**2, 0))
        if matrix is None:
            return fit
        matrix = _facing_forward(matrix, pairs.goal)
        following = _assess(pairs, matrix, threshold)
        if following.inlier_count < fit.inlier_count * 0.9:
            return fit
        settled = bool(np.all(np.abs(following.weights - fit.weights) < _SETTLED))
        fit = following
        if settled:
            break
    return fit


def _assess(pairs: Pairs, matrix: Floats, threshold: float) -> HomographyFit:
    squares = squared_transfer_errors(matrix, pairs)
    inliers = squares <= threshold**2
    sigma = robust_sigma(np.sqrt(squares[inliers]), 2)
    return HomographyFit(matrix, inliers, np.where(inliers, tukey_weights(squares, sigma), 0), sigma)


def _solve_weighted(pairs: Pairs, weights: Floats) -> Floats | None:
    """Weighted direct linear transformation in centred and scaled coordinates; None when undetermined."""
    used = weights > 0
    if np.count_nonzero(used) < _SAMPLE_SIZE:
        return None
    goal, to_goal = _normalised(pairs.goal[used])
    current, to_current = _normalised(pairs.current[used])
    root = np.sqrt(weights[used] / weights[used].max())[:, None]
    x, y = goal[:, :1], goal[:, 1:]
    ones, zeros = np.ones_like(x), np.zeros_like(x)
    u, v = current[:, :1], current[:, 1:]
    rows = np.vstack(
        [
            root * np.hstack([x, y, ones, zeros, zeros, zeros, -u * x, -u * y, -u]),
            root * np.hstack([zeros, zeros, zeros, x, y, ones, -v * x, -v * y, -v]),
        ]
    )
    values, vectors = np.linalg.eigh(rows.T @ rows)
    if not values[1] > 1e-11 * values[-1]:
        return None
    matrix = np.linalg.inv(to_current) @ vectors[:, 0].reshape(3, 3) @ to_goal
    return matrix if np.all(np.isfinite(matrix)) else None


def _normalised(points: Floats) -> tuple[Floats, Floats]:
    """Centred points at a mean distance of sqrt(2) (Hartley 1997), and the matrix that makes them so."""
    centre = points.mean(axis=0)
    scale = np.sqrt(2) / max(float(np.mean(np.linalg.norm(points - centre, axis=1))), 1e-9)
    matrix = np.array([[scale, 0, -scale * centre[0]], [0, scale, -scale * centre[1]], [0, 0, 1]])
    return (points - centre) * scale, matrix
