"""Asks CodeCarbon, which lives in an environment of its own, for the watt-hours of a process; prints them.

Run:  python codecarbon_figures.py WATTS_OF_THE_PROCESSOR CPU_SECONDS WALL_SECONDS
"""

from __future__ import annotations

import json
import sys
import time

import psutil
from codecarbon.external.hardware import CPU

watts, cpu_seconds, wall_seconds = map(float, sys.argv[1:])
processor = CPU(output_dir=".", mode="cpu_load", model="any", tdp=watts, tracking_mode="process")
# What CodeCarbon would see between two looks at a process.
looks = iter([(1000.0, 0.0), (1000.0 + wall_seconds, cpu_seconds)])
measured = 0.0
for now, used in looks:
    time.time = lambda now=now: now  # type: ignore[assignment]
    processor._get_process_cpu_times = lambda used=used: {1: used}  # type: ignore[method-assign]
    measured = processor._get_power_from_cpu_load().W
sys.stdout.write(json.dumps({"wh": measured * wall_seconds / 3600, "cores": psutil.cpu_count()}))
