"""Robust statistics: how large errors are, how far to trust each, and what is no accident."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, lgamma, log, log10

import numpy as np

from .types import Floats, Mask, Pairs

#: Tukey's biweight at this many standard deviations is 95 % efficient on Gaussian noise.
_TUKEY_SIGMAS = 4.685
#: Keypoints are never located better than this, in pixels; keeps exact data from rejecting itself.
_SMALLEST_SIGMA = 0.05
#: Median length of a Gaussian error in units of one coordinate's standard deviation, by the number of coordinates.
_MEDIAN_LENGTH = {1: 0.6745, 2: 1.1774}
#: Agreement that accident would bring about more often than once in 10^4 frames is no agreement.
MAXIMUM_LOG_FALSE_ALARMS = -4.0
#: Keypoints nearer to each other than this, in pixels, are not independent.
PLACE_SIZE_PX = 8


def robust_sigma(lengths: Floats, coordinates: int) -> float:
    """Standard deviation of one coordinate, in pixels, by the median of error lengths; no smaller than keypoints allow.

    Args:
        lengths: [N] pixels
        coordinates: 1 for distances from a line, 2 for distances from a point
    """
    if len(lengths) == 0:
        return _SMALLEST_SIGMA
    middle = np.partition(lengths, len(lengths) // 2)[len(lengths) // 2]
    return max(float(middle) / _MEDIAN_LENGTH[coordinates], _SMALLEST_SIGMA)


def tukey_weights(squares: Floats, sigma: float) -> Floats:
    """Tukey's biweight of squared errors: 1 for none, 0 from 4.685 standard deviations on."""
    rest = np.clip(1 - squares / (_TUKEY_SIGMAS * sigma) ** 2, 0, None)
    return np.square(rest)


def total_tukey_trust(squares: Floats, sigma: float) -> float:
    """What least squares weighed by `tukey_weights` maximises: as much as 1 for each error, the nearer to none the more."""
    rest = np.clip(1 - squares / (_TUKEY_SIGMAS * sigma) ** 2, 0, None)
    return float(np.sum(rest**3))


def spread(points: Floats) -> float:
    """Standard deviation of points [N, 2] along the direction in which they spread least: near zero on a line."""
    if len(points) == 0:
        return 0.0
    centred = points - points.mean(axis=0)
    return float(np.sqrt(max(np.linalg.eigvalsh(centred.T @ centred / len(points))[0], 0.0)))


def count_places(pairs: Pairs, chosen: Mask) -> int:
    """Places among the chosen pairs, in the view with fewer of them.

    Keypoints found several times at one place, with other directions or sizes, agree with one another whatever they
    match: together they are evidence once.
    """
    cells = [np.floor(points[chosen] / PLACE_SIZE_PX) for points in (pairs.goal, pairs.current)]
    return min(len(np.unique(cell, axis=0)) for cell in cells)


@dataclass(frozen=True)
class ModelChance:
    """What a geometric model is made from, and how readily it would agree with a pair by accident."""

    #: Pairs that determine the model; they agree with it by construction.
    sample_size: int
    #: Models that one sample may give.
    models: int
    #: Probability that a wrong pair agrees: the share of the frame within the inlier threshold.
    chance: float


def log_false_alarms(inliers: int, pairs: int, model: ModelChance) -> float:
    """Expected number of models that as many pairs would agree with if all were wrong, as a decimal logarithm.

    The number of false alarms of a-contrario RANSAC (Moisan & Stival, IJCV 2004). Far below 0 the agreement is no
    accident. A fixed least number of inliers cannot tell: six of six are evidence, six of fifty are not.
    """
    if inliers <= model.sample_size:
        return inf
    return (
        log10(model.models * pairs)
        + _log_binomial(pairs, inliers)
        + _log_binomial(inliers, model.sample_size)
        + (inliers - model.sample_size) * log10(model.chance)
    )


def log_accidents(hits: int, trials: int, chance: float) -> float:
    """Upper bound, as a decimal logarithm, of how often `hits` or more of `trials` happen by accident, for all numbers of hits."""
    if hits <= trials * chance:
        return inf
    return log10(trials) + _log_binomial(trials, hits) + hits * log10(chance)


def _log_binomial(n: int, k: int) -> float:
    return (lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)) / log(10)
