"""What the server knows of a job."""

from __future__ import annotations

import asyncio
import time
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Literal

from ..report.result import JobParameters, JobResult

JobState = Literal["RECEIVING", "QUEUED", "RUNNING", "COMPLETED", "FAILED", "CANCELLED"]
FINAL_STATES: frozenset[JobState] = frozenset({"COMPLETED", "FAILED", "CANCELLED"})
_ROW = 6


@dataclass(eq=False)
class JobRecord:
    """One request to /analyze. Changed on the event loop only."""

    #: Ours, in paths and addresses.
    request_id: str
    #: The caller's.
    job_id: str
    folder: Path
    state: JobState = "RECEIVING"
    parameters: JobParameters | None = None
    total: int = 0
    result: JobResult | None = None
    #: Why there is no result: `unusable-input`, `not-ready`, `internal` or `cancelled`.
    code: str | None = None
    detail: str | None = None
    stopped_at: datetime | None = None
    is_cancel_requested: bool = False
    started: float | None = None
    #: Of the last sign of life; time.monotonic().
    touched: float = field(default_factory=time.monotonic)
    #: The ZIP; None before there is one, and after it was cleared away.
    archive: Path | None = None
    archive_bytes: int = 0
    _rows: array[float] = field(default_factory=lambda: array("d"))
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _ended: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_final(self) -> bool:
        return self.state in FINAL_STATES

    @property
    def processed(self) -> int:
        return len(self._rows) // _ROW

    def rows(self, start: int, limit: int) -> list[list[float]]:
        """Finished rows from a place on."""
        end = min(self.processed, start + limit)
        return [list(self._rows[row * _ROW : (row + 1) * _ROW]) for row in range(start, end)]

    def add_rows(self, rows: Sequence[Sequence[float]], total: int) -> None:
        for row in rows:
            self._rows.extend(row)
        self.total = total
        self._tell()

    def move(self, state: JobState) -> None:
        """To the next state; a final one does not change any more."""
        if self.is_final:
            return
        self.state = state
        if state == "RUNNING":
            self.started = time.monotonic()
        if state in FINAL_STATES:
            self.stopped_at = datetime.now(timezone.utc)
            self._ended.set()
        self._tell()

    async def ended(self) -> None:
        await self._ended.wait()

    async def news(self, after: int, seconds: float) -> None:
        """Waits for more than `after` rows, or for the end, no longer than so many seconds."""
        deadline = time.monotonic() + seconds
        while not self.is_final and self.processed <= after:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                return
            changed = self._changed
            try:
                await asyncio.wait_for(changed.wait(), remaining)
            except asyncio.TimeoutError:
                return

    def seconds_left(self) -> float | None:
        """By its pace so far; None before it has one. A job that is to stop does so in a moment."""
        if self.is_cancel_requested:
            return 0.0
        if self.started is None or self.processed == 0 or self.total == 0:
            return None
        return (time.monotonic() - self.started) / self.processed * (self.total - self.processed)

    def _tell(self) -> None:
        self.touched = time.monotonic()
        self._changed.set()
        self._changed = asyncio.Event()
