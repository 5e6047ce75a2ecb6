"""Decoded pictures as full-range grey, upright."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from av import VideoFrame
from av.video.reformatter import ColorRange

from ..servo.types import Gray

_GRAY = re.compile(r"gray(?:(9|10|12|14|16)le)?")
_PLANAR = re.compile(r"(yuva?|yuvj)4[0-4][0-4]p(?:(9|10|12|14|16)le)?")
_SEMI_PLANAR = re.compile(r"nv(?:12|21|16|24|42)")


def to_gray(frame: VideoFrame) -> Gray:
    """[height, width], one byte per pixel; quarter turns and mirrorings that the file asks for are applied."""
    bits, is_full_range = _luma_layout(frame)
    if bits == 0:
        # Grey has to be computed from colours.
        gray = cv2.cvtColor(frame.to_ndarray(format="bgr24"), cv2.COLOR_BGR2GRAY)
    else:
        gray = gray_table(bits, is_full_range)[_luma_plane(frame, bits)]
    return _upright(np.asarray(gray, np.uint8), frame)


def _luma_layout(frame: VideoFrame) -> tuple[int, bool]:
    """Bits of a luma sample and whether black is 0; 0 bits for formats without a plane of their own for it."""
    name = frame.format.name
    if found := _GRAY.fullmatch(name):
        # FFmpeg takes grey formats for full range whatever a file says; OpenCV inherits that.
        return int(found[1] or 8), True
    if found := _PLANAR.fullmatch(name):
        return int(found[2] or 8), found[1] == "yuvj" or frame.color_range == ColorRange.JPEG
    if _SEMI_PLANAR.fullmatch(name):
        return 8, frame.color_range == ColorRange.JPEG
    return 0, True


def _luma_plane(frame: VideoFrame, bits: int) -> npt.NDArray[Any]:
    plane = frame.planes[0]
    kind = np.dtype("u1" if bits == 8 else "<u2")
    samples = np.frombuffer(memoryview(plane), kind).reshape(plane.height, plane.line_size // kind.itemsize)
    return samples[: frame.height, : frame.width]


@cache
def gray_table(bits: int, is_full_range: bool) -> npt.NDArray[np.uint8]:
    """Table from a luma sample to 8-bit full-range grey.

    Limited range (16 to 235 at 8 bits, ITU-R BT.601) is stretched and clamped, which is what converting to BGR and back to
    grey amounts to. 65,536 entries above 8 bits: damaged files hold samples beyond their bit depth, taken as white.
    """
    scale = 2 ** (bits - 8)
    black = 0 if is_full_range else 16 * scale
    white = 2**bits - 1 if is_full_range else 235 * scale
    samples = np.arange(256 if bits == 8 else 65_536)
    return np.clip(np.floor((samples - black) * 255 / (white - black) + 0.5), 0, 255).astype(np.uint8)


def _upright(gray: Gray, frame: VideoFrame) -> Gray:
    """Applies the display matrix (ISO/IEC 14496-12 section 6.2.2) where it is a quarter turn or a mirroring.

    Any other matrix counts for nothing, as in OpenCV: pictures turned by other angles would get blank corners.
    """
    side_data: Any = frame.side_data.get("DISPLAYMATRIX")
    if side_data is None:
        return gray
    a, b, _, c, d = np.frombuffer(bytes(side_data), "<i4")[:5].tolist()
    if b == 0 and c == 0 and a != 0 and d != 0:
        return np.ascontiguousarray(gray[:: _direction(d), :: _direction(a)])
    if a == 0 and d == 0 and b != 0 and c != 0:
        return np.ascontiguousarray(gray.T[:: _direction(b), :: _direction(c)])
    return gray


def _direction(sign: int) -> int:
    return -1 if sign < 0 else 1
