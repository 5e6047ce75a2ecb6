"""The static scene without the assumption that it is a plane."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from .homography import HomographyFit, squared_transfer_errors
from .relative_pose import PoseFit, Rays, RelativePose, find_pose, inverse_depths, refine_pose
from .statistics import MAXIMUM_LOG_FALSE_ALARMS, PLACE_SIZE_PX, count_places, log_accidents
from .types import Floats, Indices, Intrinsics, Mask, Pairs

#: Neighbours asked whether they confirm a depth, and how many have to.
_NEIGHBOURS = 9
_SUPPORTERS = 2
#: Parallaxes of neighbours may differ by this share: surfaces are seldom parallel to the image.
_PARALLAX_SHARE = 0.1
#: What seems to be nearer to the camera than the middle of the scene by more than this factor moves by itself.
_LARGEST_NEARNESS = 10
#: Misfits beyond this many standard deviations of a plane's inliers ask for an explanation.
_MISFIT_SIGMAS = 3
#: Epipolar errors of true pairs keep within this many standard deviations.
_EPIPOLAR_SIGMAS = 2.5
#: How much nearer to the epipolar lines pairs may come, as a factor, when a pose is refined.
_UNREFINED_LATITUDE = 2.0


@dataclass(frozen=True)
class Relief:
    """A static scene of any shape."""

    #: The pairs that the camera's motion explains, at a depth that neighbours confirm; [N].
    inliers: Mask
    pose: RelativePose
    #: 1 / depth of each pair's point in the goal camera, in units of the way between the cameras; [N].
    inverse_depth: Floats

    @property
    def inlier_count(self) -> int:
        return int(np.count_nonzero(self.inliers))


def find_relief(
    pairs: Pairs, plane: HomographyFit | None, intrinsics: Intrinsics, threshold: float, samples: int
) -> Relief | None:
    """Pairs that the epipolar geometry allows, in front of both cameras, at a depth that neighbours confirm.

    An epipolar line crosses the whole picture, so that it alone would let in one wrong pair in a hundred, anywhere along
    the line; a neighbourhood lets in hardly any.

    Args:
        plane: what the best homography explains; None where there is none
        threshold: pixels of epipolar error up to which a pair may be an inlier
        samples: samples of five pairs to try, at most

    Returns:
        None when the pairs do not determine how the camera moved, and when the plane explains them as well: were it true,
        its misfits would point along the epipolar lines as often by accident
    """
    misfits = None if plane is None else _Misfits(pairs, plane)
    if misfits is not None and misfits.are_few():
        return None
    rays = Rays.of(pairs, intrinsics)
    found = find_pose(rays, threshold, samples, None if plane is None else _of_rays(plane.matrix, intrinsics))
    if found is None or (misfits is not None and not misfits.are_aligned(found, found.inliers, _UNREFINED_LATITUDE)):
        return None
    fit = refine_pose(rays, found, threshold)
    if misfits is not None and not misfits.are_aligned(fit, fit.inliers):
        return None
    inverse, gain = inverse_depths(fit.pose, rays)
    inliers = _confirmed(pairs, fit, inverse, gain, threshold)
    if misfits is not None and not misfits.are_aligned(fit, inliers):
        return None
    return Relief(inliers, fit.pose, inverse)


def _of_rays(homography: Floats, intrinsics: Intrinsics) -> Floats:
    """The homography of pixels as one of rays: inverse(K) H K."""
    camera = np.array([[intrinsics.fx, 0, intrinsics.cx], [0, intrinsics.fy, intrinsics.cy], [0, 0, 1]])
    return np.linalg.inv(camera) @ homography @ camera


def _confirmed(pairs: Pairs, fit: PoseFit, inverse: Floats, gain: Floats, threshold: float) -> Mask:
    with np.errstate(invalid="ignore", divide="ignore"):
        # Points far away may come out behind the camera by as much as noise moves them.
        candidates = fit.inliers & (inverse * gain > -threshold)
        if not candidates.any():
            return candidates
        nearness = np.sort(inverse[candidates])
        middle = max(float(nearness[len(nearness) // 2]), 0.0)
        candidates &= ~(inverse > _LARGEST_NEARNESS * middle + threshold / gain)
    members = np.nonzero(candidates)[0]
    confirmed = np.zeros(len(pairs), np.bool_)
    if len(members) == 0:
        return confirmed
    distances, neighbours = nearest(pairs.goal[members], pairs.goal[members], _NEIGHBOURS)
    tolerance = threshold + _PARALLAX_SHARE * np.abs(inverse[members]) * gain[members]
    deviation = np.abs(inverse[members][neighbours] - inverse[members][:, None]) * gain[members][:, None]
    supports = (distances >= PLACE_SIZE_PX) & np.isfinite(distances) & (deviation <= tolerance[:, None])
    confirmed[members] = supports.sum(axis=1) >= _SUPPORTERS
    return confirmed


def nearest(points: Floats, places: Floats, wanted: int) -> tuple[Floats, Indices]:
    """The nearest of some points [N, 2] to each of some places [M, 2], nearest first.

    Returns:
        distances [M, wanted], inf where there are fewer points; their indices [M, wanted], 0 there
    """
    distances, indices = cKDTree(points).query(places, k=list(range(1, wanted + 1)))
    missing = ~np.isfinite(distances)
    return distances, np.where(missing, 0, indices)


class _Misfits:
    """The pairs that a plane does not explain.

    Were the scene a plane, they would point in any direction; those of a relief lie along the epipolar lines.
    """

    def __init__(self, pairs: Pairs, plane: HomographyFit) -> None:
        errors = np.sqrt(squared_transfer_errors(plane.matrix, pairs))
        self._pairs = pairs
        self._plane = plane
        self._misses = errors > _MISFIT_SIGMAS * plane.sigma
        self._errors = errors[self._misses]

    def are_few(self) -> bool:
        """Whether they would be no evidence even if all of them lay along the epipolar lines."""
        count = len(self._errors)
        if count == 0:
            return True
        chance = self._chance(_EPIPOLAR_SIGMAS * self._plane.sigma)
        return not log_accidents(count, count, chance) < MAXIMUM_LOG_FALSE_ALARMS

    def are_aligned(self, fit: PoseFit, chosen: Mask, latitude: float = 1.0) -> bool:
        """Whether more of them than by accident lie along the epipolar lines.

        Args:
            chosen: the pairs that may be evidence
            latitude: factor by which they may lie farther from the lines than they will when the fit is refined
        """
        tolerance = _EPIPOLAR_SIGMAS * fit.sigma
        along = self._misses & chosen & (fit.errors <= latitude * tolerance)
        aligned = int(np.count_nonzero(along))
        if aligned == 0:
            return False
        places = count_places(self._pairs, along)
        trials = len(self._errors) - (aligned - places)
        return log_accidents(places, trials, self._chance(tolerance)) < MAXIMUM_LOG_FALSE_ALARMS

    def _chance(self, tolerance: float) -> float:
        """Probability that a misfit in any direction comes as near to its epipolar line."""
        return float(np.mean(2 / np.pi * np.arcsin(np.minimum(1, tolerance / self._errors))))
