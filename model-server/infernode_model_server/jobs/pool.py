"""Worker processes: as many as there are slots, one job each."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable

from .messages import JobDone, JobFailed, JobOrder, RowsDone, Stop, WorkerReady
from .processes import ChildProcess
from .worker import worker_main

log = logging.getLogger(__name__)

#: What a worker gets to end in when the server does.
_CLOSE_SECONDS = 2.0
#: After a worker that died before it was ready; so that a broken machine is not kept busy with starting processes.
_RESTART_SECONDS = 5.0

Outcome = JobDone | JobFailed


class WorkerPool:
    """
    Args:
        on_restart: told of each worker that has to be replaced
    """

    def __init__(self, size: int, stop_seconds: float, on_restart: Callable[[], None]) -> None:
        self._size = size
        self._stop_seconds = stop_seconds
        self._on_restart = on_restart
        self._idle: asyncio.Queue[_Worker] = asyncio.Queue()
        self._workers: set[_Worker] = set()
        self._is_closed = False
        self._has_started = False
        self._restarts: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        for _ in range(self._size):
            self._hire()

    @property
    def is_ready(self) -> bool:
        """Whether jobs can be taken: every worker has started once, and one that died is on its way back."""
        started = len(self._workers) == self._size and all(worker.is_ready for worker in self._workers)
        self._has_started = self._has_started or started
        return self._has_started and len(self._workers) > 0

    async def run(self, order: JobOrder, on_start: Callable[[], None], on_rows: Callable[[RowsDone], None]) -> Outcome:
        """Waits for a worker and has the job done. Cancelled, it returns to the canceller once the worker has stopped.

        A worker that dies gives a JobFailed `internal`.
        """
        worker = await self._next_idle()
        try:
            on_start()
            worker.begin(order, on_rows)
            return await asyncio.shield(worker.outcome)
        except asyncio.CancelledError:
            await self._stopped(worker)
            raise
        finally:
            if worker.is_ready and not worker.is_gone:
                self._idle.put_nowait(worker)

    async def close(self) -> None:
        self._is_closed = True
        for task in self._restarts:
            task.cancel()
        await asyncio.gather(*(worker.process.close(_CLOSE_SECONDS) for worker in self._workers))

    async def _next_idle(self) -> _Worker:
        while True:
            worker = await self._idle.get()
            # One that died while nobody used it.
            if not worker.is_gone:
                return worker

    async def _stopped(self, worker: _Worker) -> None:
        """Asks the worker to stop; ends its process when it does not in time."""
        if worker.outcome.done():
            return
        worker.process.send(Stop())
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.shield(worker.outcome), self._stop_seconds)
            return
        log.warning("worker %s did not stop within %g s and is killed", worker.process.pid, self._stop_seconds)
        worker.process.kill()
        await worker.process.exited()

    def _hire(self) -> None:
        worker = _Worker(self._idle.put_nowait, self._has_gone)
        self._workers.add(worker)

    def _has_gone(self, worker: _Worker) -> None:
        self._workers.discard(worker)
        if self._is_closed:
            return
        self._on_restart()
        if worker.is_ready:
            self._hire()
            return
        task = asyncio.get_running_loop().create_task(self._hire_later())
        self._restarts.add(task)
        task.add_done_callback(self._restarts.discard)

    async def _hire_later(self) -> None:
        await asyncio.sleep(_RESTART_SECONDS)
        self._hire()


class _Worker:
    def __init__(self, on_ready: Callable[[_Worker], None], on_gone: Callable[[_Worker], None]) -> None:
        self._on_ready = on_ready
        self._on_gone = on_gone
        self._on_rows: Callable[[RowsDone], None] = _ignore
        self.is_ready = False
        self.is_gone = False
        self.outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self.process = ChildProcess(worker_main, (), self._hears, self._has_exited, name="worker")

    def begin(self, order: JobOrder, on_rows: Callable[[RowsDone], None]) -> None:
        self.outcome = asyncio.get_running_loop().create_future()
        self._on_rows = on_rows
        if self.is_gone:
            self._fail(None)
        else:
            self.process.send(order)

    def _hears(self, message: object) -> None:
        if isinstance(message, RowsDone):
            self._on_rows(message)
        elif isinstance(message, (JobDone, JobFailed)):
            self._on_rows = _ignore
            if not self.outcome.done():
                self.outcome.set_result(message)
        elif isinstance(message, WorkerReady):
            self.is_ready = True
            self._on_ready(self)

    def _has_exited(self, code: int | None) -> None:
        self.is_gone = True
        self._fail(code)
        self._on_gone(self)

    def _fail(self, code: int | None) -> None:
        if not self.outcome.done():
            self.outcome.set_result(JobFailed("internal", f"The worker process died (exit code {code})."))


def _ignore(_: RowsDone) -> None:
    """Rows of a job that nobody waits for any more."""
