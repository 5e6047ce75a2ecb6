"""Frames per second of the network by batch size: jobs that are computed together, with sixteen frames each.

Run:  python benchmarks/network.py [--device cuda:0] [--points 1500] [--weights cns.safetensors] [--seconds 3]

Weights change nothing about the speed; without a file random ones are taken. Prints a table in Markdown.
"""

from __future__ import annotations

import argparse
import datetime
import platform
import sys
import time
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from infernode_model_server.cns.graph import GoalGraph, VisiblePoints, cluster
from infernode_model_server.cns.network import Chunk, CnsNetwork
from infernode_model_server.cns.weights import TENSOR_SHAPES, load_weights
from infernode_model_server.energy.nvml import GpuMeter
from infernode_model_server.jobs.servo_job import CHUNK_FRAMES

_BATCHES = (1, 2, 4, 8, 16, 32, 64)
#: Share of the goal's points that a frame shows.
_VISIBLE = 0.6


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--device", default="cuda:0" if torch.cuda.is_available() else "cpu")
    arguments.add_argument("--points", type=int, default=1500)
    arguments.add_argument("--weights", type=Path)
    arguments.add_argument("--seconds", type=float, default=3.0)
    arguments.add_argument("--batches", type=int, nargs="*", default=_BATCHES)
    options = arguments.parse_args()
    device = torch.device(options.device)
    if options.weights is None:
        tensors = {name: torch.randn(shape) / 16 for name, shape in TENSOR_SHAPES.items()}
    else:
        tensors = load_weights(options.weights).tensors
    network = CnsNetwork(tensors, device)
    random = np.random.default_rng(1)
    points = random.uniform(-0.5, 0.5, (options.points, 2))
    clusters, centers = cluster(points)
    graph = GoalGraph(points, clusters, centers, np.arange(len(points)))
    goal = network.prepare(graph)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{platform.processor() or 'CPU'}"
    meter = _meter(device)
    print(f"{datetime.datetime.now(tz=datetime.timezone.utc):%Y-%m-%d}, {name}, PyTorch {torch.__version__}, ", end="")
    print(f"{torch.get_num_threads()} threads, {options.points} keypoints, {len(centers)} clusters\n")
    print("| Jobs | Frames per second | CPU ms per frame | GPU memory, MiB | GPU use, % | GPU, mWh per 1000 frames |")
    print("| ---: | ----------------: | ---------------: | --------------: | ---------: | -----------------------: |")
    for jobs in options.batches:
        chunks = [_chunk(network, goal, random, points) for _ in range(jobs)]
        network.run(chunks)
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        energy = None if meter is None else meter.read_wh()
        started, cpu, frames, uses = time.perf_counter(), time.process_time(), 0, []
        while (elapsed := time.perf_counter() - started) < options.seconds:
            network.run(chunks)
            frames += jobs * CHUNK_FRAMES
            if meter is not None:
                uses.append(meter.utilisation())
        rate = frames / elapsed
        cpu_ms = 1000 * (time.process_time() - cpu) / frames
        memory = f"{torch.cuda.max_memory_allocated(device) / 2**20:.0f}" if device.type == "cuda" else "–"
        use = f"{100 * float(np.mean(uses)):.0f}" if uses else "–"
        per_frame = "–" if meter is None or energy is None else f"{(meter.read_wh() - energy) / frames * 1e6:.2f}"
        print(f"| {jobs} | {rate:.0f} | {cpu_ms:.2f} | {memory} | {use} | {per_frame} |", flush=True)


def _chunk(network: CnsNetwork, goal: object, random: np.random.Generator, points: np.ndarray) -> Chunk:
    frames = []
    for _ in range(CHUNK_FRAMES):
        seen = np.sort(random.permutation(len(points))[: int(_VISIBLE * len(points))])
        frames.append(VisiblePoints(seen, points[seen] + random.normal(0, 0.02, (len(seen), 2))))
    return Chunk(goal, network.first_state(goal), frames)  # type: ignore[arg-type]


def _meter(device: torch.device) -> GpuMeter | None:
    try:
        return GpuMeter(device.index or 0) if device.type == "cuda" else None
    except OSError:
        return None


if __name__ == "__main__":
    main()
