"""Frames of a video file, by number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import av.error
from av.stream import Disposition

from ..errors import UnusableInputError
from ..servo.types import Gray
from .gray import to_gray
from .numbering import FrameNumbering

#: Sides of a picture, pixels.
_LARGEST_SIDE = 8192
_SMALLEST_SIDE = 16


@dataclass(frozen=True)
class Frame:
    #: Zero-based; frames that edit lists hide do not count.
    index: int
    gray: Gray


class DamagedVideoError(Exception):
    """The rest of the video cannot be read; the message says why."""


def read_frames(path: Path, start: int, end: int, step: int, threads: int) -> Iterator[Frame]:
    """Frames start, start + step, … ≤ end, without those that damage hit. At most a few are in memory.

    Raises:
        UnusableInputError: no video
        DamagedVideoError: nothing more can be read
    """
    with _open(path) as container:
        stream = next(stream for stream in container.streams.video if not _is_cover(stream))
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = threads
        numbering = FrameNumbering()
        try:
            for picture in _pictures(container, stream, numbering):
                index = numbering.shown(picture.pts)
                if index is None:
                    raise DamagedVideoError("frames behind a damaged place cannot be numbered any more")
                if index > end:
                    return
                if picture.is_corrupt:
                    numbering.damaged()
                elif index >= start and (index - start) % step == 0:
                    yield Frame(index, to_gray(_checked(picture)))
        except av.error.FFmpegError as error:
            raise DamagedVideoError(error.strerror) from error


def _open(path: Path) -> av.container.InputContainer:
    try:
        # Only files: a playlist must not make the server open other places.
        container = av.open(str(path), options={"protocol_whitelist": "file"})
    except av.error.FFmpegError as error:
        # Not the error itself, which names the file: where it lies is nobody's business.
        raise UnusableInputError(f"The file is no video that can be read: {error.strerror}.") from error
    except ValueError as error:
        raise UnusableInputError("The file is no video that can be read.") from error
    is_picture = container.format.name.endswith("_pipe") or container.format.name in ("image2", "gif", "ico")
    if is_picture or all(_is_cover(stream) for stream in container.streams.video):
        container.close()
        raise UnusableInputError("The file holds no video.")
    return container


def _is_cover(stream: av.VideoStream) -> bool:
    return bool(stream.disposition & Disposition.attached_pic)


def _pictures(
    container: av.container.InputContainer, stream: av.VideoStream, numbering: FrameNumbering
) -> Iterator[av.VideoFrame]:
    for packet in container.demux(stream):
        if packet.size > 0 and not packet.is_discard:
            numbering.sent(packet.pts)
        try:
            pictures = packet.decode()
        except av.error.InvalidDataError:
            numbering.damaged()
            continue
        for picture in pictures:
            if isinstance(picture, av.VideoFrame):
                yield picture


def _checked(picture: av.VideoFrame) -> av.VideoFrame:
    if not all(_SMALLEST_SIDE <= side <= _LARGEST_SIDE for side in (picture.width, picture.height)):
        raise UnusableInputError(
            f"Frames of {picture.width}x{picture.height} pixels cannot be worked on: from {_SMALLEST_SIDE} to "
            f"{_LARGEST_SIDE} on each side."
        )
    return picture
