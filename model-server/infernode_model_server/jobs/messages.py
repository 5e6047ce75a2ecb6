"""What the server and its processes say to each other. Pickled: both ends are this program."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ..energy.job_meter import PowerAssumptions
from ..report.result import JobParameters, JobResult
from ..servo.types import Floats, ModelIdentity


@dataclass(frozen=True)
class NetworkAddress:
    """Where the network listens."""

    path: str
    key: bytes = field(repr=False)
    identity: ModelIdentity
    #: `cpu`, and `cuda:N` for each GPU.
    devices: tuple[str, ...]


@dataclass(frozen=True)
class JobOrder:
    parameters: JobParameters
    goal_video: Path
    current_video: Path
    #: Does not exist yet; its folder does.
    archive: Path
    #: Where the network runs for this job; `cpu` for a policy without one.
    device: str
    #: For the policy `cns`.
    network: NetworkAddress | None
    power: PowerAssumptions
    threads: int
    #: What was decided before the job began, in words.
    warnings: tuple[str, ...] = ()


# From the worker to the server.


@dataclass(frozen=True)
class WorkerReady:
    pass


@dataclass(frozen=True)
class RowsDone:
    """Rows of the result that are finished for good, in order; perhaps none."""

    velocity: list[tuple[float, ...]]
    total: int


@dataclass(frozen=True)
class JobDone:
    result: JobResult


@dataclass(frozen=True)
class JobFailed:
    #: `unusable-input`, `not-ready`, `internal` or `cancelled`.
    code: str
    message: str


# From the server to the worker: a JobOrder, or this.


@dataclass(frozen=True)
class Stop:
    pass


# From the network to a worker.


@dataclass(frozen=True)
class NetworkOutput:
    #: [F, 7]
    outputs: Floats
    cpu_seconds: float
    gpu_seconds: float
    #: None without a meter.
    gpu_wh: float | None


@dataclass(frozen=True)
class NetworkFailed:
    message: str


# From the network to the server.


@dataclass(frozen=True)
class NetworkReady:
    identity: ModelIdentity
    devices: tuple[str, ...]


@dataclass(frozen=True)
class NetworkStatistics:
    """Since the network started."""

    batches: int
    frames: int
    seconds: float
    #: Most memory of a GPU that tensors took, and that was reserved for them; bytes.
    gpu_memory_peak: int
    gpu_memory_reserved: int
    #: Share of the last moment in which the GPU worked; None where nobody knows.
    gpu_utilisation: float | None
