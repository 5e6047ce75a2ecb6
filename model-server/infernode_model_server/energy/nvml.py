"""The energy counter of an NVIDIA GPU."""

from __future__ import annotations

import pynvml

_MILLIJOULES_PER_WH = 3_600_000


class GpuMeter:
    """
    Raises:
        OSError: there is no GPU of this number, or it has no meter
    """

    def __init__(self, index: int) -> None:
        try:
            pynvml.nvmlInit()
            self._handle = pynvml.nvmlDeviceGetHandleByIndex(index)
            # Cards before Volta know their power only, and no sum of it.
            self.read_wh()
        except pynvml.NVMLError as error:
            raise OSError(f"GPU {index} has no energy meter: {error}") from error

    def read_wh(self) -> float:
        """Watt-hours since the driver was loaded."""
        return float(pynvml.nvmlDeviceGetTotalEnergyConsumption(self._handle)) / _MILLIJOULES_PER_WH

    def utilisation(self) -> float:
        """Share of the last moment in which the GPU worked, 0 to 1."""
        return float(pynvml.nvmlDeviceGetUtilizationRates(self._handle).gpu) / 100
