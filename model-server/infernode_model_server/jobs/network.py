"""The network's process, from the server's side: started, watched, started again."""

from __future__ import annotations

import asyncio
import logging
import secrets
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from .messages import NetworkAddress, NetworkFailed, NetworkReady, NetworkStatistics
from .network_host import network_main
from .processes import ChildProcess

log = logging.getLogger(__name__)

_CLOSE_SECONDS = 5.0
_RESTART_SECONDS = 1.0


class NetworkProcess:
    """
    Args:
        threads: what PyTorch may use on the CPU
    """

    def __init__(self, weights: Path, threads: int) -> None:
        self._weights = weights
        self._threads = threads
        # Not under the data folder: the name of a socket must be short.
        self._folder = Path(tempfile.mkdtemp(prefix="infernode-"))
        self._key = secrets.token_bytes(32)
        self._process: ChildProcess | None = None
        self._is_closed = False
        self._starts = 0
        self._restart: asyncio.Task[None] | None = None
        #: Where the network is to be found; None while it starts.
        self.address: NetworkAddress | None = None
        #: Why there is none, in words.
        self.problem: str | None = None
        self.statistics: NetworkStatistics | None = None
        self.on_change: Callable[[], None] = lambda: None

    def start(self) -> None:
        self._starts += 1
        path = str(self._folder / str(self._starts))
        arguments = (self._weights, path, self._key, self._threads)
        self._process = ChildProcess(
            network_main, arguments, lambda message: self._hears(message, path), self._has_exited, name="network"
        )

    async def close(self) -> None:
        self._is_closed = True
        if self._restart is not None:
            self._restart.cancel()
        if self._process is not None:
            await self._process.close(_CLOSE_SECONDS)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _hears(self, message: object, path: str) -> None:
        if isinstance(message, NetworkReady):
            self.address = NetworkAddress(path, self._key, message.identity, message.devices)
            log.info("the network is ready on %s", ", ".join(message.devices))
            self.on_change()
        elif isinstance(message, NetworkFailed):
            self.problem = message.message
            self.on_change()
        elif isinstance(message, NetworkStatistics):
            self.statistics = message

    def _has_exited(self, code: int | None) -> None:
        self.address = None
        self.statistics = None
        self.on_change()
        if self._is_closed or self.problem is not None:
            return
        log.error("the process of the network died (exit code %s) and is started again", code)
        self._restart = asyncio.get_running_loop().create_task(self._start_again())

    async def _start_again(self) -> None:
        await asyncio.sleep(_RESTART_SECONDS)
        self.start()
