"""What Prometheus is told."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector

from ..report.result import JobResult

_SECONDS = (0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)


class ServerMetrics:
    """A registry of its own, so that several servers can live in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.jobs = Counter("model_server_jobs", "Jobs that have ended.", ["outcome", "code"], registry=self.registry)
        self.frames = Counter("model_server_frames", "Frames that were processed.", registry=self.registry)
        self.upload_bytes = Counter("model_server_upload_bytes", "Bytes of jobs received.", registry=self.registry)
        self.worker_restarts = Counter(
            "model_server_worker_restarts", "Workers that died or were killed.", registry=self.registry
        )
        self.slots = Gauge("model_server_slots", "Jobs that can be worked on at once.", registry=self.registry)
        self.in_flight = Gauge(
            "model_server_jobs_in_flight", "Jobs that are received or worked on.", registry=self.registry
        )
        self.queued = Gauge("model_server_jobs_queued", "Jobs that wait for a slot.", registry=self.registry)
        self.gpu_memory = Gauge(
            "model_server_gpu_memory_peak_bytes", "Most GPU memory ever taken.", ["kind"], registry=self.registry
        )
        self.gpu_utilisation = Gauge(
            "model_server_gpu_utilisation_ratio", "Share of time in which the GPU works.", registry=self.registry
        )
        self.network_batches = Gauge(
            "model_server_network_batches", "Batches since the network's start.", registry=self.registry
        )
        self.network_frames = Gauge("model_server_network_frames", "Frames in those batches.", registry=self.registry)
        self.network_seconds = Gauge(
            "model_server_network_seconds", "Seconds that those batches took.", registry=self.registry
        )
        self._stages = Histogram(
            "model_server_stage_seconds",
            "Seconds of a job by stage.",
            ["stage"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._energy = Counter(
            "model_server_energy_wh", "Watt-hours of jobs.", ["part", "method"], registry=self.registry
        )

    def finished(self, result: JobResult) -> None:
        for stage, seconds in result.usage.stages.items():
            self._stages.labels(stage=stage).observe(seconds)
        energy = result.energy
        for part, watt_hours in (("cpu", energy.cpu_wh), ("gpu", energy.gpu_wh), ("memory", energy.memory_wh)):
            if watt_hours is not None:
                self._energy.labels(part=part, method=energy.method).inc(watt_hours)
