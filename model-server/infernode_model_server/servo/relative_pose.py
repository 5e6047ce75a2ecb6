"""How the current camera stands to the goal camera, from pairs of rays."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from .statistics import robust_sigma, total_tukey_trust, tukey_weights
from .types import Floats, Intrinsics, Mask, Pairs

_SAMPLE_SIZE = 5
_CONFIDENCE = 0.9999
_UNKNOWNS = 5
_REFINEMENTS = 12
_LOCAL_ROUNDS = 3
#: A plane seen from one place tells nothing of a direction; in units of its distance.
_LEAST_TRANSLATION = 1e-9
#: A step smaller than this, in radians, changes nothing that can be seen.
_SETTLED = 1e-7
#: Tries with half the step when a step made things worse.
_HALVINGS = 4
#: Step of the central differences, radians: half the digits of a double.
_DIFFERENCE = 1e-6


@dataclass(frozen=True)
class Rays:
    """Matched positions on the plane at distance 1 before the camera, [N, 2] each."""

    goal: Floats
    current: Floats
    #: Pixels per unit, x and y.
    pixels: Floats

    @classmethod
    def of(cls, pairs: Pairs, intrinsics: Intrinsics) -> Rays:
        pixels = np.array([intrinsics.fx, intrinsics.fy])
        return cls(intrinsics.to_rays(pairs.goal), intrinsics.to_rays(pairs.current), pixels)

    def __len__(self) -> int:
        return len(self.goal)


@dataclass(frozen=True)
class RelativePose:
    """X_current = rotation · X_goal + λ translation; [3, 3] and [3], the translation of length 1."""

    rotation: Floats
    translation: Floats

    @property
    def essential(self) -> Floats:
        """current' E goal = 0 for rays of one point; [3, 3]."""
        return _cross_matrix(self.translation) @ self.rotation


@dataclass(frozen=True)
class PoseFit:
    pose: RelativePose
    #: Epipolar error within the threshold; [N].
    inliers: Mask
    #: Epipolar error of each pair in pixels: distance from what the pose allows, to first order, in both frames; [N].
    errors: Floats
    #: Standard deviation of the inliers' errors, pixels.
    sigma: float

    @property
    def inlier_count(self) -> int:
        return int(np.count_nonzero(self.inliers))


def find_pose(rays: Rays, threshold: float, samples: int, plane: Floats | None = None) -> PoseFit | None:
    """Pose that most pairs agree with, whatever the shape of the scene.

    The best of RANSAC over samples of five pairs (Nistér 2004) and of what a plane that many pairs obey suggests: near the
    goal, where parallaxes are small, samples of five seldom lie well enough.

    Args:
        threshold: pixels of epipolar error up to which a pair is an inlier
        samples: at most
        plane: homography of the rays, goal to current [3, 3]; None where there is none

    Returns:
        None when no five pairs determine a pose
    """
    if len(rays) < _SAMPLE_SIZE:
        return None
    sampled = _sampled_pose(rays, threshold, samples)
    poses = [pose for pose in (sampled, *_poses_of_plane(plane)) if pose is not None]
    fits = [refine_pose(rays, _assess(rays, pose, threshold), threshold, _LOCAL_ROUNDS) for pose in poses]
    best = min(fits, key=lambda fit: float(np.sum(np.minimum(fit.errors, threshold) ** 2)), default=None)
    return None if best is None else _before_cameras(best, rays)


def _before_cameras(fit: PoseFit, rays: Rays) -> PoseFit:
    """The sense of the translation that puts most inliers before both cameras: epipolar lines do not tell it."""
    pose = fit.pose
    opposite = RelativePose(pose.rotation, -pose.translation)
    with np.errstate(invalid="ignore"):
        here, there = (
            np.count_nonzero(fit.inliers & (inverse_depths(sense, rays)[0] > 0)) for sense in (pose, opposite)
        )
    return fit if here >= there else replace(fit, pose=opposite)


def _poses_of_plane(plane: Floats | None) -> list[RelativePose]:
    if plane is None:
        return []
    _, rotations, translations, _ = cv2.decomposeHomographyMat(plane, np.eye(3))
    return [
        RelativePose(rotation, _unit(translation[:, 0]))
        for rotation, translation in zip(rotations, translations, strict=True)
        if np.all(np.isfinite(rotation)) and np.linalg.norm(translation) > _LEAST_TRANSLATION
    ]


def _sampled_pose(rays: Rays, threshold: float, samples: int) -> RelativePose | None:
    essential, mask = cv2.findEssentialMat(
        rays.goal,
        rays.current,
        np.eye(3),
        method=cv2.RANSAC,
        prob=_CONFIDENCE,
        threshold=threshold / float(rays.pixels.mean()),
        maxIters=samples,
    )
    if essential is None or essential.shape != (3, 3) or mask is None:
        return None
    _, rotation, translation, _ = cv2.recoverPose(essential, rays.goal, rays.current, np.eye(3), mask=mask.copy())
    if not np.all(np.isfinite(rotation)) or not np.all(np.isfinite(translation)):
        return None
    return RelativePose(rotation, translation[:, 0])


def refine_pose(rays: Rays, fit: PoseFit, threshold: float, rounds: int = _REFINEMENTS) -> PoseFit:
    """Iteratively reweighted Gauss-Newton from a pose that is near; no worse than the given one."""
    pose = fit.pose
    for _ in range(rounds):
        signed = signed_epipolar_errors(pose.essential, rays)
        squares = signed**2
        within = squares <= threshold**2
        sigma = robust_sigma(np.abs(signed[within]), 1)
        weights = np.where(within, tukey_weights(squares, sigma), 0)
        step = _gauss_newton_step(rays, pose, signed, weights)
        if step is None:
            break
        trust = total_tukey_trust(squares, sigma)
        for _ in range(_HALVINGS):
            following = _moved(pose, step)
            if total_tukey_trust(signed_epipolar_errors(following.essential, rays) ** 2, sigma) >= trust:
                break
            step = step / 2
        else:
            break
        pose = following
        if np.linalg.norm(step) < _SETTLED:
            break
    return _assess(rays, pose, threshold)


def signed_epipolar_errors(essential: Floats, rays: Rays) -> Floats:
    """Distance in pixels of each pair from the nearest that an essential matrix allows, to first order (Sampson 1982); [N]."""
    goal = np.column_stack([rays.goal, np.ones(len(rays))])
    current = np.column_stack([rays.current, np.ones(len(rays))])
    lines = goal @ essential.T
    back = current @ essential
    value = np.sum(current * lines, axis=1)
    slope = np.sum((lines[:, :2] ** 2 + back[:, :2] ** 2) / rays.pixels**2, axis=1)
    return np.where(slope > 0, value / np.sqrt(np.where(slope > 0, slope, 1)), 0)


def inverse_depths(pose: RelativePose, rays: Rays) -> tuple[Floats, Floats]:
    """Where along its ray each pair's point lies, by the place along the epipolar line nearest to the current position.

    Returns:
        1 / depth in the goal camera, in units of the way between the cameras, NaN behind the current camera; pixels by
        which a point moves in the current frame when its inverse depth grows by 1; [N] each
    """
    turned = np.column_stack([rays.goal, np.ones(len(rays))]) @ pose.rotation.T
    depth = turned[:, 2]
    slope = (pose.translation[:2] - rays.current * pose.translation[2]) * rays.pixels
    miss = (rays.current * depth[:, None] - turned[:, :2]) * rays.pixels
    square = np.sum(slope**2, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.sum(slope * miss, axis=1) / square
        seen = depth + value * pose.translation[2]
        return np.where(seen > 0, value, np.nan), np.sqrt(square) / seen


def _assess(rays: Rays, pose: RelativePose, threshold: float) -> PoseFit:
    errors = np.abs(signed_epipolar_errors(pose.essential, rays))
    inliers = errors <= threshold
    return PoseFit(pose, inliers, errors, robust_sigma(errors[inliers], 1))


def _gauss_newton_step(rays: Rays, pose: RelativePose, signed: Floats, weights: Floats) -> Floats | None:
    """Turn (3) and change of direction (2) that would make the weighed errors least, were they linear.

    How the length of the epipolar lines' normals changes with the pose is part of the derivative: without it, steps lead
    towards a motion along the optical axis when parallaxes are as small as noise.
    """
    used = weights > 0
    if np.count_nonzero(used) < _UNKNOWNS:
        return None
    chosen = Rays(rays.goal[used], rays.current[used], rays.pixels)
    derivative = np.empty((len(chosen), _UNKNOWNS))
    for unknown in range(_UNKNOWNS):
        nudge = np.zeros(_UNKNOWNS)
        nudge[unknown] = _DIFFERENCE
        ahead = signed_epipolar_errors(_moved(pose, nudge).essential, chosen)
        behind = signed_epipolar_errors(_moved(pose, -nudge).essential, chosen)
        derivative[:, unknown] = (ahead - behind) / (2 * _DIFFERENCE)
    weighed = derivative * weights[used, None]
    matrix = derivative.T @ weighed
    values = np.linalg.eigvalsh(matrix)
    if not values[0] > 1e-11 * values[-1]:
        return None
    return np.linalg.solve(matrix, -weighed.T @ signed[used])


def _moved(pose: RelativePose, step: Floats) -> RelativePose:
    turn, _ = cv2.Rodrigues(step[:3])
    axis = np.eye(3)[0 if abs(pose.translation[0]) < 0.6 else 1]
    tangent = _unit(np.cross(pose.translation, axis))
    other = np.cross(pose.translation, tangent)
    return RelativePose(turn @ pose.rotation, _unit(pose.translation + step[3] * tangent + step[4] * other))


def _cross_matrix(vector: Floats) -> Floats:
    x, y, z = vector
    return np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])


def _unit(vector: Floats) -> Floats:
    return vector / np.linalg.norm(vector)
