"""The process that holds the network and its GPUs for all jobs.

Each job has a connection; what several of them ask at the same time is computed together. While one batch is computed the
questions for the next one gather.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections import defaultdict
from dataclasses import dataclass
from multiprocessing.connection import Connection, Listener
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np
import torch

from ..cns.graph import VisiblePoints
from ..cns.network import Chunk, CnsNetwork
from ..cns.weights import MODEL_NAME, CnsWeights, WeightsError, load_weights
from ..energy.nvml import GpuMeter
from ..servo.types import ModelIdentity
from .messages import NetworkFailed, NetworkOutput, NetworkReady, NetworkStatistics

log = logging.getLogger(__name__)

#: Points of all frames of a batch, at most: bounds the memory that a batch takes to about 2 GB.
MAXIMUM_BATCH_POINTS = 200_000
_STATISTICS_EVERY_SECONDS = 1.0


def network_main(control: Connection, weights: Path, socket: str, key: bytes, threads: int) -> None:
    """Answers until the other end of `control` is gone; tells it when it is ready, or why it cannot be."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(threads)
    try:
        loaded = load_weights(weights)
    except WeightsError as error:
        control.send(NetworkFailed(str(error)))
        return
    host = NetworkHost(loaded)
    with Listener(socket, family="AF_UNIX", backlog=64, authkey=key) as listener:
        threading.Thread(target=_accept, args=(listener, host), daemon=True).start()
        control.send(NetworkReady(host.identity, host.devices))
        _watch(control, host)
        host.serve()


@dataclass
class _Session:
    connection: Connection
    device: str | None = None
    chunk: Chunk | None = None


@dataclass(frozen=True)
class _Question:
    session: _Session
    content: Any


@dataclass
class _Device:
    network: CnsNetwork
    meter: GpuMeter | None = None


@dataclass
class _Totals:
    batches: int = 0
    frames: int = 0
    seconds: float = 0.0


class NetworkHost:
    def __init__(self, weights: CnsWeights) -> None:
        self.identity = ModelIdentity(MODEL_NAME, weights.digest)
        gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
        self.devices = ("cpu", *(f"cuda:{index}" for index in range(gpus)))
        self._weights = weights
        self._opened: dict[str, _Device] = {}
        self._questions: SimpleQueue[_Question | None] = SimpleQueue()
        self._totals = _Totals()

    def ask(self, question: _Question) -> None:
        self._questions.put(question)

    def stop(self) -> None:
        self._questions.put(None)

    def serve(self) -> None:
        while True:
            batch = self._gathered()
            if batch is None:
                return
            by_device: dict[str, list[_Question]] = defaultdict(list)
            for question in batch:
                if question.session.chunk is None:
                    self._begin(question)
                else:
                    by_device[question.session.device or "cpu"].append(question)
            for device, questions in by_device.items():
                for group in _groups(questions):
                    self._run(self._opened[device], group)

    def statistics(self) -> NetworkStatistics:
        gpus = [device for device in self.devices if device != "cpu"]
        meters = [device.meter for device in self._opened.values() if device.meter is not None]
        totals = self._totals
        return NetworkStatistics(
            totals.batches,
            totals.frames,
            totals.seconds,
            gpu_memory_peak=max((torch.cuda.max_memory_allocated(gpu) for gpu in gpus), default=0),
            gpu_memory_reserved=max((torch.cuda.max_memory_reserved(gpu) for gpu in gpus), default=0),
            gpu_utilisation=max((meter.utilisation() for meter in meters), default=None),
        )

    def _gathered(self) -> list[_Question] | None:
        """All that was asked meanwhile, at least one; None when there is to be an end."""
        first = self._questions.get()
        batch = [first]
        try:
            while True:
                batch.append(self._questions.get_nowait())
        except Empty:
            pass
        return None if None in batch else [question for question in batch if question is not None]

    def _begin(self, question: _Question) -> None:
        device, graph = question.content
        try:
            network = self._device(device).network
            goal = network.prepare(graph)
            question.session.chunk = Chunk(goal, network.first_state(goal), [])
            question.session.device = device
        except (RuntimeError, ValueError) as error:
            _answer(question, NetworkFailed(_in_words(error)))
        else:
            _answer(question, NetworkOutput(np.zeros((0, 7)), 0.0, 0.0, None))

    def _device(self, name: str) -> _Device:
        if name not in self.devices:
            raise ValueError(f"there is no device {name}")
        if name not in self._opened:
            meter = None
            if name != "cpu":
                try:
                    meter = GpuMeter(int(name.split(":")[1]))
                except OSError as error:
                    log.warning("energy of %s is estimated: %s", name, error)
            self._opened[name] = _Device(CnsNetwork(self._weights.tensors, torch.device(name)), meter)
        return self._opened[name]

    def _run(self, device: _Device, group: list[_Question]) -> None:
        chunks = []
        for question in group:
            chunk = question.session.chunk
            if chunk is None:
                raise AssertionError("a session without a goal was asked for velocities")
            chunk.frames = question.content
            chunks.append(chunk)
        on_gpu = device.network.device.type == "cuda"
        energy = None if device.meter is None else device.meter.read_wh()
        started, cpu = time.monotonic(), time.thread_time()
        try:
            # Copying the outputs waits for the GPU.
            outputs = device.network.run(chunks)
        except RuntimeError as error:
            log.exception("a batch of %d jobs failed", len(group))
            for question in group:
                _answer(question, NetworkFailed(_in_words(error)))
            return
        seconds, cpu = time.monotonic() - started, time.thread_time() - cpu
        used = None if energy is None or device.meter is None else device.meter.read_wh() - energy
        frames = sum(len(question.content) for question in group)
        self._totals.batches += 1
        self._totals.frames += frames
        self._totals.seconds += seconds
        for question, output in zip(group, outputs, strict=True):
            share = len(question.content) / frames
            answer = NetworkOutput(
                np.asarray(output.numpy(), np.float64),
                cpu_seconds=cpu * share,
                gpu_seconds=seconds * share if on_gpu else 0.0,
                gpu_wh=None if used is None else used * share,
            )
            _answer(question, answer)


def _groups(questions: list[_Question]) -> list[list[_Question]]:
    """As few batches as memory allows."""
    groups: list[list[_Question]] = [[]]
    points = 0
    for question in questions:
        frames: list[VisiblePoints] = question.content
        size = sum(map(len, frames))
        if groups[-1] and points + size > MAXIMUM_BATCH_POINTS:
            groups.append([])
            points = 0
        groups[-1].append(question)
        points += size
    return groups


def _accept(listener: Listener, host: NetworkHost) -> None:
    while True:
        try:
            connection = listener.accept()
        except OSError:
            # Closed: the process ends.
            return
        except Exception:  # noqa: BLE001: a stranger without the key is none of the jobs' business
            log.warning("a connection to the network was refused", exc_info=True)
            continue
        threading.Thread(target=_listen, args=(_Session(connection), host), daemon=True).start()


def _listen(session: _Session, host: NetworkHost) -> None:
    with session.connection:
        while True:
            try:
                content = session.connection.recv()
            except (EOFError, OSError):
                # The job is over, or its worker is: with the session its state goes.
                return
            host.ask(_Question(session, content))


def _answer(question: _Question, answer: NetworkOutput | NetworkFailed) -> None:
    try:
        question.session.connection.send(answer)
    except OSError:
        log.info("a job ended before its answer")


def _watch(control: Connection, host: NetworkHost) -> None:
    """Ends this process with its parent, and tells the parent now and then how it goes."""

    def watch() -> None:
        try:
            while not control.poll(_STATISTICS_EVERY_SECONDS):
                control.send(host.statistics())
            control.recv()
        except (EOFError, OSError):
            pass
        host.stop()

    threading.Thread(target=watch, daemon=True).start()


def _in_words(error: Exception) -> str:
    if isinstance(error, torch.cuda.OutOfMemoryError):
        return "the GPU has no memory left"
    return f"{type(error).__name__} in the network"
