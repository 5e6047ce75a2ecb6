"""Image-based visual servoing."""

from __future__ import annotations

import numpy as np

from .types import Floats, Intrinsics, Pairs

#: Extent of the mean of both views, as a share of theirs, below which it is noise: cos(angle / 2) for a roll, 178.9
#: degrees. Upside down the mean interaction matrix does not tell roll and approach from rest.
_LEAST_MEAN_SHARE = 0.01
#: A direction that the points determine less than this, against the best one, is not determined.
_SINGULAR_SHARE = 1e-11
_FEWEST_POINTS = 3


def ibvs_velocity(pairs: Pairs, intrinsics: Intrinsics, depth: float) -> Floats | None:
    """v = pinv((L(current) + L(goal)) / 2) (goal - current), gain 1, every point at the same depth.

    Chaumette & Hutchinson, "Visual servo control, part I", IEEE RAM 2006.

    Args:
        pairs: pixels
        depth: metres, for every point and both views

    Returns:
        [vx, vy, vz, wx, wy, wz] in m/s and rad/s, the motion of the current camera in its own frame; None when the points
        do not determine it (fewer than three, collinear, coinciding, upside down)
    """
    if len(pairs) < _FEWEST_POINTS:
        return None
    goal, current = intrinsics.to_rays(pairs.goal), intrinsics.to_rays(pairs.current)
    mean = (goal + current) / 2
    if _scatter(mean) < _LEAST_MEAN_SHARE**2 * max(_scatter(goal), _scatter(current)):
        return None
    # The translation columns hold 1 / depth: solving for velocity / depth keeps all columns of similar size.
    rows = ((_interaction(goal) + _interaction(current)) / 2).reshape(-1, 6)
    matrix = rows.T @ rows
    scale = 1 / np.sqrt(np.maximum(np.diag(matrix), 1e-300))
    scaled = matrix * scale * scale[:, None]
    values = np.linalg.eigvalsh(scaled)
    if not values[0] > _SINGULAR_SHARE * values[-1]:
        return None
    velocity = np.linalg.solve(scaled, scale * (rows.T @ (goal - current).reshape(-1))) * scale
    velocity[:3] *= depth
    return velocity if np.all(np.isfinite(velocity)) else None


def _interaction(rays: Floats) -> Floats:
    """[N, 2, 6] for points at depth 1."""
    x, y = rays[:, 0], rays[:, 1]
    zero, one = np.zeros_like(x), np.ones_like(x)
    horizontal = np.stack([-one, zero, x, x * y, -(1 + x * x), y], axis=1)
    vertical = np.stack([zero, -one, y, 1 + y * y, -x * y, -x], axis=1)
    return np.stack([horizontal, vertical], axis=1)


def _scatter(points: Floats) -> float:
    """Sum of the squared distances from the centre."""
    return float(np.sum((points - points.mean(axis=0)) ** 2))
