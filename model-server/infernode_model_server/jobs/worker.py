"""The process that works on one job after another, so that a crash is an event and no outage."""

from __future__ import annotations

import logging
import os
import signal
from multiprocessing.connection import Connection

import cv2

from ..energy.job_meter import JobMeter
from ..errors import JobStoppedError, NotReadyError, UnusableInputError
from ..servo.types import FrameResult
from .messages import JobDone, JobFailed, JobOrder, RowsDone, Stop, WorkerReady
from .network_client import RemoteNetwork
from .servo_job import JobContext, run_servo_job

log = logging.getLogger(__name__)


def worker_main(connection: Connection) -> None:
    """Runs until the other end of the connection is gone."""
    # Ctrl-C reaches the whole group of processes; the server decides what becomes of jobs.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Frames are what is looked at side by side.
    cv2.setNumThreads(1)
    connection.send(WorkerReady())
    while True:
        try:
            order = connection.recv()
        except (EOFError, OSError):
            return
        # A stop that came after the end of its job.
        if isinstance(order, JobOrder):
            answer = _work(order, connection)
            try:
                connection.send(answer)
            except OSError:
                return


def _work(order: JobOrder, connection: Connection) -> JobDone | JobFailed:
    meter = JobMeter.start(order.power)
    network = None if order.network is None else RemoteNetwork(order.network, order.device, meter)

    def is_stopped() -> bool:
        try:
            return connection.poll() and isinstance(connection.recv(), Stop)
        except (EOFError, OSError):
            # Nobody is left who would want the result.
            return True

    def on_rows(rows: list[FrameResult]) -> None:
        connection.send(RowsDone([row.velocity for row in rows], order.parameters.total))

    try:
        on_rows([])
        return JobDone(run_servo_job(order, JobContext(is_stopped, on_rows, meter, network)))
    except JobStoppedError:
        return JobFailed("cancelled", "The job was stopped.")
    except UnusableInputError as error:
        return JobFailed("unusable-input", str(error))
    except NotReadyError as error:
        return JobFailed("not-ready", str(error))
    except Exception as error:  # noqa: BLE001: whatever went wrong, the next job deserves its turn
        log.exception("a job failed in process %d", os.getpid())
        return JobFailed("internal", f"The job failed: {type(error).__name__}.")
