"""The network against vectors from PyTorch, alone and in company."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import torch
from conftest import FIXTURES, synthetic_tensors

from infernode_model_server.cns.graph import MAXIMUM_GRAPH_POINTS, GoalGraph, VisiblePoints, cluster, graph_of
from infernode_model_server.cns.local import LocalNetwork
from infernode_model_server.cns.network import Chunk, CnsNetwork
from infernode_model_server.cns.weights import WeightsError, load_weights
from infernode_model_server.servo.sequence import cns_velocity
from infernode_model_server.servo.types import Intrinsics

VECTORS = FIXTURES / "cns"


def _scene(scene: dict) -> tuple[GoalGraph, list[VisiblePoints]]:
    points = np.array(scene.get("goal", scene.get("tar"))).reshape(-1, 2)
    clusters = np.array(scene.get("clusterOf", scene.get("cluster_of")))
    graph = GoalGraph(points, clusters, np.array(scene["centers"]), np.arange(len(points)))
    frames = [
        VisiblePoints(np.array(step["visible"]), np.array(step.get("current", step.get("cur"))).reshape(-1, 2))
        for step in scene["steps"]
    ]
    return graph, frames


@pytest.fixture(scope="module")
def scenes() -> list[dict]:
    return json.loads((VECTORS / "synthetic-vectors.json").read_text())


def test_it_says_what_the_published_network_says(scenes: list[dict]) -> None:
    network = CnsNetwork(synthetic_tensors(), torch.device("cpu"))
    for scene in scenes:
        graph, frames = _scene(scene)
        goal = network.prepare(graph)
        chunk = Chunk(goal, network.first_state(goal), frames)
        outputs = network.run([chunk])[0].numpy()
        expected = [[*step["direction"], step["size"]] for step in scene["steps"]]
        np.testing.assert_allclose(outputs, expected, atol=1e-5)
        np.testing.assert_allclose(chunk.state.numpy(), scene["state"], atol=1e-5)


def test_frames_of_several_jobs_together_are_as_each_alone(scenes: list[dict]) -> None:
    network = CnsNetwork(synthetic_tensors(), torch.device("cpu"))
    prepared = [(network.prepare(graph), frames) for graph, frames in map(_scene, scenes)]
    alone = [network.run([Chunk(goal, network.first_state(goal), frames)])[0] for goal, frames in prepared]
    chunks = [Chunk(goal, network.first_state(goal), frames) for goal, frames in prepared]
    for together, by_itself in zip(network.run(chunks), alone, strict=True):
        torch.testing.assert_close(together, by_itself, atol=1e-6, rtol=1e-5)


def test_chunks_of_any_size_give_the_same(scenes: list[dict]) -> None:
    network = CnsNetwork(synthetic_tensors(), torch.device("cpu"))
    graph, frames = _scene(scenes[1])
    goal = network.prepare(graph)
    whole = network.run([Chunk(goal, network.first_state(goal), frames)])[0]
    chunk = Chunk(goal, network.first_state(goal), [])
    pieces = []
    for piece in (frames[:1], frames[1:4], [], frames[4:]):
        chunk.frames = piece
        pieces.append(network.run([chunk])[0])
    torch.testing.assert_close(torch.cat(pieces), whole, atol=1e-6, rtol=1e-5)


def test_published_weights_give_the_published_velocities(published_weights: Path) -> None:
    network = LocalNetwork.load(published_weights)
    for scene in json.loads((VECTORS / "graph-vectors.json").read_text()):
        graph, frames = _scene(scene)
        outputs = network.begin(graph).run(frames)
        velocities = [cns_velocity(output, scene["distance_prior"]) for output in outputs]
        np.testing.assert_allclose(velocities, [step["cns"] for step in scene["steps"]], atol=1e-4)


def test_only_the_translation_is_scaled_by_the_distance() -> None:
    output = np.array([1.0, -2.0, 0.5, 0.3, 0.1, -0.7, -0.4])
    near, far = cns_velocity(output, 0.5), cns_velocity(output, 1.5)
    np.testing.assert_allclose(far[:3], 3 * near[:3])
    np.testing.assert_allclose(far[3:], near[3:])


def test_clusters_do_not_change_from_run_to_run() -> None:
    points = np.random.default_rng(1).uniform(-0.5, 0.5, (300, 2))
    first, second = cluster(points), cluster(points)
    np.testing.assert_array_equal(first[0], second[0])
    assert 4 <= len(first[1]) < 100
    # Members stand for their own cluster.
    np.testing.assert_array_equal(first[0][first[1]], np.arange(len(first[1])))


def test_few_points_are_a_cluster_each_and_points_in_one_place_make_no_trouble() -> None:
    assert len(cluster(np.random.default_rng(1).uniform(size=(16, 2)))[1]) == 16
    assert len(cluster(np.zeros((40, 2)))[1]) >= 1


def test_of_very_many_keypoints_an_even_pick_becomes_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infernode_model_server.cns.graph.MAXIMUM_GRAPH_POINTS", 50)
    graph = graph_of(np.random.default_rng(2).uniform(0, 480, (120, 2)), Intrinsics())
    assert len(graph.points) == 50
    assert np.count_nonzero(graph.node_of >= 0) == 50
    assert np.diff(np.nonzero(graph.node_of >= 0)[0]).max() <= 3
    assert MAXIMUM_GRAPH_POINTS == 4096


def test_a_file_with_other_content_is_refused_in_words(tmp_path: Path, synthetic_weights: Path) -> None:
    arrays = safetensors.numpy.load(synthetic_weights.read_bytes())
    spoiled = {
        "is missing": {name: value for name, value in arrays.items() if name != "decoder.pool.gate_nn.bias"},
        r"is \[1\] instead of \[128\]": {**arrays, "backbone.l1_conv0.bn.bias": np.zeros(1, np.float32)},
        "is torch.float64 instead of float32": {**arrays, "encoder.in_enc.fcs.0.bias": np.zeros(128)},
        "not finite": {**arrays, "encoder.in_enc.fcs.0.bias": np.full(128, np.nan, np.float32)},
    }
    for words, content in spoiled.items():
        path = tmp_path / "spoiled.safetensors"
        path.write_bytes(safetensors.numpy.save(content))
        with pytest.raises(WeightsError, match=words):
            load_weights(path)
    path.write_bytes(b"no weights at all")
    with pytest.raises(WeightsError, match="cannot be read"):
        load_weights(path)
    with pytest.raises(WeightsError, match="cannot be read"):
        load_weights(tmp_path / "missing.safetensors")
