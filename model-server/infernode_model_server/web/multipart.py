"""Reads a form piece by piece: fields into memory, within bounds, files straight to the disk."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from .fields import FILES
from .problems import Problem

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

_MOST_PARTS = 64
_LARGEST_FIELD = 64 * 1024
_LARGEST_HEADERS = 16 * 1024
#: So much is handed to the disk at a time, by a thread: a slow disk must not hold up other requests.
_PIECE_BYTES = 1024 * 1024


@dataclass
class Form:
    fields: dict[str, str] = field(default_factory=dict)
    #: Sizes of the files that are complete.
    files: dict[str, int] = field(default_factory=dict)


class FormReader:
    """
    Args:
        content_type: of the request
        limit: bytes of the whole body
        idle_seconds: a body that sends nothing for so long is given up
        before_files: called once, before the first byte of a file is written or the form ends, with what there is of the
            form by then; tells where the files belong
        check: called between pieces; may raise to end it
    """

    def __init__(
        self,
        content_type: str,
        limit: int,
        idle_seconds: float,
        before_files: Callable[[Form], Awaitable[Callable[[str], Path]]],
        check: Callable[[], None],
    ) -> None:
        kind, options = parse_options_header(content_type)
        boundary = options.get(b"boundary", b"")
        if kind != b"multipart/form-data" or not boundary:
            raise Problem("unsupported-media-type", "The body has to be multipart/form-data with a boundary.")
        self.form = Form()
        self.received = 0
        self._limit = limit
        self._idle_seconds = idle_seconds
        self._before_files = before_files
        self._check = check
        self._path_of: Callable[[str], Path] | None = None
        self._parts = _Parts(self.form)
        try:
            self._parser = MultipartParser(boundary, self._parts.callbacks())
        except MultipartParseError as error:
            raise _malformed(error) from error

    async def read(self, body: AsyncIterator[bytes]) -> Form:
        """
        Raises:
            Problem: 400, 408, 413 or 422; what `before_files` and `check` raise; what reading the body raises
        """
        pieces = bytearray()
        try:
            while (chunk := await self._next(body)) is not None:
                self.received += len(chunk)
                if self.received > self._limit:
                    raise Problem("too-large", f"The body has more than the {self._limit} bytes that are allowed.")
                self._check()
                pieces += chunk
                # Until the first file begins, whether there is a slot for it is what matters.
                if self._path_of is None or len(pieces) >= _PIECE_BYTES:
                    await self._write(bytes(pieces))
                    pieces.clear()
            await self._write(bytes(pieces))
            with _as_problem():
                self._parser.finalize()
            if not self._parts.is_complete:
                raise Problem("unusable-input", "The form ends before its last boundary.", status=400)
            if self._path_of is None:
                await self._ask_for_files()
        finally:
            self._parts.close()
        return self.form

    async def _next(self, body: AsyncIterator[bytes]) -> bytes | None:
        try:
            return await asyncio.wait_for(anext(body), self._idle_seconds)
        except StopAsyncIteration:
            return None
        except asyncio.TimeoutError:
            words = f"The upload sent nothing for {self._idle_seconds:g} seconds."
            raise Problem("too-slow", words) from None

    async def _write(self, piece: bytes) -> None:
        with _as_problem():
            if self._path_of is None:
                # In memory only, since no file has a place yet.
                self._parser.write(piece)
                if self._parts.has_file_begun:
                    await self._ask_for_files()
            elif piece:
                await asyncio.to_thread(self._parser.write, piece)

    async def _ask_for_files(self) -> None:
        self._path_of = await self._before_files(self.form)
        await asyncio.to_thread(self._parts.open_files, self._path_of)


class _Parts:
    """What the parser calls. Parts arrive one after another."""

    def __init__(self, form: Form) -> None:
        self._form = form
        self._count = 0
        self._headers: list[tuple[bytes, bytes]] = []
        self._header_name = bytearray()
        self._header_value = bytearray()
        self._header_bytes = 0
        self._name = ""
        self._is_file = False
        self._data = bytearray()
        self._file: IO[bytes] | None = None
        self._size = 0
        self._path_of: Callable[[str], Path] | None = None
        #: Files that were complete before they had a place: those of a very small form.
        self._held: dict[str, bytes] = {}
        self.has_file_begun = False
        self.is_complete = False

    def callbacks(self) -> MultipartCallbacks:
        return {
            "on_part_begin": self._on_part_begin,
            "on_header_field": self._on_header_field,
            "on_header_value": self._on_header_value,
            "on_header_end": self._on_header_end,
            "on_headers_finished": self._on_headers_finished,
            "on_part_data": self._on_part_data,
            "on_part_end": self._on_part_end,
            "on_end": self._on_end,
        }

    def open_files(self, path_of: Callable[[str], Path]) -> None:
        """From here on files have a place; what was read of them by now is written."""
        self._path_of = path_of
        for name, content in self._held.items():
            path_of(name).write_bytes(content)
        self._held.clear()
        if self._is_file:
            self._open()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> None:
        if self._path_of is not None:
            self._file = self._path_of(self._name).open("wb")
            self._file.write(self._data)
            self._data.clear()

    def _on_part_begin(self) -> None:
        self._count += 1
        if self._count > _MOST_PARTS:
            raise Problem("unusable-input", f"The form has more than {_MOST_PARTS} parts.", status=400)
        self._headers.clear()
        self._header_bytes = 0
        self._data.clear()
        self._size = 0

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._grow_header(self._header_name, data[start:end])

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._grow_header(self._header_value, data[start:end])

    def _grow_header(self, target: bytearray, piece: bytes) -> None:
        self._header_bytes += len(piece)
        if self._header_bytes > _LARGEST_HEADERS:
            raise Problem("unusable-input", "A part of the form has too long headers.", status=400)
        target += piece

    def _on_header_end(self) -> None:
        self._headers.append((bytes(self._header_name).lower(), bytes(self._header_value)))
        self._header_name.clear()
        self._header_value.clear()

    def _on_headers_finished(self) -> None:
        disposition = next((value for name, value in self._headers if name == b"content-disposition"), b"")
        _, options = parse_options_header(disposition)
        # The file name is the sender's affair: it names no file here.
        self._name = options.get(b"name", b"").decode("utf-8", "replace")
        self._is_file = b"filename" in options or self._name in FILES
        if self._name == "":
            raise Problem("unusable-input", "A part of the form has no name.", status=400)
        if self._name in self._form.fields or self._name in self._form.files:
            words = f'The form has two parts named "{self._name[:64]}".'
            raise Problem("unusable-input", words, status=400, errors=[(self._name[:64], "is there twice")])
        if self._is_file and self._name not in FILES:
            words = f'The form has a file named "{self._name[:64]}", which is none of {", ".join(FILES)}.'
            raise Problem("unusable-input", words, status=400)
        if self._is_file:
            self.has_file_begun = True
            self._open()

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        self._size += end - start
        if self._file is not None:
            self._file.write(data[start:end])
            return
        if not self._is_file and self._size > _LARGEST_FIELD:
            raise Problem("too-large", f'The field "{self._name[:64]}" has more than {_LARGEST_FIELD} bytes.')
        self._data += data[start:end]

    def _on_part_end(self) -> None:
        if not self._is_file:
            self._form.fields[self._name] = self._data.decode("utf-8", "replace")
        else:
            if self._file is None:
                self._held[self._name] = bytes(self._data)
            self._form.files[self._name] = self._size
        self.close()
        self._is_file = False

    def _on_end(self) -> None:
        self.is_complete = True


@contextlib.contextmanager
def _as_problem() -> Iterator[None]:
    try:
        yield
    except MultipartParseError as error:
        raise _malformed(error) from error
    except OSError as error:
        # A full disk, mostly.
        raise Problem("not-ready", "The server cannot store the upload.", retry_after=60) from error


def _malformed(error: Exception) -> Problem:
    return Problem("unusable-input", f"The form cannot be read: {error}.", status=400)
