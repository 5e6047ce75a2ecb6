"""Slots, limits, crashes and the end of the server."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from conftest import GOLDEN
from server_process import (
    LONG_JOB,
    PACKAGE_PARENT,
    ServerProcess,
    analyze,
    code_of,
    job_fields,
    running_server,
    wait_for,
)

from infernode_model_server.jobs.record import JobRecord


def _children(process_id: int) -> list[int]:
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(process_id)], capture_output=True, text=True, check=False
    )
    return [int(line) for line in listed.stdout.split()]


def _workers(server: ServerProcess) -> list[int]:
    """Those that hold a job: spawned children that have used OpenCV's worker entry point."""
    found = []
    for child in _children(server.process.pid):
        command = Path(f"/proc/{child}/cmdline")
        if command.exists() and b"spawn_main" in command.read_bytes():
            found.append(child)
    return found


def test_a_job_that_is_to_stop_has_no_time_left() -> None:
    record = JobRecord("request", "job", Path("folder"))
    record.started = time.monotonic() - 10
    record.add_rows([[0.0] * 6], 60)
    assert 580 < (record.seconds_left() or 0) < 600
    record.is_cancel_requested = True
    assert record.seconds_left() == 0


def test_a_full_server_says_409_at_once_and_lets_the_sender_read_it(tmp_path: Path) -> None:
    with running_server(tmp_path, MODEL_SERVER_SLOTS=1) as server, ThreadPoolExecutor(1) as executor:
        first = executor.submit(analyze, server.client, job_fields("first", **LONG_JOB))
        server.wait_for_rows("first")
        health = server.client.get("/health")
        assert (health.status_code, health.json()["status"]) == (200, "BUSY")
        large = ("large.mp4", bytes(30 * 1024 * 1024))
        refused = analyze(server.client, job_fields("second"), current_video=large)
        assert (refused.status_code, code_of(refused)) == (409, "no-free-slot")
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert refused.json()["retryable"] is True
        server.client.post("/jobs/first/cancel")
        first.result()
        assert analyze(server.client, job_fields("third")).status_code == 200


def test_jobs_wait_where_there_are_places_to_wait_in(tmp_path: Path) -> None:
    with (
        running_server(tmp_path, MODEL_SERVER_SLOTS=1, MODEL_SERVER_QUEUE=1) as server,
        ThreadPoolExecutor(2) as executor,
    ):
        first = executor.submit(analyze, server.client, job_fields("first", **LONG_JOB))
        server.wait_for_rows("first")
        second = executor.submit(analyze, server.client, job_fields("second"))
        wait_for(lambda: server.state("second").get("state") == "QUEUED", "the second job waits")
        assert server.client.get("/health").json()["queued"] == 1
        assert code_of(analyze(server.client, job_fields("third"))) == "no-free-slot"
        server.client.post("/jobs/first/cancel")
        assert first.result().status_code == 499
        assert second.result().status_code == 200


def test_a_job_that_waits_can_be_cancelled(tmp_path: Path) -> None:
    with (
        running_server(tmp_path, MODEL_SERVER_SLOTS=1, MODEL_SERVER_QUEUE=1) as server,
        ThreadPoolExecutor(2) as executor,
    ):
        first = executor.submit(analyze, server.client, job_fields("first", **LONG_JOB))
        server.wait_for_rows("first")
        second = executor.submit(analyze, server.client, job_fields("second"))
        wait_for(lambda: server.state("second").get("state") == "QUEUED", "the second job waits")
        assert server.client.post("/jobs/second/cancel").json()["state"] == "CANCELLED"
        assert second.result().status_code == 499
        assert server.state("first")["state"] == "RUNNING"
        server.client.post("/jobs/first/cancel")
        first.result()


def test_a_worker_that_dies_fails_its_job_and_is_replaced(tmp_path: Path) -> None:
    with running_server(tmp_path, MODEL_SERVER_SLOTS=1) as server, ThreadPoolExecutor(1) as executor:
        answer = executor.submit(analyze, server.client, job_fields("crash", **LONG_JOB))
        server.wait_for_rows("crash")
        (worker,) = _workers(server)
        os.kill(worker, signal.SIGKILL)
        failed = answer.result()
        assert (failed.status_code, code_of(failed)) == (500, "internal")
        assert failed.json()["retryable"] is True
        assert server.state("crash")["state"] == "FAILED"
        server.wait_until_ready()
        assert analyze(server.client, job_fields("after")).status_code == 200
        assert "model_server_worker_restarts_total 1.0" in server.client.get("/metrics").text


def test_a_worker_that_does_not_listen_is_killed_when_its_job_is_cancelled(tmp_path: Path) -> None:
    settings = {"MODEL_SERVER_SLOTS": 1, "MODEL_SERVER_STOP_SECONDS": 0.5}
    with running_server(tmp_path, **settings) as server, ThreadPoolExecutor(1) as executor:
        answer = executor.submit(analyze, server.client, job_fields("deaf", **LONG_JOB))
        server.wait_for_rows("deaf")
        (worker,) = _workers(server)
        os.kill(worker, signal.SIGSTOP)
        assert server.client.post("/jobs/deaf/cancel").json()["state"] == "CANCELLED"
        assert not Path(f"/proc/{worker}").exists()
        assert answer.result().status_code == 499
        server.wait_until_ready()


def test_a_job_without_a_sign_of_life_is_given_up(tmp_path: Path) -> None:
    settings = {"MODEL_SERVER_SLOTS": 1, "MODEL_SERVER_STALL_SECONDS": 3, "MODEL_SERVER_STOP_SECONDS": 0.5}
    with running_server(tmp_path, **settings) as server, ThreadPoolExecutor(1) as executor:
        answer = executor.submit(analyze, server.client, job_fields("stalled", **LONG_JOB))
        server.wait_for_rows("stalled")
        os.kill(_workers(server)[0], signal.SIGSTOP)
        failed = answer.result()
        assert (failed.status_code, code_of(failed)) == (500, "internal")
        assert "sign of life" in failed.json()["detail"]


def test_the_networks_process_comes_back_after_a_crash(tmp_path: Path, synthetic_weights: Path) -> None:
    with running_server(tmp_path, MODEL_SERVER_SLOTS=1, CNS_WEIGHTS=synthetic_weights) as server:
        victims = [child for child in _workers(server) if _has_pytorch(child)]
        assert len(victims) == 1
        os.kill(victims[0], signal.SIGKILL)
        wait_for(lambda: server.client.get("/health").status_code == 503, "the server says that it starts")
        server.wait_until_ready()
        answer = analyze(server.client, job_fields("after", policy="cns"))
        assert answer.status_code == 200, answer.text


def _has_pytorch(process_id: int) -> bool:
    return "libtorch" in Path(f"/proc/{process_id}/maps").read_text()


def test_too_large_a_body_is_refused_whether_or_not_it_says_its_length(tmp_path: Path) -> None:
    with running_server(tmp_path, MODEL_SERVER_MAX_UPLOAD_BYTES=500_000) as server:
        told = analyze(server.client, job_fields("large"), goal_video=("a.mp4", bytes(600_000)))
        assert (told.status_code, code_of(told)) == (413, "too-large")

        def body() -> Iterator[bytes]:
            yield b'--x\r\nContent-Disposition: form-data; name="goal_video"; filename="a"\r\n\r\n'
            for _ in range(64):
                yield bytes(64 * 1024)

        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        untold = server.client.post("/analyze", content=body(), headers=headers)
        assert (untold.status_code, code_of(untold)) == (413, "too-large")
        assert not list((server.folder / "data" / "work").iterdir())


def test_an_upload_that_stalls_is_given_up(tmp_path: Path) -> None:
    with running_server(tmp_path, MODEL_SERVER_UPLOAD_IDLE_SECONDS=0.5) as server:

        def body() -> Iterator[bytes]:
            yield b'--x\r\nContent-Disposition: form-data; name="goal_video"; filename="a"\r\n\r\nhalf'
            wait_for(lambda: server.client.get("/health").json()["in_flight"] == 1, "the upload has begun")
            wait_for(lambda: server.client.get("/health").json()["in_flight"] == 0, "the upload is given up")

        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        answer = httpx.post(f"{server.client.base_url}/analyze", content=body(), headers=headers, timeout=60)
        assert (answer.status_code, code_of(answer)) == (408, "too-slow")


def test_the_memory_of_the_server_does_not_grow_with_uploads(tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        video = (GOLDEN / "dev-b-roll" / "goal.mp4").read_bytes()
        # MP4 ends where its boxes end; what follows is for the disk only.
        padded = ("a.mp4", video + b"\x08\x00\x00\x00free" + bytes(128 * 1024 * 1024))
        analyze(server.client, job_fields("warm"))
        before = _peak_bytes(server.process.pid)
        analyze(server.client, job_fields("large"), current_video=padded)
        assert _peak_bytes(server.process.pid) - before < 64 * 1024 * 1024


def _peak_bytes(process_id: int) -> int:
    status = Path(f"/proc/{process_id}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def test_who_does_not_know_the_token_is_told_nothing(tmp_path: Path) -> None:
    with running_server(tmp_path, MODEL_SERVER_TOKEN="the token") as server:
        for headers in ({}, {"Authorization": "Bearer another"}, {"Authorization": "the token"}):
            answer = server.client.get("/capabilities", headers=headers)
            assert (answer.status_code, code_of(answer)) == (401, "unauthorized")
            assert answer.headers["www-authenticate"] == "Bearer"
        assert code_of(analyze(server.client, job_fields("stranger"))) == "unauthorized"
        server.client.headers["Authorization"] = "Bearer the token"
        assert analyze(server.client, job_fields("friend")).status_code == 200
        assert "the token" not in server.log_path.read_text()


def test_without_weights_the_policy_cns_is_not_offered(tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        assert server.client.get("/capabilities").json()["policies"] == ["ibvs"]
        answer = analyze(server.client, job_fields("cns", policy="cns"))
        assert (answer.status_code, code_of(answer)) == (503, "not-ready")


def test_results_go_when_their_time_is_over(tmp_path: Path) -> None:
    with running_server(tmp_path, MODEL_SERVER_RESULTS_SECONDS=2) as server:
        address = analyze(server.client, job_fields("short")).json()["download_url"]
        wait_for(lambda: server.client.get(address).status_code == 404, "the result is gone")
        assert not list((tmp_path / "data" / "results").iterdir())
        assert server.client.get("/jobs/short").status_code == 404


def test_results_go_when_there_is_no_room_and_leftovers_go_at_the_start(tmp_path: Path) -> None:
    left = tmp_path / "data" / "results" / "of-another-server.zip"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"x")
    with running_server(tmp_path, MODEL_SERVER_RESULTS_BYTES=0) as server:
        assert not left.exists()
        address = analyze(server.client, job_fields("no-room")).json()["download_url"]
        wait_for(lambda: server.client.get(address).status_code == 404, "the result is gone")
        # What is known of the job stays.
        assert server.state("no-room")["state"] == "COMPLETED"


def test_a_server_that_is_stopped_lets_its_jobs_end(tmp_path: Path) -> None:
    with running_server(tmp_path, MODEL_SERVER_DRAIN_SECONDS=120) as server, ThreadPoolExecutor(1) as executor:
        answer = executor.submit(analyze, server.client, job_fields("last", end_frame="40"))
        server.wait_for_rows("last")
        children = _children(server.process.pid)
        server.process.send_signal(signal.SIGTERM)
        assert answer.result().status_code == 200
        assert server.process.wait(120) == 0
        wait_for(lambda: not any(Path(f"/proc/{child}").exists() for child in children), "all processes are gone")


def test_jobs_that_take_too_long_are_stopped_with_the_server(tmp_path: Path) -> None:
    with running_server(tmp_path, MODEL_SERVER_DRAIN_SECONDS=0) as server, ThreadPoolExecutor(1) as executor:
        answer = executor.submit(analyze, server.client, job_fields("last", **LONG_JOB))
        server.wait_for_rows("last")
        children = _children(server.process.pid)
        server.process.send_signal(signal.SIGTERM)
        # The connection may go with the server.
        with contextlib.suppress(httpx.TransportError):
            assert code_of(answer.result()) == "not-ready"
        server.process.wait(120)
        wait_for(lambda: not any(Path(f"/proc/{child}").exists() for child in children), "all processes are gone")


def test_children_do_not_outlive_a_server_that_is_killed(tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        children = _children(server.process.pid)
        assert children
        server.process.kill()
        server.process.wait()
        wait_for(lambda: not any(_is_alive(child) for child in children), "all processes are gone")


def _is_alive(process_id: int) -> bool:
    try:
        return ") Z" not in Path(f"/proc/{process_id}/stat").read_text()
    except OSError:
        return False


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"MODEL_SERVER_SLOTS": "many"}, "MODEL_SERVER_SLOTS"),
        ({"MODEL_SERVER_SLOT": "1"}, "MODEL_SERVER_SLOT is no setting"),
        ({"CARBON_INTENSITY": "-1"}, "CARBON_INTENSITY"),
    ],
)
def test_settings_that_make_no_sense_end_the_start_in_words(tmp_path: Path, settings: dict, words: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE_PARENT), **settings}
    command = [sys.executable, "-m", "infernode_model_server"]
    ended = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert words in ended.stderr
    assert "Traceback" not in ended.stderr


def test_weights_that_are_none_are_told_in_the_health(tmp_path: Path) -> None:
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(b"no weights")
    server = ServerProcess(tmp_path, CNS_WEIGHTS=weights)
    try:
        wait_for(lambda: _health(server).get("status") == "UNHEALTHY", "the server says what is wrong")
        assert "weights.safetensors" in _health(server)["detail"]
        assert server.client.get("/health").status_code == 503
        assert code_of(analyze(server.client, job_fields("x"))) == "not-ready"
    finally:
        server.stop()


def _health(server: ServerProcess) -> dict:
    try:
        return server.client.get("/health").json()
    except httpx.TransportError:
        time.sleep(0.1)
        return {}


def test_two_servers_do_not_share_a_folder(tmp_path: Path) -> None:
    with running_server(tmp_path):
        second = ServerProcess(tmp_path)
        try:
            assert second.process.wait(120) != 0
            assert "Another model server uses" in second.log_path.read_text()
        finally:
            second.stop()
