"""The real server in a process of its own, and jobs as clients send them."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
from conftest import GOLDEN, GoldenCase

PACKAGE_PARENT = Path(__file__).parents[1]
#: Other work on the machine may be in the way; nothing is ever timed by it.
PATIENCE_SECONDS = 240.0
#: Fifty frames with SIFT take long enough to be interrupted on any machine.
LONG_JOB = {"detector": "SIFT", "end_frame": "59"}


class ServerProcess:
    def __init__(self, folder: Path, **settings: object) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("MODEL_SERVER_") and name not in ("CNS_WEIGHTS", "CARBON_INTENSITY")
        }
        environment |= {
            "PYTHONPATH": str(PACKAGE_PARENT),
            "MODEL_SERVER_PORT": str(self.port),
            "MODEL_SERVER_DATA_DIR": str(folder / "data"),
            **{name: str(value) for name, value in settings.items()},
        }
        self.log_path = folder / "server.log"
        self._log = self.log_path.open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "infernode_model_server"], env=environment, stdout=self._log, stderr=self._log
        )
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=PATIENCE_SECONDS)

    def wait_until_ready(self) -> None:
        def is_ready() -> bool:
            assert self.process.poll() is None, self.log_path.read_text()
            with contextlib.suppress(httpx.TransportError):
                return self.client.get("/health").json()["status"] == "READY"
            return False

        wait_for(is_ready, "the server is ready")

    def stop(self) -> None:
        self.client.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(PATIENCE_SECONDS)
        self._log.close()

    def state(self, job_id: str) -> dict[str, Any]:
        return self.client.get(f"/jobs/{job_id}").json()

    def wait_for_rows(self, job_id: str, rows: int = 1) -> None:
        wait_for(lambda: self.state(job_id).get("processed", 0) >= rows, f"{job_id} has {rows} rows")


@contextlib.contextmanager
def running_server(folder: Path, **settings: object) -> Iterator[ServerProcess]:
    server = ServerProcess(folder, **settings)
    try:
        server.wait_until_ready()
        yield server
    finally:
        server.stop()


def wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.05)


def job_fields(job_id: str, **changes: str | None) -> dict[str, str]:
    """What existing clients send."""
    fields: dict[str, str | None] = {
        "jobId": job_id,
        "device": "cpu",
        "detector": "ORB",
        "goal_frame_idx": "0",
        "frame_step": "1",
        "start_frame": "0",
        "end_frame": "4",
        **changes,
    }
    return {name: value for name, value in fields.items() if value is not None}


def analyze(client: httpx.Client, fields: dict[str, str], **files: object) -> httpx.Response:
    case = GOLDEN / "dev-b-roll"
    content = {
        "goal_video": ("goal.mp4", (case / "goal.mp4").read_bytes()),
        "current_video": ("current.mp4", (case / "current.mp4").read_bytes()),
        **files,
    }
    sent = {name: file for name, file in content.items() if file is not None}
    return client.post("/analyze", data=fields, files=sent)


def golden_fields(case: GoldenCase, job_id: str, detector: str, policy: str) -> dict[str, str]:
    camera = case.intrinsics
    intrinsics = f'{{"fx": {camera.fx}, "fy": {camera.fy}, "cx": {camera.cx}, "cy": {camera.cy}}}'
    return job_fields(
        job_id,
        detector=detector,
        policy=policy,
        goal_frame_idx=str(case.goal_frame),
        end_frame=str(case.frame_count - 1),
        intrinsics=intrinsics,
        distance=str(case.distance),
    )


def code_of(response: httpx.Response) -> str:
    assert response.headers["content-type"] == "application/problem+json", response.text
    document = response.json()
    assert document["status"] == response.status_code
    return document["code"]
