"""Child processes and what they say, on the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

#: A fresh interpreter: a copy of this one would inherit its threads' locks and the GPU's state.
_CONTEXT = multiprocessing.get_context("spawn")


class ChildProcess:
    """A child that ends when this process does, since its connection does.

    Args:
        target: takes the child's end of the connection, then `arguments`
        on_message: called on the event loop with what the child says
        on_exit: called on the event loop, once, with the exit code, after all messages
    """

    def __init__(
        self,
        target: Callable[..., None],
        arguments: tuple[Any, ...],
        on_message: Callable[[Any], None],
        on_exit: Callable[[int | None], None],
        name: str,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_message = on_message
        self._on_exit = on_exit
        self._connection, theirs = _CONTEXT.Pipe()
        self._process: BaseProcess = _CONTEXT.Process(target=target, args=(theirs, *arguments), name=name, daemon=True)
        self._process.start()
        theirs.close()
        self._exited = asyncio.Event()
        threading.Thread(target=self._listen, args=(self._connection,), daemon=True).start()

    @property
    def pid(self) -> int | None:
        return self._process.pid

    def send(self, message: object) -> None:
        """A child that is gone hears nothing; `on_exit` tells of it."""
        with contextlib.suppress(OSError):
            self._connection.send(message)

    def kill(self) -> None:
        self._process.kill()

    async def exited(self) -> None:
        await self._exited.wait()

    async def close(self, grace_seconds: float) -> None:
        """Ends the child, by force when it does not end by itself in time."""
        self.send(None)
        self._process.terminate()
        try:
            await asyncio.wait_for(self._exited.wait(), grace_seconds)
        except asyncio.TimeoutError:
            self._process.kill()
            await self._exited.wait()

    def _listen(self, connection: Connection) -> None:
        while True:
            try:
                message = connection.recv()
            except (EOFError, OSError):
                break
            self._tell(self._on_message, message)
        self._process.join()
        connection.close()
        self._tell(self._has_exited)

    def _has_exited(self) -> None:
        self._exited.set()
        self._on_exit(self._process.exitcode)

    def _tell(self, call: Callable[..., None], *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(call, *arguments)
        except RuntimeError:
            # The loop is closed: the server has ended, and nobody waits.
            return
