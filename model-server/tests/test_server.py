"""Jobs through the real server."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest
from conftest import FIXTURES, GoldenCase
from server_process import (
    LONG_JOB,
    ServerProcess,
    analyze,
    code_of,
    golden_fields,
    job_fields,
    running_server,
    wait_for,
)

MEDIA = FIXTURES / "media"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, synthetic_weights: Path) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("server")
    with running_server(folder, MODEL_SERVER_SLOTS=2, CNS_WEIGHTS=synthetic_weights) as process:
        yield process


@pytest.fixture
def client(server: ServerProcess) -> httpx.Client:
    return server.client


def test_a_job_as_existing_clients_send_it(client: httpx.Client) -> None:
    answer = analyze(client, job_fields("existing"))
    assert answer.status_code == 200, answer.text
    document = answer.json()
    assert {"requestId", "velocity", "carbon_footprint", "download_url", "message"} <= document.keys()
    velocity = np.array(document["velocity"])
    assert velocity.shape == (5, 6)
    assert np.isfinite(velocity).all()
    assert document["carbon_footprint"] > 0
    archive = client.get(document["download_url"])
    assert archive.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(archive.content)) as content:
        assert content.testzip() is None
        lines = content.read("velocity.csv").decode().splitlines()
        rows = [[float(value) for value in line.split(",")[1:7]] for line in lines[1:]]
        np.testing.assert_array_equal(rows, velocity)
        result = json.loads(content.read("result.json"))
        assert result["velocity"] == document["velocity"]
        assert content.read("velocity.svg").startswith(b"<svg ")


def test_a_golden_case_gives_what_the_reference_gives(client: httpx.Client) -> None:
    case = GoldenCase.load("dev-c-mixed6dof")
    files = {"goal_video": case.goal_video.open("rb"), "current_video": case.current_video.open("rb")}
    document = analyze(client, golden_fields(case, "golden", "ORB", "ibvs"), **files).json()
    rows = np.array(document["velocity"])
    reference = np.array(case.reference["detectors"]["ORB"]["robust"]["ibvs"])
    differences = np.linalg.norm(rows - reference, axis=1) / np.linalg.norm(reference, axis=1)
    assert np.median(differences[case.moving()]) <= 0.1
    assert [frame["frame"] for frame in document["frames"]] == list(range(case.frame_count))
    assert document["goal"]["frame"] == case.goal_frame


def test_only_the_frames_that_were_asked_for(client: httpx.Client) -> None:
    fields = job_fields("range", start_frame="3", end_frame="20", frame_step="5", visualize="all", frame_rate="25")
    document = analyze(client, fields).json()
    assert [frame["frame"] for frame in document["frames"]] == [3, 8, 13, 18]
    assert document["warnings"] == []
    with zipfile.ZipFile(io.BytesIO(client.get(document["download_url"]).content)) as content:
        pictures = [name for name in content.namelist() if name.startswith("images/")]
        assert pictures == [f"images/frame-{index:06d}.jpg" for index in (3, 8, 13, 18)]
        assert content.read(pictures[0])[:3] == b"\xff\xd8\xff"
        times = [line.split(",")[1] for line in content.read("trajectory.csv").decode().splitlines()[1:]]
        assert [float(value) for value in times] == pytest.approx([0, 0.2, 0.4, 0.6])


def test_frames_behind_the_end_of_the_video_are_unreadable_and_say_so(client: httpx.Client) -> None:
    document = analyze(client, job_fields("beyond", start_frame="57", end_frame="63")).json()
    problems = [frame["problem"] for frame in document["frames"]]
    assert problems == [None] * 3 + ["unreadable-frame"] * 4
    assert document["velocity"][3:] == [[0] * 6] * 4


@pytest.mark.parametrize("device", ["cuda", "cuda:0", "cuda:9"])
def test_without_a_gpu_the_job_runs_on_the_cpu_and_says_so(client: httpx.Client, device: str) -> None:
    document = analyze(client, job_fields("gpu", device=device, policy="cns")).json()
    assert document["device"] == "cpu"
    assert any("CPU" in warning for warning in document["warnings"])
    assert document["model"]["digest"].startswith("sha256:")


def test_jobs_that_share_the_network_get_what_each_gets_alone(client: httpx.Client) -> None:
    def velocity(detector: str, job_id: str) -> list:
        answer = analyze(client, job_fields(job_id, detector=detector, policy="cns", end_frame="19"))
        assert answer.status_code == 200, answer.text
        return answer.json()["velocity"]

    alone = [velocity("ORB", "alone-1"), velocity("AKAZE", "alone-2")]
    with ThreadPoolExecutor(2) as executor:
        together = list(executor.map(velocity, ["ORB", "AKAZE"], ["both-1", "both-2"]))
    np.testing.assert_allclose(together[0], alone[0], atol=1e-5)
    np.testing.assert_allclose(together[1], alone[1], atol=1e-5)


def test_energy_is_told_with_its_parts_and_method(client: httpx.Client) -> None:
    document = analyze(client, job_fields("energy")).json()
    energy, usage = document["energy"], document["usage"]
    assert energy["method"] in ("measured", "estimated")
    assert energy["source"]
    assert energy["gpu_wh"] is None
    assert usage["cpu_seconds"] > 0
    total = energy["cpu_wh"] + (energy["memory_wh"] or 0)
    assert document["carbon_footprint"] == pytest.approx(total / 1000 * 445)


def test_progress_and_rows_come_while_a_job_runs_and_cancelling_waits_for_its_end(server: ServerProcess) -> None:
    client = server.client
    with ThreadPoolExecutor(1) as executor:
        answer = executor.submit(analyze, client, job_fields("cancelled", **LONG_JOB))
        server.wait_for_rows("cancelled", 2)
        progress = client.get("/jobs/cancelled", params={"after": 2, "wait": 30}).json()
        assert progress["state"] == "RUNNING"
        assert progress["processed"] >= 3
        assert progress["total"] == 60
        partial = client.get("/jobs/cancelled/velocity", params={"from": 1}).json()
        assert partial["from"] == 1
        assert len(partial["velocity"]) >= 2
        assert client.get("/health").json()["in_flight"] == 1
        stopped = client.post("/jobs/cancelled/cancel").json()
        assert stopped["state"] == "CANCELLED"
        assert stopped["stopped_at"] is not None
        assert client.get("/health").json()["in_flight"] == 0
        rows = server.state("cancelled")["processed"]
        refused = answer.result()
    assert refused.status_code == 499
    assert code_of(refused) == "cancelled"
    assert refused.json()["stopped_at"] == stopped["stopped_at"]
    # Nothing works on it any more, and asking again changes nothing.
    assert client.post("/jobs/cancelled/cancel").json() == stopped
    assert server.state("cancelled")["processed"] == rows
    assert not list((server.folder / "data" / "work").iterdir())


def test_a_job_that_is_sent_again_stops_the_one_before(server: ServerProcess) -> None:
    with ThreadPoolExecutor(1) as executor:
        first = executor.submit(analyze, server.client, job_fields("again", **LONG_JOB))
        server.wait_for_rows("again")
        second = analyze(server.client, job_fields("again"))
        assert first.result().status_code == 499
    assert second.status_code == 200
    assert server.state("again")["state"] == "COMPLETED"


def test_closing_the_connection_cancels_the_job(server: ServerProcess) -> None:
    timeout = httpx.Timeout(60, read=0.5)
    with httpx.Client(base_url=server.client.base_url, timeout=timeout) as impatient, pytest.raises(httpx.ReadTimeout):
        analyze(impatient, job_fields("left", **LONG_JOB))
    wait_for(lambda: server.state("left")["state"] == "CANCELLED", "the job is cancelled")
    assert "connection" in server.state("left")["detail"]


def test_a_job_can_be_cancelled_while_it_is_received(server: ServerProcess) -> None:
    cancelled = []

    def body() -> Iterator[bytes]:
        fields = job_fields("receiving")
        for name, value in fields.items():
            yield f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        yield b'--x\r\nContent-Disposition: form-data; name="goal_video"; filename="a"\r\n\r\nnot the end'
        wait_for(lambda: server.state("receiving").get("state") == "RECEIVING", "the job is received")
        cancelled.append(server.client.post("/jobs/receiving/cancel").json())
        yield b"more\r\n--x--\r\n"

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = httpx.post(f"{server.client.base_url}/analyze", content=body(), headers=headers, timeout=60)
    assert cancelled[0]["state"] == "CANCELLED"
    assert answer.status_code == 499


def test_a_sender_who_leaves_in_the_middle_leaves_nothing(server: ServerProcess) -> None:
    def body() -> Iterator[bytes]:
        for name, value in job_fields("half").items():
            yield f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        yield b'--x\r\nContent-Disposition: form-data; name="goal_video"; filename="a"\r\n\r\nhalf'
        wait_for(lambda: server.state("half").get("state") == "RECEIVING", "the job is received")
        raise ConnectionError("left")

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    with pytest.raises(ConnectionError):
        httpx.post(f"{server.client.base_url}/analyze", content=body(), headers=headers, timeout=60)
    wait_for(lambda: server.state("half")["state"] == "CANCELLED", "the job is cancelled")
    assert not list((server.folder / "data" / "work").iterdir())


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        *(({name: None}, name) for name in job_fields("x")),
        ({"detector": "SURF"}, "detector"),
        ({"detector": "SIFT+SIFT"}, "detector"),
        ({"frame_step": "0"}, "frame_step"),
        ({"frame_step": "one"}, "frame_step"),
        ({"start_frame": "-1"}, "start_frame"),
        ({"start_frame": "5"}, "end_frame"),
        ({"goal_frame_idx": "1e99"}, "goal_frame_idx"),
        ({"jobId": "../../etc/passwd"}, "jobId"),
        ({"jobId": "a/b"}, "jobId"),
        ({"jobId": ""}, "jobId"),
        ({"jobId": "x" * 200}, "jobId"),
        ({"device": "tpu:0"}, "device"),
        ({"policy": "pbvs"}, "policy"),
        ({"intrinsics": "{"}, "intrinsics"),
        ({"intrinsics": "[" * 60_000}, "intrinsics"),
        ({"end_frame": "500000"}, "end_frame"),
        ({"end_frame": str(2**31 - 1), "frame_step": "4000"}, "end_frame"),
        ({"intrinsics": '{"fx": 0, "fy": 1, "cx": 1, "cy": 1}'}, "intrinsics.fx"),
        ({"intrinsics": '{"fx": 1}'}, "intrinsics.fy"),
        ({"distance": "-1"}, "distance"),
        ({"distance": "nan"}, "distance"),
        ({"visualize": "some"}, "visualize"),
        ({"frame_rate": "0"}, "frame_rate"),
        ({"model": "ner"}, "model"),
        ({"parameters": '{"depth": 1}'}, "parameters"),
    ],
)
def test_fields_that_make_no_sense_are_named(client: httpx.Client, changes: dict, path: str) -> None:
    answer = analyze(client, job_fields("bad") | {"jobId": "bad"} | changes if None not in changes.values() else
                     job_fields("bad", **changes))  # fmt: skip
    assert answer.status_code == 422
    assert code_of(answer) == "unusable-input"
    assert path in [error["path"] for error in answer.json()["errors"]]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"goal_video": None}, "lacks goal_video"),
        ({"current_video": None}, "lacks current_video"),
        ({"goal_video": ("a.mp4", b"")}, "lacks goal_video"),
        ({"goal_video": ("a.mp4", b"no video at all")}, "goal video"),
        ({"current_video": ("a.mp4", b"no video at all")}, "current video"),
        ({"current_video": ("a.mp4", (MEDIA / "audio-only.m4a").read_bytes())}, "current video"),
        ({"current_video": ("a.mp4", (MEDIA / "picture.png").read_bytes())}, "current video"),
        ({"goal_video": ("a.mp4", (MEDIA / "too-small.mp4").read_bytes())}, "8x8"),
        ({"other_video": ("a.mp4", b"x")}, "other_video"),
    ],
)
def test_files_that_are_no_videos_are_refused(server: ServerProcess, files: dict, words: str) -> None:
    answer = analyze(server.client, job_fields("files"), **files)
    assert answer.status_code in (400, 422)
    assert code_of(answer) == "unusable-input"
    assert words in answer.json()["detail"]
    # Where the server keeps its files is not for whoever sent the job.
    assert str(server.folder) not in answer.text


def test_a_goal_frame_outside_of_the_video_is_refused(client: httpx.Client) -> None:
    answer = analyze(client, job_fields("outside", goal_frame_idx="12"))
    assert answer.status_code == 422
    assert "no frame 12" in answer.json()["detail"]


def test_file_names_lead_nowhere(server: ServerProcess) -> None:
    video = (GoldenCase.load("dev-b-roll").goal_video).read_bytes()
    answer = analyze(server.client, job_fields("paths"), goal_video=("../../../../evil.mp4", video))
    assert answer.status_code == 200
    assert not list(server.folder.rglob("evil*"))


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Content-Type": "application/json"}, b"{}", 415),
        ({"Content-Type": "multipart/form-data"}, b"", 415),
        ({"Content-Type": "multipart/form-data; boundary=x"}, b"no form", 400),
        ({"Content-Type": "multipart/form-data; boundary=x"}, b"--x\r\n", 400),
        ({"Content-Type": "multipart/form-data; boundary=x"}, b"--x\r\nA: b\r\n\r\n1\r\n--x--\r\n", 400),
        (
            {"Content-Type": "multipart/form-data; boundary=x"},
            b'--x\r\nContent-Disposition: form-data; name="jobId"\r\n\r\n1\r\n' * 2 + b"--x--\r\n",
            400,
        ),
        (
            {"Content-Type": "multipart/form-data; boundary=x"},
            b'--x\r\nContent-Disposition: form-data; name="jobId"\r\n\r\n' + b"1" * 70_000 + b"\r\n--x--\r\n",
            413,
        ),
    ],
)
def test_bodies_that_are_no_form_are_refused(client: httpx.Client, headers: dict, body: bytes, status: int) -> None:
    answer = client.post("/analyze", content=body, headers=headers)
    assert answer.status_code == status
    assert code_of(answer) in ("unusable-input", "unsupported-media-type", "too-large")


def test_what_is_not_there_is_not_found(client: httpx.Client) -> None:
    for path in ("/jobs/nobody", "/jobs/nobody/velocity", "/results/nothing.zip", "/nowhere"):
        answer = client.get(path)
        assert (answer.status_code, code_of(answer)) == (404, "not-found")
    assert code_of(client.post("/jobs/nobody/cancel")) == "not-found"
    assert client.get("/analyze").status_code == 405
    assert client.get("/jobs/nobody", params={"wait": 1000}).status_code == 422


def test_it_says_what_it_can_do_and_how_it_does(client: httpx.Client) -> None:
    capabilities = client.get("/capabilities").json()
    assert capabilities["contract"] == "cns/1"
    assert capabilities["policies"] == ["ibvs", "cns"]
    assert capabilities["slots"] == 2
    assert capabilities["devices"][-1] == "cpu"
    assert capabilities["models"][0]["name"] == "cns"
    metrics = client.get("/metrics").text
    for name in ("jobs_total", "stage_seconds_bucket", "jobs_queued", "gpu_memory_peak_bytes", "energy_wh_total"):
        assert f"model_server_{name}" in metrics
    assert client.get("/openapi.json").json()["paths"].keys() >= {"/analyze", "/jobs/{job_id}", "/health"}
