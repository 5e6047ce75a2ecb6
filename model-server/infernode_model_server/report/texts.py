"""The tables of the archive."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from .result import JobParameters, JobResult
from .trajectory import ASSUMED_FRAME_RATE, camera_path


def velocity_csv(parameters: JobParameters, result: JobResult) -> Iterator[str]:
    """One line per processed frame; m/s, rad/s, number of inliers, problem (empty when there is none)."""
    yield "frame,vx,vy,vz,wx,wy,wz,inliers,problem\n"
    for row, frame in enumerate(result.frames):
        velocity = ",".join(map(number, frame.velocity))
        yield f"{parameters.frame_of(row)},{velocity},{frame.inliers},{frame.problem or ''}\n"


def trajectory_csv(parameters: JobParameters, result: JobResult) -> Iterator[str]:
    """Pose at each processed frame in the frame of reference of the first; metres, rotation vector in rad."""
    yield "frame,seconds,x,y,z,rx,ry,rz,path_length\n"
    velocities = [frame.velocity for frame in result.frames]
    path = camera_path(velocities, parameters.frame_step, parameters.frame_rate or ASSUMED_FRAME_RATE)
    for row, point in enumerate(path):
        values = (point.seconds, *point.position, *point.rotation, point.path_length)
        yield f"{parameters.frame_of(row)},{','.join(number(float(value)) for value in values)}\n"


def result_json(parameters: JobParameters, result: JobResult) -> Iterator[str]:
    """Everything that is known of the job, one frame per line, by the names that the platform uses."""
    head = {
        "parameters": {
            "startFrame": parameters.start_frame,
            "endFrame": parameters.end_frame,
            "frameStep": parameters.frame_step,
            "goalFrameId": parameters.goal_frame,
            "detector": parameters.detector,
            "policy": parameters.policy,
            "useGpus": parameters.device != "cpu",
            "intrinsics": asdict(parameters.intrinsics),
            "distance": parameters.distance,
            "visualize": parameters.visualize,
        },
        "goal": {"frame": parameters.goal_frame, "keypoints": result.goal_keypoints},
        "device": result.device,
        "model": None if result.model is None else asdict(result.model),
        "usage": {
            "wallSeconds": result.usage.wall_seconds,
            "cpuSeconds": result.usage.cpu_seconds,
            "gpuSeconds": result.usage.gpu_seconds,
        },
        "energy": asdict(result.energy),
        "message": result.message,
        "warnings": result.warnings,
    }
    text = json.dumps(head, indent=2, ensure_ascii=False)
    yield f'{text[: text.rindex("}")].rstrip()},\n  "velocity": [\n'
    yield from _rows([list(frame.velocity) for frame in result.frames])
    yield '  ],\n  "frames": [\n'
    yield from _rows([frame_json(parameters, result, row) for row in range(len(result.frames))])
    yield '  ],\n  "frame_errors": [\n'
    yield from _rows(result.frame_errors(parameters))
    yield "  ]\n}\n"


def frame_json(parameters: JobParameters, result: JobResult, row: int) -> dict[str, Any]:
    frame = result.frames[row]
    return {
        "frame": parameters.frame_of(row),
        "keypoints": frame.keypoints,
        "matches": frame.matches,
        "inliers": frame.inliers,
        "featureErrorPx": frame.feature_error_px,
        "problem": frame.problem,
    }


def number(value: float) -> str:
    """Full precision, whole numbers without a point."""
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def _rows(values: list[Any]) -> Iterator[str]:
    for place, value in enumerate(values):
        yield f"    {json.dumps(value, ensure_ascii=False)}{'' if place == len(values) - 1 else ','}\n"
