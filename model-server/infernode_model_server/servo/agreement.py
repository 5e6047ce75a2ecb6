"""Which matches one motion of the camera explains, and what the velocity is solved from.

With one depth for all points, the velocity depends on where in the image the points lie: on a tilted plane, on a box before
a wall. Which keypoints get matched varies from frame to frame and from surface to surface; which ones are in view hardly
does. So the velocity is solved from every goal keypoint that the frame must show, each once, at the place where the
agreeing pairs put it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot, pi

import numpy as np

from .homography import HomographyFit, apply_homography, fit_homography, squared_transfer_errors
from .relief import Relief, find_relief, nearest
from .statistics import (
    MAXIMUM_LOG_FALSE_ALARMS,
    ModelChance,
    count_places,
    log_accidents,
    log_false_alarms,
    spread,
)
from .types import NO_PAIRS, Floats, FrameProblem, Intrinsics, Mask, Pairs

#: Fewest matches that can determine a velocity.
MINIMUM_POINTS = 4
_INLIER_THRESHOLD_PX = 3.0
#: Points whose narrow extent is below the inlier threshold lie on a line as far as one can tell.
_MINIMUM_SPREAD_PX = 3.0
#: Fewer matches than this cannot show that a scene is no plane.
_MINIMUM_RELIEF = 12
#: Misfits within this share of the frame's width come from depth more often than from wrong matches.
_NEAR_MISS_SHARE = 0.1
#: Samples of five pairs; enough for 40 % of agreeing pairs.
_RELIEF_SAMPLES = 500
#: A large plane suggests itself; the search for what stands out from it needs fewer.
_FEW_RELIEF_SAMPLES = 100
#: Measured pairs that the depth of a keypoint is taken from.
_DEPTH_NEIGHBOURS = 5
#: Pixels within which a measured pair is the keypoint itself.
_SAME_KEYPOINT_PX = 0.1


@dataclass(frozen=True)
class Agreement:
    inliers: Mask
    solved_from: Pairs
    problem: FrameProblem | None


def agree(pairs: Pairs, goal: Floats, shape: tuple[int, int], intrinsics: Intrinsics) -> Agreement:
    """Separates matches that one motion of the camera explains from those it does not.

    A plane explains most scenes and is tried first; where its misfits look like depth, the essential matrix decides.

    Args:
        goal: all keypoints of the goal frame [N, 2], matched or not
        shape: [height, width] of the current frame
    """
    none = np.zeros(len(pairs), np.bool_)
    if len(pairs) < MINIMUM_POINTS:
        return Agreement(none, NO_PAIRS, "too-few-matches")
    if _is_narrow(pairs):
        return Agreement(none, NO_PAIRS, "degenerate-geometry")
    plane = fit_homography(pairs, _INLIER_THRESHOLD_PX)
    is_plane_evident = plane is not None and _is_plane_evidence(pairs, plane.inliers, shape)
    relief = _relief_of(pairs, plane if is_plane_evident else None, shape, intrinsics)
    if relief is not None:
        if _is_narrow(pairs.chosen(relief.inliers)):
            return Agreement(relief.inliers, NO_PAIRS, "degenerate-geometry")
        return Agreement(relief.inliers, _goal_on_relief(pairs, relief, goal, shape, intrinsics), None)
    if plane is None:
        return Agreement(none, NO_PAIRS, "too-few-inliers")
    if not is_plane_evident:
        return Agreement(plane.inliers, NO_PAIRS, "too-few-inliers")
    if _is_narrow(pairs.chosen(plane.inliers)):
        return Agreement(plane.inliers, NO_PAIRS, "degenerate-geometry")
    return Agreement(plane.inliers, _goal_on_plane(plane.matrix, goal, shape), None)


def _relief_of(
    pairs: Pairs, plane: HomographyFit | None, shape: tuple[int, int], intrinsics: Intrinsics
) -> Relief | None:
    """The scene as a relief, where that is more than an accident; None where a plane is as good an explanation."""
    if len(pairs) < _MINIMUM_RELIEF:
        return None
    samples = _RELIEF_SAMPLES if plane is None or _has_near_misses(pairs, plane, shape) else _FEW_RELIEF_SAMPLES
    relief = find_relief(pairs, plane, intrinsics, _INLIER_THRESHOLD_PX, samples)
    if relief is None:
        return None
    height, width = shape
    chance = min(2 * _INLIER_THRESHOLD_PX * hypot(width, height) / (width * height), 1.0)
    if not _is_evidence(pairs, relief.inliers, ModelChance(5, 10, chance)):
        return None
    return relief if plane is None or relief.inlier_count > plane.inlier_count * 0.9 else None


def _has_near_misses(pairs: Pairs, plane: HomographyFit, shape: tuple[int, int]) -> bool:
    """Whether more pairs miss the plane by a little than wrong matches would."""
    height, width = shape
    squares = squared_transfer_errors(plane.matrix, pairs)
    reach = _NEAR_MISS_SHARE * width
    misses = squares > (2 * _INLIER_THRESHOLD_PX) ** 2
    near = int(np.count_nonzero(misses & (squares <= reach**2)))
    chance = min(pi * reach**2 / (width * height), 1.0)
    return log_accidents(near, int(np.count_nonzero(misses)), chance) < MAXIMUM_LOG_FALSE_ALARMS


def _is_narrow(pairs: Pairs) -> bool:
    """Whether the points lie on a line, or in one place, in either frame."""
    return min(spread(pairs.goal), spread(pairs.current)) < _MINIMUM_SPREAD_PX


def _is_plane_evidence(pairs: Pairs, inliers: Mask, shape: tuple[int, int]) -> bool:
    chance = min(pi * _INLIER_THRESHOLD_PX**2 / (shape[0] * shape[1]), 1.0)
    return _is_evidence(pairs, inliers, ModelChance(4, 1, chance))


def _is_evidence(pairs: Pairs, inliers: Mask, model: ModelChance) -> bool:
    """Whether the inliers agree more than wrong matches would by accident."""
    places = count_places(pairs, inliers)
    return log_false_alarms(places, len(pairs), model) < MAXIMUM_LOG_FALSE_ALARMS


def _goal_on_plane(matrix: Floats, goal: Floats, shape: tuple[int, int]) -> Pairs:
    """Every goal keypoint that the current frame must show if the scene is a plane."""
    mapped, depth = apply_homography(matrix, goal)
    return _in_view(goal, mapped, depth > 0, shape)


def _goal_on_relief(
    measured: Pairs, relief: Relief, goal: Floats, shape: tuple[int, int], intrinsics: Intrinsics
) -> Pairs:
    """Every goal keypoint that the current frame must show of a scene of any shape.

    Where it was measured, or where it has to be at the middle depth of its neighbours: the mean would put keypoints beside
    an edge into the air.
    """
    members = np.nonzero(relief.inliers)[0]
    wanted = min(_DEPTH_NEIGHBOURS, len(members))
    distances, neighbours = nearest(measured.goal[members], goal, wanted)
    depths = np.sort(relief.inverse_depth[members][neighbours], axis=1)[:, wanted // 2]
    rays = np.column_stack([intrinsics.to_rays(goal), np.ones(len(goal))])
    seen = rays @ relief.pose.rotation.T + depths[:, None] * relief.pose.translation
    with np.errstate(divide="ignore", invalid="ignore"):
        predicted = seen[:, :2] / seen[:, 2:] * (intrinsics.fx, intrinsics.fy) + (intrinsics.cx, intrinsics.cy)
    itself = distances[:, 0] < _SAME_KEYPOINT_PX
    placed = np.where(itself[:, None], measured.current[members][neighbours[:, 0]], predicted)
    return _in_view(goal, placed, itself | (seen[:, 2] > 0), shape)


def _in_view(goal: Floats, current: Floats, before_camera: Mask, shape: tuple[int, int]) -> Pairs:
    height, width = shape
    with np.errstate(invalid="ignore"):
        inside = np.all((current >= -0.5) & (current <= (width - 0.5, height - 0.5)), axis=1)
    return Pairs(goal, current).chosen(before_camera & inside)
