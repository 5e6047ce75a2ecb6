"""What can be set, by environment variables."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

_GIB = 1024**3


class SettingsError(Exception):
    """A setting that makes no sense; the message names it."""


class Settings(BaseModel):
    """Names in the environment: `MODEL_SERVER_` and the name in capitals, but for the two that the platform shares."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes any that is free.")
    token: str = Field("", repr=False, description="Who knows it may use the server; empty lets everybody.")
    data_dir: Path = Field(Path("data"), description="Folder for uploads and results; one server uses it at a time.")
    slots: int = Field(1, ge=1, le=256, description="Jobs that are worked on at the same time.")
    queue: int = Field(0, ge=0, le=1024, description="Jobs that may wait for a slot; beyond them the answer is 409.")
    threads: int = Field(0, ge=0, le=256, description="Threads per job; 0: the processors, divided by the slots.")
    max_upload_bytes: int = Field(8 * _GIB, ge=1, description="Largest body of a job, both videos together.")
    upload_idle_seconds: float = Field(60, gt=0, description="An upload that sends nothing for so long is given up.")
    stop_seconds: float = Field(0.4, gt=0, le=9, description="A job that has not stopped by itself by then is killed.")
    stall_seconds: float = Field(600, gt=0, description="A job without a sign of life for so long is killed.")
    drain_seconds: float = Field(30, ge=0, description="What running jobs get to end in when the server is stopped.")
    results_seconds: float = Field(3600, gt=0, description="How long results can be fetched.")
    results_bytes: int = Field(20 * _GIB, ge=0, description="Disk space of results; the oldest go first.")
    cpu_watts: float = Field(10, ge=0, description="Power of one busy core, where processors have no meter.")
    gpu_watts: float = Field(300, ge=0, description="Power of a working GPU, where it has no meter.")
    cns_weights: Path | None = Field(None, description="`CNS_WEIGHTS`: safetensors file for the policy cns.")
    carbon_intensity: float = Field(445, ge=0, description="`CARBON_INTENSITY`: grams CO2e per kWh of the grid.")
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$", description="Least level that is logged.")

    @property
    def threads_per_job(self) -> int:
        return self.threads or max(1, processors() // self.slots)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """
        Raises:
            SettingsError: a value makes no sense, or a name is unknown
        """
        names = {environment_name(field): field for field in cls.model_fields}
        ours = {name: value for name, value in environment.items() if name.startswith(_PREFIX) or name in names}
        # MODEL_SERVER_PYTHON tells the launcher which Python to take.
        unknown = sorted(ours.keys() - names.keys() - {f"{_PREFIX}PYTHON"})
        if unknown:
            raise SettingsError(f"{unknown[0]} is no setting. There are: {', '.join(sorted(names))}.")
        given = {names[name]: value for name, value in ours.items() if name in names and value != ""}
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            first = error.errors()[0]
            name = environment_name(str(first["loc"][0]))
            # Not the value: it may be a secret.
            raise SettingsError(f"{name}: {first['msg']}.") from None


_PREFIX = "MODEL_SERVER_"
_SHARED = ("cns_weights", "carbon_intensity")


def environment_name(field: str) -> str:
    return field.upper() if field in _SHARED else f"{_PREFIX}{field.upper()}"


def processors() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
