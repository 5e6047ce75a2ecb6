"""Files of jobs on the disk."""

from __future__ import annotations

import fcntl
import shutil
from pathlib import Path
from typing import IO


class StoreError(Exception):
    """The folder cannot be used; the message says why."""


class JobStore:
    """`work/<request id>/` holds what a job needs while it runs, `results/<request id>.zip` what it leaves.

    What a server before this one left is removed: nobody has its addresses any more.
    """

    def __init__(self, folder: Path) -> None:
        """
        Raises:
            StoreError: another server uses the folder, or it cannot be written to
        """
        self._folder = folder.resolve()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._lock: IO[bytes] = (self._folder / ".lock").open("wb")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StoreError(
                f"Another model server uses {self._folder}: give this one a MODEL_SERVER_DATA_DIR."
            ) from error
        except OSError as error:
            raise StoreError(f"{self._folder} cannot be used: {error.strerror}.") from error
        for part in (self._work, self._results):
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()

    def open(self, request_id: str) -> Path:
        """A new folder for a job."""
        folder = self._work / request_id
        folder.mkdir()
        return folder

    def archive_path(self, request_id: str) -> Path:
        return self._results / f"{request_id}.zip"

    def remove_work(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        self._lock.close()

    @property
    def _work(self) -> Path:
        return self._folder / "work"

    @property
    def _results(self) -> Path:
        return self._folder / "results"
