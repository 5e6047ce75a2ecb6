"""Energy counters of Intel and AMD processors, as Linux shows them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

POWERCAP = Path("/sys/class/powercap")
PROC_STAT = Path("/proc/stat")
_MICROJOULES_PER_WH = 3_600_000_000
#: The kernel counts processor time in this unit on every Linux architecture (`USER_HZ`).
_TICKS_PER_SECOND = 100
#: Columns of the first line of proc(5)'s `stat` in which the processors rest: idle and iowait.
_RESTING = (3, 4)


@dataclass(frozen=True)
class _Domain:
    counter: Path
    #: The counter starts anew after this many microjoules.
    range: int
    is_memory: bool


class RaplMeter:
    """What the processors and the memory of this machine take, from its start on.

    The counters are the machine's: `machine_busy_seconds` tells what a job's own processor seconds are a share of. `sample`
    has to be called every few minutes, or a counter may start anew twice unseen.
    """

    def __init__(self, powercap: Path = POWERCAP, stat: Path = PROC_STAT) -> None:
        """
        Raises:
            OSError: there are no counters, or they may not be read
        """
        self._stat = stat
        self._domains = list(_domains(powercap))
        if not any(not domain.is_memory for domain in self._domains):
            raise OSError(f"no energy counters under {powercap}")
        self._last = [_read(domain.counter) for domain in self._domains]
        self._totals = [0] * len(self._domains)
        self._busy_at_start = self._busy_ticks()

    def sample(self) -> None:
        for place, domain in enumerate(self._domains):
            now = _read(domain.counter)
            passed = now - self._last[place]
            self._totals[place] += passed if passed >= 0 else passed + domain.range
            self._last[place] = now

    @property
    def processor_wh(self) -> float:
        return self._sum(is_memory=False)

    @property
    def memory_wh(self) -> float | None:
        """None where processors do not say."""
        return self._sum(is_memory=True) if any(domain.is_memory for domain in self._domains) else None

    @property
    def machine_busy_seconds(self) -> float:
        """Processor seconds of all processes together."""
        return (self._busy_ticks() - self._busy_at_start) / _TICKS_PER_SECOND

    def _sum(self, *, is_memory: bool) -> float:
        pairs = zip(self._domains, self._totals, strict=True)
        return sum(total for domain, total in pairs if domain.is_memory == is_memory) / _MICROJOULES_PER_WH

    def _busy_ticks(self) -> int:
        with self._stat.open() as file:
            columns = [int(value) for value in file.readline().split()[1:9]]
        return sum(value for column, value in enumerate(columns) if column not in _RESTING)


def _domains(powercap: Path) -> list[_Domain]:
    """Packages, and the memory beside them; cores are a part of their package and would count twice."""
    domains = []
    for name_file in sorted(powercap.glob("intel-rapl*/name")) if powercap.is_dir() else []:
        name = name_file.read_text().strip()
        if name.startswith("package") or name == "dram":
            folder = name_file.parent
            largest = _read(folder / "max_energy_range_uj")
            domains.append(_Domain(folder / "energy_uj", largest, name == "dram"))
    return domains


def _read(path: Path) -> int:
    return int(path.read_text())
