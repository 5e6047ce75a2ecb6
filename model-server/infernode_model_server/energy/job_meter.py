"""What one job takes, in the process that works on it alone."""

from __future__ import annotations

import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from ..report.result import Energy
from .rapl import RaplMeter

#: Watts of a GiB of memory: 3 W for 8 GB, as CodeCarbon counts it.
MEMORY_WATTS_PER_GIB = 0.375 * 1.073741824
#: Counters of processors start anew after a quarter of an hour under full load at the earliest.
_SAMPLE_EVERY_SECONDS = 30.0


@dataclass(frozen=True)
class PowerAssumptions:
    """Watts, for what has no meter."""

    busy_core: float
    gpu: float


class JobMeter:
    """Starts to count when it is made."""

    def __init__(self, assumptions: PowerAssumptions, rapl: RaplMeter | None) -> None:
        self._assumptions = assumptions
        self._rapl = rapl
        self._started = time.monotonic()
        self._sampled = self._started
        self._cpu_at_start = time.process_time()
        #: Added by whoever works for this job elsewhere.
        self.foreign_cpu_seconds = 0.0
        self.gpu_seconds = 0.0
        #: Watt-hours of the GPU by its own meter; None without one.
        self.gpu_wh: float | None = None

    @classmethod
    def start(cls, assumptions: PowerAssumptions) -> JobMeter:
        try:
            return cls(assumptions, RaplMeter())
        except OSError:
            # Most virtual machines have no counters, and most systems keep them from other users than root.
            return cls(assumptions, None)

    def tick(self) -> None:
        """Call now and then."""
        if self._rapl is not None and time.monotonic() - self._sampled >= _SAMPLE_EVERY_SECONDS:
            self._rapl.sample()
            self._sampled = time.monotonic()

    @property
    def wall_seconds(self) -> float:
        return time.monotonic() - self._started

    @property
    def cpu_seconds(self) -> float:
        return time.process_time() - self._cpu_at_start + self.foreign_cpu_seconds

    def energy(self) -> Energy:
        cpu_wh, memory_wh, sources = self._machine()
        gpu_wh = self.gpu_wh
        if self.gpu_seconds > 0 and gpu_wh is None:
            gpu_wh = self.gpu_seconds * self._assumptions.gpu / 3600
            sources.append(f"GPU: {self._assumptions.gpu:g} W while it worked")
        elif gpu_wh is not None:
            sources.append("GPU: NVML, shared by frames")
        is_measured = self._rapl is not None and (self.gpu_seconds == 0 or self.gpu_wh is not None)
        return Energy("measured" if is_measured else "estimated", cpu_wh, gpu_wh, memory_wh, "; ".join(sources))

    def _machine(self) -> tuple[float, float | None, list[str]]:
        if self._rapl is None:
            watts = self._assumptions.busy_core
            cpu_wh = self.cpu_seconds * watts / 3600
            estimate = _resident_gib() * MEMORY_WATTS_PER_GIB * self.wall_seconds / 3600
            return cpu_wh, estimate, [f"CPU: {watts:g} W per busy core", "memory: 3 W per 8 GB"]
        self._rapl.sample()
        share = min(1.0, self.cpu_seconds / max(self._rapl.machine_busy_seconds, self.cpu_seconds, 1e-9))
        memory_wh = self._rapl.memory_wh
        source = "CPU and memory" if memory_wh is not None else "CPU"
        return (
            self._rapl.processor_wh * share,
            None if memory_wh is None else memory_wh * share,
            [f"{source}: RAPL, shared by processor time"],
        )


def _resident_gib() -> float:
    """Memory that this process holds now; the most it ever held where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1024**3
    return pages * resource.getpagesize() / 1024**3
