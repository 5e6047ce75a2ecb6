"""Detectors, matching, agreement and the control law."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from conftest import GoldenCase

from infernode_model_server.errors import UnusableInputError
from infernode_model_server.servo.agreement import agree
from infernode_model_server.servo.detector import Features, parse_detector, turn_back, turn_picture
from infernode_model_server.servo.ibvs import ibvs_velocity
from infernode_model_server.servo.matching import match
from infernode_model_server.servo.sequence import SequenceOptions, ServoSequence
from infernode_model_server.servo.types import Intrinsics, Pairs

CAMERA = Intrinsics()


@pytest.mark.parametrize("text", ["SIFT", "ORB:0123", "AKAZE:02+ORB:13", "SIFT+ORB+AKAZE+KAZE"])
def test_detectors_are_understood(text: str) -> None:
    parts = parse_detector(text)
    assert parts is not None
    assert "+".join(part.name for part in parts) == "+".join(name.split(":")[0] for name in text.split("+"))


@pytest.mark.parametrize(
    "text",
    ["", "sift", "SURF", "SIFT+SIFT", "SIFT:", "SIFT:00", "SIFT:4", "SIFT:0:1", "SIFT+", "SIFT+ORB+AKAZE+KAZE+BRISK"],
)
def test_what_is_no_detector_is_not(text: str) -> None:
    assert parse_detector(text) is None


@pytest.mark.parametrize("turn", [0, 1, 2, 3])
def test_positions_in_a_turned_picture_lead_back(turn: int) -> None:
    picture = np.arange(6 * 9, dtype=np.uint8).reshape(6, 9)
    turned = turn_picture(picture, turn)
    rows, columns = np.indices(turned.shape)
    places = np.stack([columns.ravel(), rows.ravel()], axis=1).astype(float)
    back = turn_back(places, turn, picture.shape).astype(int)
    np.testing.assert_array_equal(picture[back[:, 1], back[:, 0]], turned.ravel())


@pytest.mark.parametrize("kind", ["float", "bits"])
def test_matches_are_mutual_and_clear(kind: str) -> None:
    random = np.random.default_rng(3)
    if kind == "bits":
        goal = random.integers(0, 256, (1500, 32), dtype=np.uint8)
        noise = goal ^ np.where(random.random(goal.shape) < 0.05, 1, 0).astype(np.uint8)
    else:
        goal = random.integers(0, 256, (1500, 128)).astype(np.float32)
        noise = goal + random.integers(0, 3, goal.shape)
    order = random.permutation(1500)[:1400]
    points = np.zeros((1500, 2))
    goals, currents = match(Features(points, goal), Features(points, noise[order].astype(goal.dtype)))
    assert len(goals) == 1400
    np.testing.assert_array_equal(order[currents], goals)


def test_nothing_matches_without_a_second_nearest_or_among_twins() -> None:
    one = Features(np.zeros((1, 2)), np.ones((1, 128), np.float32))
    twins = Features(np.zeros((2, 2)), np.ones((2, 128), np.float32))
    none = Features(np.zeros((0, 2)), np.zeros((0, 1), np.uint8))
    assert [len(match(goal, current)[0]) for goal, current in ((one, one), (twins, one), (twins, none))] == [0, 0, 0]


def _plane(count: int, seed: int = 1) -> Pairs:
    goal = np.random.default_rng(seed).uniform((40, 40), (600, 440), (count, 2))
    turned = (goal - (320, 240)) @ np.array([[0.98, 0.05], [-0.05, 0.98]]) + (331, 236)
    return Pairs(goal, turned)


def test_wrong_matches_have_no_say() -> None:
    pairs = _plane(200)
    spoiled = Pairs(pairs.goal, pairs.current.copy())
    spoiled.current[:60] = np.random.default_rng(9).uniform((0, 0), (640, 480), (60, 2))
    clean = agree(pairs, pairs.goal, (480, 640), CAMERA)
    robust = agree(spoiled, pairs.goal, (480, 640), CAMERA)
    assert robust.problem is None
    assert not robust.inliers[:60].any()
    assert robust.inliers[60:].all()
    expected = ibvs_velocity(clean.solved_from, CAMERA, 0.6)
    found = ibvs_velocity(robust.solved_from, CAMERA, 0.6)
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("pairs", "problem"),
    [
        (_plane(3), "too-few-matches"),
        (Pairs(np.c_[np.arange(50.0) * 9, np.full(50, 200.0)], np.c_[np.arange(50.0) * 9, np.full(50, 210.0)]),
         "degenerate-geometry"),
        (Pairs(*np.random.default_rng(4).uniform((0, 0), (640, 480), (2, 60, 2))), "too-few-inliers"),
    ],
)  # fmt: skip
def test_frames_that_tell_nothing_say_why(pairs: Pairs, problem: str) -> None:
    agreement = agree(pairs, pairs.goal, (480, 640), CAMERA)
    assert agreement.problem == problem
    assert len(agreement.solved_from) == 0


def test_the_velocity_is_that_of_the_pseudo_inverse() -> None:
    pairs = _plane(30)
    goal, current = CAMERA.to_rays(pairs.goal), CAMERA.to_rays(pairs.current)

    def interaction(p: np.ndarray, z: float) -> np.ndarray:
        x, y = p.T
        zero, one = 0 * x, 0 * x + 1
        first = np.stack([-one / z, zero, x / z, x * y, -(1 + x * x), y], 1)
        second = np.stack([zero, -one / z, y / z, 1 + y * y, -x * y, -x], 1)
        return np.concatenate([first, second])

    matrix = (interaction(goal, 0.7) + interaction(current, 0.7)) / 2
    expected = np.linalg.pinv(matrix) @ (goal - current).T.reshape(-1)
    np.testing.assert_allclose(ibvs_velocity(pairs, CAMERA, 0.7), expected, atol=1e-9)


def test_upside_down_and_on_a_line_there_is_no_velocity() -> None:
    goal = _plane(40).goal
    assert ibvs_velocity(Pairs(goal, (640, 480) - goal), CAMERA, 1) is None
    line = np.c_[np.arange(20.0) * 20, np.full(20, 240.0)]
    assert ibvs_velocity(Pairs(line, line + 3), CAMERA, 1) is None
    assert ibvs_velocity(Pairs(goal[:2], goal[:2]), CAMERA, 1) is None


def test_a_blank_goal_and_a_goal_without_keypoints_are_refused() -> None:
    with pytest.raises(UnusableInputError, match="blank"):
        ServoSequence(np.full((64, 64), 7, np.uint8), SequenceOptions("SIFT"))
    faint = np.tile(np.arange(64, dtype=np.uint8), (64, 1))
    with pytest.raises(UnusableInputError, match="ORB found 0 keypoints in the goal frame of 64x64"):
        ServoSequence(faint, SequenceOptions("ORB"))


def test_frames_without_texture_get_the_zero_velocity_and_a_reason() -> None:
    case = GoldenCase.load("dev-b-roll")
    sequence = ServoSequence(case.goal(), SequenceOptions("ORB", "ibvs", case.intrinsics, case.distance))
    blank = np.full((480, 640), 9, np.uint8)
    faint = np.tile(np.arange(64, dtype=np.uint8), (64, 1))
    noise = np.random.default_rng(5).integers(0, 255, (480, 640), dtype=np.uint8)
    results = sequence.process([blank, faint, noise])
    assert [result.problem for result in results[:2]] == ["blank-frame", "too-few-keypoints"]
    assert results[2].problem in ("too-few-matches", "too-few-inliers")
    assert all(result.velocity == (0, 0, 0, 0, 0, 0) for result in results)


def test_several_observers_say_what_one_says() -> None:
    case = GoldenCase.load("dev-b-roll")
    frames = case.frames(6)
    options = SequenceOptions("ORB", "ibvs", case.intrinsics, case.distance)
    alone = ServoSequence(case.goal(), options).process(frames)
    with ThreadPoolExecutor(3) as executor:
        together = ServoSequence(case.goal(), options, observers=3).process(frames, executor)
    assert together == alone
