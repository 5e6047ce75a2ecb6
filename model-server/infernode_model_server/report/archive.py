"""A ZIP that appears under its final name complete or not at all."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType


class ResultArchive:
    """Entries are written one at a time; nothing is kept in memory once it is on its way. Left without `finish`, it is gone."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._part = path.with_name(f"{path.name}.part")
        self._zip = zipfile.ZipFile(self._part, "w", zipfile.ZIP_DEFLATED)

    def __enter__(self) -> ResultArchive:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._zip.close()
        self._part.unlink(missing_ok=True)

    def add_stored(self, name: str, content: bytes) -> None:
        """An entry that is compressed already (a JPEG)."""
        self._zip.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_STORED)

    def add_text(self, name: str, pieces: Iterable[str]) -> None:
        with self._zip.open(name, "w") as entry:
            for piece in pieces:
                entry.write(piece.encode())

    def finish(self) -> None:
        """Completes the ZIP, forces it to the disk and gives it its final name."""
        self._zip.close()
        with self._part.open("rb+") as file:
            os.fsync(file.fileno())
        self._part.replace(self._path)
