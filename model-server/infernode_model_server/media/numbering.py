"""Numbers the pictures that a decoder gives.

In an intact video that is counting. Where pictures were lost to damage, the timestamps of the packets they came in tell how
many, so that the pictures after the damage keep their numbers.
"""

from __future__ import annotations

from bisect import bisect_left, insort

#: Decoders hold back 16 pictures at most for reordering, and some more for their threads.
_LONGEST_REORDERING = 1000


class FrameNumbering:
    def __init__(self) -> None:
        self._next = 0
        #: Timestamps of packets whose pictures have not come out yet, ascending.
        self._pending: list[int] = []
        self._is_damaged = False
        #: The last of the packets that the damage may have hit; None when none was waiting.
        self._damaged_until: int | None = None
        #: Whether each packet so far was one picture with a timestamp. Hidden pictures and single fields are not.
        self._is_one_to_one = True

    def sent(self, timestamp: int | None) -> None:
        """Call for each packet the decoder is given, except those whose pictures are not to be shown."""
        if timestamp is None or len(self._pending) >= _LONGEST_REORDERING:
            self._is_one_to_one = False
            self._pending.clear()
        else:
            insort(self._pending, timestamp)

    def damaged(self) -> None:
        """Call when a packet could not be decoded or a picture came out broken."""
        self._is_damaged = True
        self._damaged_until = self._pending[-1] if self._pending else None

    def shown(self, timestamp: int | None) -> int | None:
        """The number of the picture that has come out, zero for the first of the video.

        Returns:
            None when it cannot be told any more because of damage
        """
        skipped = 0 if timestamp is None else self._take_before(timestamp)
        if self._is_damaged and (timestamp is None or not self._is_one_to_one):
            return None
        if self._is_damaged:
            self._next += skipped
        elif skipped > 0 or timestamp is None:
            self._is_one_to_one = False
        until = self._damaged_until
        self._is_damaged = self._is_damaged and timestamp is not None and until is not None and timestamp <= until
        number = self._next
        self._next += 1
        return number

    def _take_before(self, timestamp: int) -> int:
        """Forgets the packets up to a timestamp; how many of them lie before it."""
        before = bisect_left(self._pending, timestamp)
        is_known = before < len(self._pending) and self._pending[before] == timestamp
        self._is_one_to_one = self._is_one_to_one and is_known
        del self._pending[: before + int(is_known)]
        return before
