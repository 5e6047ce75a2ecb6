"""Jobs from their first byte to their last: slots, states, cancelling, what becomes of results."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import uuid
from dataclasses import dataclass
from typing import Literal

from ..energy.job_meter import PowerAssumptions
from ..errors import NotReadyError, UnusableInputError
from ..report.result import JobParameters
from ..servo.types import Policy
from ..settings import Settings
from .messages import JobDone, JobFailed, JobOrder, NetworkAddress, RowsDone
from .metrics import ServerMetrics
from .network import NetworkProcess
from .pool import WorkerPool
from .record import JobRecord
from .store import JobStore

log = logging.getLogger(__name__)

ServerState = Literal["STARTING", "READY", "BUSY", "UNHEALTHY"]
_SWEEP_SECONDS = 1.0
#: Where no job has a pace yet.
_USUAL_WAIT_SECONDS = 5.0
#: Jobs that have ended and can be asked for, at most.
_MOST_REMEMBERED = 1000


class NoFreeSlotError(Exception):
    """All slots and all places to wait in are taken."""

    def __init__(self, retry_after: int) -> None:
        super().__init__("All slots are taken.")
        self.retry_after = retry_after


@dataclass(frozen=True)
class Placement:
    """Where the network of a job runs."""

    device: str
    network: NetworkAddress | None
    warnings: tuple[str, ...]


class JobService:
    def __init__(self, settings: Settings, store: JobStore, metrics: ServerMetrics) -> None:
        self._settings = settings
        self._store = store
        self._metrics = metrics
        self._power = PowerAssumptions(settings.cpu_watts, settings.gpu_watts)
        self._pool = WorkerPool(settings.slots, settings.stop_seconds, metrics.worker_restarts.inc)
        weights = settings.cns_weights
        self.network = None if weights is None else NetworkProcess(weights, settings.threads_per_job)
        #: By request id, oldest first.
        self._records: dict[str, JobRecord] = {}
        #: By job id.
        self._latest: dict[str, JobRecord] = {}
        self._active: set[JobRecord] = set()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._sweeper: asyncio.Task[None] | None = None
        self._is_closing = False

    def start(self) -> None:
        self._pool.start()
        if self.network is not None:
            self.network.start()
        self._sweeper = asyncio.get_running_loop().create_task(self._sweep())

    async def close(self) -> None:
        """Stops what still runs."""
        self._is_closing = True
        await asyncio.gather(*(self.cancel(record) for record in list(self._active)))
        if self._sweeper is not None:
            self._sweeper.cancel()
        await self._pool.close()
        if self.network is not None:
            await self.network.close()
        self._store.close()

    @property
    def state(self) -> ServerState:
        if self.network is not None and self.network.problem is not None:
            return "UNHEALTHY"
        if not self._pool.is_ready or (self.network is not None and self.network.address is None):
            return "STARTING"
        return "BUSY" if self._is_full else "READY"

    @property
    def in_flight(self) -> int:
        return sum(record.state != "QUEUED" for record in self._active)

    @property
    def queued(self) -> int:
        return sum(record.state == "QUEUED" for record in self._active)

    @property
    def devices(self) -> tuple[str, ...]:
        address = None if self.network is None else self.network.address
        return ("cpu",) if address is None else (*(name for name in address.devices if name != "cpu"), "cpu")

    @property
    def default_policy(self) -> Policy:
        """The learned one where there are weights: what servers of the contract were made for."""
        return "ibvs" if self.network is None else "cns"

    def find(self, job_id: str) -> JobRecord | None:
        return self._latest.get(job_id)

    def find_result(self, request_id: str) -> JobRecord | None:
        return self._records.get(request_id)

    def describe(self, metrics: ServerMetrics) -> None:
        """Sets what is told as it stands, not as it happens."""
        metrics.slots.set(self._settings.slots)
        metrics.in_flight.set(self.in_flight)
        metrics.queued.set(self.queued)
        statistics = None if self.network is None else self.network.statistics
        if statistics is None:
            return
        metrics.network_batches.set(statistics.batches)
        metrics.network_frames.set(statistics.frames)
        metrics.network_seconds.set(statistics.seconds)
        metrics.gpu_memory.labels(kind="allocated").set(statistics.gpu_memory_peak)
        metrics.gpu_memory.labels(kind="reserved").set(statistics.gpu_memory_reserved)
        if statistics.gpu_utilisation is not None:
            metrics.gpu_utilisation.set(statistics.gpu_utilisation)

    async def admit(self, job_id: str | None) -> JobRecord:
        """Takes a slot, or a place to wait in, for a request that may still be on its way.

        A job of the same id that is not over is stopped first: whoever sends it again has given it up.

        Raises:
            NoFreeSlotError: there is none
            NotReadyError: the server starts or ends
        """
        if self._is_closing or self.state in ("STARTING", "UNHEALTHY"):
            raise NotReadyError("The server is not ready for jobs.")
        if job_id is not None:
            await self._supersede(job_id)
        if self._is_full:
            raise NoFreeSlotError(self._retry_after())
        request_id = str(uuid.uuid4())
        record = JobRecord(request_id, job_id or request_id, self._store.open(request_id))
        self._active.add(record)
        self._records[request_id] = record
        self._latest[record.job_id] = record
        return record

    async def name(self, record: JobRecord, job_id: str) -> None:
        """Gives a job the id that came after it."""
        if record.job_id == job_id:
            return
        await self._supersede(job_id)
        self._latest.pop(record.job_id, None)
        record.job_id = job_id
        self._latest[job_id] = record

    def place(self, parameters: JobParameters) -> Placement:
        """
        Raises:
            UnusableInputError: there are GPUs, but not this one
            NotReadyError: the policy has no weights here
        """
        address = None if self.network is None else self.network.address
        if parameters.policy == "cns" and address is None:
            raise NotReadyError("This server has no weights for the policy cns.")
        device = "cuda:0" if parameters.device == "cuda" else parameters.device
        if device == "cpu":
            return Placement("cpu", address, ())
        gpus = [name for name in self.devices if name != "cpu"]
        if gpus and device not in gpus:
            raise UnusableInputError(f"There is no device {device}: this server has {', '.join(self.devices)}.")
        if parameters.policy == "ibvs":
            return Placement("cpu", address, ("The policy ibvs has no work for a GPU: the job ran on the CPU.",))
        if not gpus:
            return Placement("cpu", address, ("This server has no GPU: the job ran on the CPU.",))
        return Placement(device, address, ())

    def run(self, record: JobRecord, parameters: JobParameters, placement: Placement) -> None:
        """Starts to work on a job whose files are complete: `goal` and `current` in its folder."""
        record.parameters = parameters
        record.total = parameters.total
        record.move("QUEUED")
        self._tasks[record.request_id] = asyncio.get_running_loop().create_task(self._work(record, placement))

    def fail(self, record: JobRecord, code: str, detail: str) -> None:
        """Ends a job that never got to run."""
        record.code, record.detail = code, detail
        self._end(record, "FAILED")

    async def cancel(self, record: JobRecord, detail: str = "The job was cancelled.", code: str = "cancelled") -> None:
        """Returns when nothing works on the job any more."""
        if record.is_final:
            return
        if not record.is_cancel_requested:
            record.is_cancel_requested = True
            record.code, record.detail = code, detail
            task = self._tasks.get(record.request_id)
            if task is None:
                # Its upload finds out by itself.
                self._end(record, _end_of(code))
            else:
                task.cancel()
        await record.ended()

    async def _work(self, record: JobRecord, placement: Placement) -> None:
        parameters = record.parameters
        if parameters is None:
            raise AssertionError("a job without parameters was started")
        archive = self._store.archive_path(record.request_id)
        order = JobOrder(
            parameters,
            goal_video=record.folder / "goal",
            current_video=record.folder / "current",
            archive=archive,
            device=placement.device,
            network=placement.network if parameters.policy == "cns" else None,
            power=self._power,
            threads=self._settings.threads_per_job,
            warnings=placement.warnings,
        )

        def on_rows(rows: RowsDone) -> None:
            record.add_rows(rows.velocity, rows.total)
            self._metrics.frames.inc(len(rows.velocity))

        outcome: JobDone | JobFailed
        try:
            outcome = await self._pool.run(order, lambda: record.move("RUNNING"), on_rows)
        except asyncio.CancelledError:
            outcome = JobFailed(record.code or "cancelled", record.detail or "The job was cancelled.")
        except Exception:
            log.exception("job %s could not be run", record.request_id)
            outcome = JobFailed("internal", "The job could not be run.")
        if isinstance(outcome, JobDone):
            record.result = outcome.result
            record.archive, record.archive_bytes = archive, archive.stat().st_size
            self._metrics.finished(outcome.result)
            self._end(record, "COMPLETED")
            return
        archive.unlink(missing_ok=True)
        archive.with_name(f"{archive.name}.part").unlink(missing_ok=True)
        record.detail = outcome.message
        record.code = outcome.code
        self._end(record, _end_of(outcome.code))

    def _end(self, record: JobRecord, state: Literal["COMPLETED", "FAILED", "CANCELLED"]) -> None:
        self._active.discard(record)
        self._tasks.pop(record.request_id, None)
        self._store.remove_work(record.folder)
        if not record.is_final:
            self._metrics.jobs.labels(outcome=state.lower(), code=record.code or "").inc()
        record.move(state)

    async def _supersede(self, job_id: str) -> None:
        before = self._latest.get(job_id)
        if before is not None and not before.is_final:
            log.info("job %s was sent again: the one before is stopped", before.request_id)
            await self.cancel(before, "The job was sent again, which cancelled this one.")

    @property
    def _is_full(self) -> bool:
        return len(self._active) >= self._settings.slots + self._settings.queue

    def _retry_after(self) -> int:
        left = [seconds for record in self._active if (seconds := record.seconds_left()) is not None]
        return max(1, min(60, round(min(left, default=_USUAL_WAIT_SECONDS))))

    async def _sweep(self) -> None:
        """Clears away old results, and ends jobs that show no sign of life."""
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            with contextlib.suppress(OSError):
                self._clear_results()
            now = time.monotonic()
            stalled = [
                record
                for record in self._active
                if record.state == "RUNNING" and now - record.touched > self._settings.stall_seconds
            ]
            for record in stalled:
                log.error("job %s shows no sign of life and is stopped", record.request_id)
                await self.cancel(record, "The job showed no sign of life.", "internal")

    def _clear_results(self) -> None:
        final = [record for record in self._records.values() if record.is_final]
        held = sum(record.archive_bytes for record in final if record.archive is not None)
        now = time.monotonic()
        for place, record in enumerate(final):
            is_old = now - record.touched > self._settings.results_seconds
            if record.archive is not None and (is_old or held > self._settings.results_bytes):
                record.archive.unlink(missing_ok=True)
                held -= record.archive_bytes
                record.archive = None
            if is_old or len(final) - place > _MOST_REMEMBERED:
                self._forget(record)

    def _forget(self, record: JobRecord) -> None:
        if record.archive is not None:
            record.archive.unlink(missing_ok=True)
        self._records.pop(record.request_id, None)
        if self._latest.get(record.job_id) is record:
            del self._latest[record.job_id]


def _end_of(code: str) -> Literal["FAILED", "CANCELLED"]:
    return "CANCELLED" if code == "cancelled" else "FAILED"
