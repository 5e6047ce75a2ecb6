"""The goal's keypoints as a graph: nodes, and the clusters that they stay in for the whole job."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from ..servo.types import Floats, Indices, Intrinsics, Observation

#: Clustering and network take time and memory with the goal's keypoints; a 640 x 480 frame seldom has more.
MAXIMUM_GRAPH_POINTS = 4096
#: With no more points than this each one is a cluster.
_MOST_SINGLE_POINTS = 16
#: Fewer clusters than this carry too little of the scene: k-means makes so many instead.
_FEWEST_CLUSTERS = 4
#: More come about only where most points lie in one place; each would cost the time and the memory of a cluster.
_MOST_CLUSTERS = 1024
_SEED = 5


@dataclass(frozen=True)
class GoalGraph:
    """Plain arrays, so that it can pass between processes."""

    #: Normalised image coordinates of the nodes; [N, 2].
    points: Floats
    #: Cluster of each node, 0 … C - 1; [N].
    cluster_of: Indices
    #: For each cluster the node that stands for it: the member nearest to the median position of its members; [C].
    centers: Indices
    #: For each keypoint of the goal its node; -1 where it has none.
    node_of: Indices

    @property
    def cluster_count(self) -> int:
        return len(self.centers)


@dataclass(frozen=True)
class VisiblePoints:
    """The goal's nodes seen in one frame: indices, each once [M], and normalised image coordinates there [M, 2]."""

    nodes: Indices
    positions: Floats

    def __len__(self) -> int:
        return len(self.nodes)


def graph_of(keypoints: Floats, intrinsics: Intrinsics) -> GoalGraph:
    """
    Args:
        keypoints: pixels [K, 2]; of very many an even pick along the detector's order becomes nodes
    """
    count = len(keypoints)
    nodes = min(count, MAXIMUM_GRAPH_POINTS)
    picked = np.arange(nodes) * count // nodes
    node_of = np.full(count, -1, np.int64)
    node_of[picked] = np.arange(nodes)
    points = intrinsics.to_rays(keypoints[picked])
    cluster_of, centers = cluster(points)
    return GoalGraph(points, cluster_of, centers, node_of)


def visible_points(graph: GoalGraph, observation: Observation, intrinsics: Intrinsics) -> VisiblePoints:
    nodes = graph.node_of[observation.goal_index]
    seen = observation.inliers & (nodes >= 0)
    return VisiblePoints(nodes[seen], intrinsics.to_rays(observation.matches.current[seen]))


def cluster(points: Floats) -> tuple[Indices, Indices]:
    """Groups points [N, 2] as the published controller does: cluster of each [N], centre of each cluster [C]. Seeded."""
    labels = _labels(points)
    _, cluster_of = np.unique(labels, return_inverse=True)
    cluster_of = cluster_of.reshape(-1).astype(np.int64)
    centers = np.empty(int(cluster_of.max()) + 1, np.int64)
    for index in range(len(centers)):
        members = np.nonzero(cluster_of == index)[0]
        distances = np.linalg.norm(points[members] - np.median(points[members], axis=0), axis=1)
        centers[index] = members[np.argmin(distances)]
    return cluster_of, centers


def _labels(points: Floats) -> Indices:
    if len(points) <= _MOST_SINGLE_POINTS:
        return np.arange(len(points))
    # A second to import, which jobs with other policies do not wait for.
    from sklearn.cluster import AffinityPropagation, KMeans

    with warnings.catch_warnings():
        # That it did not converge shows in the number of clusters.
        warnings.simplefilter("ignore")
        labels = AffinityPropagation(damping=0.9, random_state=_SEED).fit_predict(points)
        if _FEWEST_CLUSTERS <= len(np.unique(labels)) <= _MOST_CLUSTERS:
            return np.asarray(labels, np.int64)
        fewest = KMeans(n_clusters=_FEWEST_CLUSTERS, n_init=10, random_state=_SEED)
        return np.asarray(fewest.fit_predict(points), np.int64)
