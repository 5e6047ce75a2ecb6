"""Watt-hours: from meters, shared fairly; by estimates that another library shares."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from infernode_model_server.energy.job_meter import JobMeter, PowerAssumptions
from infernode_model_server.energy.nvml import GpuMeter
from infernode_model_server.energy.rapl import RaplMeter

ASSUMED = PowerAssumptions(busy_core=10, gpu=300)
_JOULES_PER_WH = 3600


class FakeMachine:
    """Files as Linux shows them."""

    def __init__(self, folder: Path, *, with_memory: bool = True) -> None:
        self.powercap = folder / "powercap"
        self.stat = folder / "stat"
        domains = {"intel-rapl:0": "package-0", "intel-rapl:0:0": "core"}
        if with_memory:
            domains["intel-rapl:0:1"] = "dram"
        for place, name in domains.items():
            domain = self.powercap / place
            domain.mkdir(parents=True)
            (domain / "name").write_text(f"{name}\n")
            (domain / "max_energy_range_uj").write_text("1000000000\n")
        self.set("package-0", 900)
        self.set("core", 1)
        self.set("dram", 10)
        self.busy(0)

    def set(self, name: str, joules: float) -> None:
        for domain in self.powercap.iterdir():
            if (domain / "name").read_text().strip() == name:
                (domain / "energy_uj").write_text(f"{int(joules * 1e6)}\n")

    def busy(self, seconds: float) -> None:
        # user nice system idle iowait irq softirq steal guest guest_nice
        self.stat.write_text(f"cpu  {int(seconds * 100)} 0 0 12345 678 0 0 0 0 0\ncpu0 1 2 3\n")


def test_a_job_pays_for_its_share_of_the_machine(tmp_path: Path) -> None:
    machine = FakeMachine(tmp_path)
    meter = JobMeter(ASSUMED, RaplMeter(machine.powercap, machine.stat))
    meter.foreign_cpu_seconds = 25
    own = meter.cpu_seconds
    machine.set("package-0", 960)
    machine.set("dram", 20)
    machine.set("core", 1000)
    machine.busy(4 * own)
    energy = meter.energy()
    assert energy.method == "measured"
    assert energy.cpu_wh == pytest.approx(60 / 4 / _JOULES_PER_WH, rel=0.05)
    assert energy.memory_wh == pytest.approx(10 / 4 / _JOULES_PER_WH, rel=0.05)
    assert energy.gpu_wh is None
    assert "RAPL" in energy.source


def test_nobody_pays_for_more_than_there_was(tmp_path: Path) -> None:
    machine = FakeMachine(tmp_path)
    meter = JobMeter(ASSUMED, RaplMeter(machine.powercap, machine.stat))
    meter.foreign_cpu_seconds = 25
    machine.set("package-0", 930)
    assert meter.energy().cpu_wh == pytest.approx(30 / _JOULES_PER_WH)


def test_a_counter_that_starts_anew_goes_on(tmp_path: Path) -> None:
    machine = FakeMachine(tmp_path, with_memory=False)
    meter = RaplMeter(machine.powercap, machine.stat)
    machine.set("package-0", 990)
    meter.sample()
    machine.set("package-0", 5)
    meter.sample()
    assert meter.processor_wh == pytest.approx((90 + 15) / _JOULES_PER_WH)
    assert meter.memory_wh is None


def test_without_counters_there_is_no_meter(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="no energy counters"):
        RaplMeter(tmp_path / "nothing")


def test_an_estimate_says_what_it_assumes() -> None:
    meter = JobMeter(ASSUMED, None)
    meter.foreign_cpu_seconds = 360
    meter.gpu_seconds = 12
    energy = meter.energy()
    assert energy.method == "estimated"
    assert energy.cpu_wh == pytest.approx(1, rel=0.1)
    assert energy.gpu_wh == pytest.approx(1)
    assert energy.memory_wh is not None
    assert energy.total_wh == pytest.approx(energy.cpu_wh + energy.gpu_wh + energy.memory_wh)
    assert all(words in energy.source for words in ("10 W per busy core", "3 W per 8 GB", "300 W"))


def test_a_meter_for_the_gpu_alone_does_not_make_it_measured() -> None:
    meter = JobMeter(ASSUMED, None)
    meter.gpu_seconds, meter.gpu_wh = 12, 0.7
    energy = meter.energy()
    assert (energy.method, energy.gpu_wh) == ("estimated", 0.7)
    assert "NVML" in energy.source


def test_without_a_gpu_there_is_no_gpu_meter() -> None:
    # No machine has so many.
    with pytest.raises(OSError, match="GPU 99 has no energy meter"):
        GpuMeter(99)


def test_the_estimate_is_that_of_codecarbon() -> None:
    python = os.environ.get("CODECARBON_PYTHON", "")
    if python == "":
        pytest.skip("CODECARBON_PYTHON names no Python with CodeCarbon, whose packages fit no system's PyTorch")
    script = Path(__file__).with_name("codecarbon_figures.py")
    asked = [python, str(script), "85", "90", "360"]
    told = json.loads(subprocess.run(asked, capture_output=True, text=True, check=True).stdout)
    meter = JobMeter(PowerAssumptions(busy_core=85 / told["cores"], gpu=0), None)
    meter.foreign_cpu_seconds = 90 - meter.cpu_seconds
    assert meter.energy().cpu_wh == pytest.approx(told["wh"], rel=1e-3)
