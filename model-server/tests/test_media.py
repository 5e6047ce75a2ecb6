"""Videos: which frames come, how they are numbered, which way up they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import FIXTURES, GoldenCase

from infernode_model_server.errors import UnusableInputError
from infernode_model_server.media.gray import gray_table
from infernode_model_server.media.numbering import FrameNumbering
from infernode_model_server.media.video import DamagedVideoError, read_frames

MEDIA = FIXTURES / "media"


@pytest.mark.parametrize(
    ("name", "count", "shape"),
    [
        ("h264.mp4", 25, (64, 96)),
        ("h264-edit-list.mp4", 15, (64, 96)),
        ("h264-fragmented.mp4", 25, (64, 96)),
        ("h264-full-range.mp4", 10, (64, 96)),
        ("h264-gray-portrait.mp4", 10, (128, 64)),
        ("h264-rgb.mp4", 10, (64, 96)),
        ("h264-rotated.mp4", 25, (96, 64)),
        ("h264-variable-rate-audio.mp4", 9, (64, 96)),
        ("h264-with-cover.mp4", 25, (64, 96)),
        ("hevc-10-bit.mp4", 10, (64, 96)),
        ("mpeg4-odd-size.avi", 10, (47, 65)),
        ("prores.mov", 5, (64, 64)),
        ("vp9-odd-size.mkv", 15, (63, 97)),
    ],
)
def test_every_frame_comes_once(name: str, count: int, shape: tuple[int, int]) -> None:
    frames = list(read_frames(MEDIA / name, 0, 10**6, 1, 2))
    assert [frame.index for frame in frames] == list(range(count))
    assert {frame.gray.shape for frame in frames} == {shape}


def test_a_range_has_its_last_frame() -> None:
    whole = list(read_frames(MEDIA / "h264.mp4", 0, 10**6, 1, 1))
    some = list(read_frames(MEDIA / "h264.mp4", 3, 18, 5, 1))
    assert [frame.index for frame in some] == [3, 8, 13, 18]
    np.testing.assert_array_equal(some[2].gray, whole[13].gray)


def test_a_quarter_turn_is_applied() -> None:
    upright = next(read_frames(MEDIA / "h264.mp4", 0, 0, 1, 1)).gray
    turned = next(read_frames(MEDIA / "h264-rotated.mp4", 0, 0, 1, 1)).gray
    np.testing.assert_array_equal(turned, np.rot90(upright))


@pytest.mark.parametrize("name", ["audio-only.m4a", "audio-with-cover.m4a", "picture.png", "generate.sh"])
def test_what_is_no_video_is_refused(name: str) -> None:
    with pytest.raises(UnusableInputError, match="video"):
        list(read_frames(MEDIA / name, 0, 10, 1, 1))


def test_frames_too_small_to_work_on_are_refused() -> None:
    with pytest.raises(UnusableInputError, match="8x8"):
        list(read_frames(MEDIA / "too-small.mp4", 0, 10, 1, 1))


def test_a_video_that_was_cut_off_gives_what_there_is(tmp_path: Path) -> None:
    case = GoldenCase.load("dev-a-translate-xy")
    whole = list(read_frames(case.current_video, 0, 59, 1, 1))
    content = (MEDIA / "h264.ts").read_bytes()
    cut = tmp_path / "cut.ts"
    cut.write_bytes(content[: len(content) // 2])
    frames = _as_far_as_possible(cut)
    assert 0 < len(frames) < 25
    assert len(whole) == 60


def test_frames_behind_damage_keep_their_numbers(tmp_path: Path) -> None:
    content = bytearray((MEDIA / "h264.ts").read_bytes())
    whole = {frame.index: frame.gray for frame in read_frames(MEDIA / "h264.ts", 0, 99, 1, 1)}
    middle = len(content) // 2
    content[middle : middle + 188] = bytes(188)
    spoiled = tmp_path / "spoiled.ts"
    spoiled.write_bytes(content)
    frames = _as_far_as_possible(spoiled)
    assert frames, "nothing was read"
    # Whatever comes out whole is at its own place.
    exact = [index for index, gray in frames.items() if np.array_equal(gray, whole[index])]
    assert len(exact) >= 5


def _as_far_as_possible(path: Path) -> dict[int, np.ndarray]:
    frames = {}
    try:
        for frame in read_frames(path, 0, 10**6, 1, 1):
            frames[frame.index] = frame.gray
    except DamagedVideoError:
        pass
    return frames


def test_lost_pictures_are_counted_by_their_timestamps() -> None:
    numbering = FrameNumbering()
    for timestamp in (0, 3, 1, 2):
        numbering.sent(timestamp)
    assert [numbering.shown(0), numbering.shown(1)] == [0, 1]
    numbering.damaged()
    assert numbering.shown(3) == 3
    numbering.sent(4)
    assert numbering.shown(4) == 4


def test_numbers_end_where_timestamps_cannot_tell_them() -> None:
    numbering = FrameNumbering()
    numbering.sent(None)
    assert numbering.shown(None) == 0
    numbering.damaged()
    assert numbering.shown(None) is None


def test_limited_range_is_stretched() -> None:
    assert [gray_table(8, False)[level] for level in (0, 16, 126, 235, 255)] == [0, 0, 128, 255, 255]
    assert [gray_table(8, True)[level] for level in (0, 100, 255)] == [0, 100, 255]
    assert gray_table(10, False)[940] == 255
