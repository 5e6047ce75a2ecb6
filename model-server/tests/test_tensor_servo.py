"""The pipeline behind tensors, as servers of the Open Inference Protocol call it."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import GoldenCase

sys.path.append(str(Path(__file__).parents[1] / "kserve"))

from tensor_servo import TensorServo, UnusableTensorsError

from infernode_model_server.cns.local import LocalNetwork
from infernode_model_server.servo.sequence import SequenceOptions, ServoSequence


def tensors(case: GoldenCase, frames: list[np.ndarray], policy: str = "ibvs") -> dict[str, np.ndarray]:
    intrinsics = case.intrinsics
    return {
        "goal": case.goal(),
        "frames": np.stack(frames),
        "intrinsics": np.array([intrinsics.fx, intrinsics.fy, intrinsics.cx, intrinsics.cy]),
        "distance": np.array([case.distance]),
        "detector": np.array([b"ORB"], object),
        "policy": np.array([policy.encode()], object),
    }


def test_batches_of_any_size_give_the_rows_of_the_pipeline() -> None:
    case = GoldenCase.load("dev-a-translate-xy")
    frames = list(case.frames())[:5]
    options = SequenceOptions(detector="ORB", intrinsics=case.intrinsics, distance=case.distance)
    expected = [row.velocity for row in ServoSequence(case.goal(), options).process(frames)]
    servo = TensorServo()
    answers = [servo.infer(tensors(case, part), {}) for part in (frames[:1], frames[1:])]
    assert np.concatenate([answer.outputs["velocity"] for answer in answers]).tolist() == [
        list(row) for row in expected
    ]
    assert answers[1].outputs["keypoints"].shape == (4,)
    assert answers[1].report["device"] == "cpu"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"goal": np.zeros((480, 640), np.uint8)}, "blank"),
        ({"detector": np.array([b"SURF"], object)}, "no detector"),
        ({"policy": np.array([b"cns"], object)}, "no weights"),
        ({"policy": np.array([b"drift"], object)}, "no policy"),
        ({"intrinsics": np.zeros(3)}, "four numbers"),
        ({"frames": np.zeros((0, 480, 640), np.uint8)}, "no picture"),
    ],
)
def test_what_cannot_be_worked_on_is_refused_in_words(change: dict[str, np.ndarray], words: str) -> None:
    case = GoldenCase.load("dev-a-translate-xy")
    inputs = {**tensors(case, list(case.frames())[:1]), **change}
    with pytest.raises(UnusableTensorsError, match=f"^unusable-input: .*{words}"):
        TensorServo().infer(inputs, {})


def test_a_sequence_is_remembered_over_its_requests_and_forgotten_with_the_last(synthetic_weights: Path) -> None:
    case = GoldenCase.load("dev-a-translate-xy")
    frames = list(case.frames())[:4]
    options = SequenceOptions(detector="ORB", policy="cns", intrinsics=case.intrinsics, distance=case.distance)
    expected = ServoSequence(case.goal(), options, LocalNetwork.load(synthetic_weights)).process(frames)
    servo = TensorServo(synthetic_weights)
    rows = [
        # Another job between two requests changes nothing.
        servo.infer(
            tensors(case, part, "cns"), {"sequence_id": job, "sequence_start": place == 0, "sequence_end": place == 1}
        )
        for place, part in enumerate((frames[:1], frames[1:]))
        for job in (7, 8)
    ]
    together = np.concatenate([rows[1].outputs["velocity"], rows[3].outputs["velocity"]])
    np.testing.assert_allclose(together, [row.velocity for row in expected], atol=1e-6)
    assert str(rows[0].report["model_digest"]).startswith("sha256:")
    with pytest.raises(UnusableTensorsError, match="not begun"):
        servo.infer(tensors(case, frames[:1], "cns"), {"sequence_id": 7, "sequence_start": False})


def test_a_sequence_that_has_not_begun_is_refused(synthetic_weights: Path) -> None:
    case = GoldenCase.load("dev-a-translate-xy")
    with pytest.raises(UnusableTensorsError, match="not begun"):
        TensorServo(synthetic_weights).infer(
            tensors(case, list(case.frames())[:1], "cns"), {"sequence_id": 7, "sequence_start": False}
        )
