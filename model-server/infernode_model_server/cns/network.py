"""The network over many frames and jobs at once.

Frames and jobs are put side by side as one large graph without edges between them, so that their shapes need not agree. The
encoder runs over all frames of all jobs together; the recurrent part runs frame by frame, over all jobs together.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional

from .graph import GoalGraph, VisiblePoints
from .weights import WIDTH

_NORM_EPSILON = 1e-5
_SOFTMAX_EPSILON = 1e-16
_ATTENTION = "encoder.att_clu_conv"
_TEMPORAL = "backbone.temporal_aggr"
#: Six components of the direction, then the size.
OUTPUTS = 7


@dataclass(frozen=True)
class PreparedGoal:
    """What of a goal does not depend on the frame, on the network's device."""

    #: Normalised image coordinates of the nodes; [N, 2].
    points: torch.Tensor
    cluster_of: torch.Tensor
    #: Positions of the clusters' centres; [C, 2].
    positions: torch.Tensor
    #: What each cluster's centre asks for; [C, WIDTH].
    query: torch.Tensor
    #: Attention logits and values that the nodes have where they are in the goal; [N, WIDTH] each.
    goal_logits: torch.Tensor
    goal_values: torch.Tensor

    @property
    def cluster_count(self) -> int:
        return int(self.positions.shape[0])


@dataclass
class Chunk:
    """Frames of one job that follow each other, and what the network remembers of those before; `state` moves on."""

    goal: PreparedGoal
    #: [C, WIDTH]
    state: torch.Tensor
    #: Each with at least one point.
    frames: Sequence[VisiblePoints]


@dataclass(frozen=True)
class _Encoded:
    """Features of the clusters of one frame [C, WIDTH], and which of them have a visible point [C]."""

    features: torch.Tensor
    live: torch.Tensor


class CnsNetwork:
    """Not for several threads at once."""

    def __init__(self, tensors: dict[str, torch.Tensor], device: torch.device) -> None:
        self.device = device
        self._weights = {name: tensor.to(device) for name, tensor in tensors.items()}

    @torch.no_grad()
    def prepare(self, graph: GoalGraph) -> PreparedGoal:
        points = self._single(graph.points)
        cluster_of = torch.from_numpy(graph.cluster_of).to(self.device)
        features = functional.relu(self._linear("encoder.in_enc.fcs.0", points))
        centers = torch.from_numpy(graph.centers).to(self.device)
        query = self._linear(f"{_ATTENTION}.lin_dst", features[centers])
        positions = points[centers]
        logits, values = self._messages(points, points, positions[cluster_of], query[cluster_of])
        return PreparedGoal(points, cluster_of, positions, query, logits, values)

    def first_state(self, goal: PreparedGoal) -> torch.Tensor:
        return torch.zeros(goal.cluster_count, WIDTH, device=self.device)

    @torch.no_grad()
    def run(self, chunks: Sequence[Chunk]) -> list[torch.Tensor]:
        """Direction and size [F, 7] on the CPU for each chunk's F frames; the chunks' states move on."""
        encoded = self._encode(chunks)
        outputs: list[list[torch.Tensor]] = [[] for _ in chunks]
        for place in range(max((len(chunk.frames) for chunk in chunks), default=0)):
            active = [i for i, chunk in enumerate(chunks) if place < len(chunk.frames)]
            rows, states = self._step([chunks[i] for i in active], [encoded[i][place] for i in active])
            for i, row, state in zip(active, rows, states, strict=True):
                outputs[i].append(row)
                chunks[i].state = state
        empty = torch.zeros(0, OUTPUTS)
        return [torch.stack(rows).cpu() if rows else empty for rows in outputs]

    def _encode(self, chunks: Sequence[Chunk]) -> list[list[_Encoded]]:
        """All frames of all chunks, each in a range of clusters of its own."""
        frames = [(chunk.goal, frame) for chunk in chunks for frame in chunk.frames]
        if not frames:
            return [[] for _ in chunks]
        nodes = [torch.from_numpy(frame.nodes).to(self.device) for _, frame in frames]
        sizes = [goal.cluster_count for goal, _ in frames]
        starts = [sum(sizes[:i]) for i in range(len(sizes))]
        total = sum(sizes)
        cluster = torch.cat(
            [goal.cluster_of[node] + start for (goal, _), node, start in zip(frames, nodes, starts, strict=True)]
        )
        goals = [(goal, node, goal.cluster_of[node]) for (goal, _), node in zip(frames, nodes, strict=True)]
        logits, values = self._messages(
            torch.cat([self._single(frame.positions) for _, frame in frames]),
            torch.cat([goal.points[node] for goal, node, _ in goals]),
            torch.cat([goal.positions[of] for goal, _, of in goals]),
            torch.cat([goal.query[of] for goal, _, of in goals]),
        )
        seen = _attend(logits, values, cluster, total)
        wanted = _attend(
            torch.cat([goal.goal_logits[node] for goal, node, _ in goals]),
            torch.cat([goal.goal_values[node] for goal, node, _ in goals]),
            cluster,
            total,
        )
        live = torch.zeros(total, dtype=torch.bool, device=self.device)
        live[cluster] = True
        features = functional.relu(self._linear("encoder.out_enc.fcs.0", torch.cat([seen, wanted - seen], -1)))
        features = features * live[:, None]
        pieces = [
            _Encoded(features[start : start + size], live[start : start + size])
            for start, size in zip(starts, sizes, strict=True)
        ]
        remaining = iter(pieces)
        return [[next(remaining) for _ in chunk.frames] for chunk in chunks]

    def _messages(
        self, current: torch.Tensor, goal: torch.Tensor, center: torch.Tensor, query: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Attention logits and values of points, by current and goal position and by what their cluster's centre asks."""
        features = functional.relu(self._linear("encoder.in_enc.fcs.0", current))
        offset = torch.cat([center - current, center - goal], -1)
        offset = self._linear(
            f"{_ATTENTION}.pos_nn.fcs.1", functional.relu(self._linear(f"{_ATTENTION}.pos_nn.fcs.0", offset))
        )
        asked = query - self._linear(f"{_ATTENTION}.lin_src", features) + offset
        logits = self._linear(
            f"{_ATTENTION}.attn_nn.fcs.1", functional.relu(self._linear(f"{_ATTENTION}.attn_nn.fcs.0", asked))
        )
        return logits, self._linear(f"{_ATTENTION}.lin", features) + offset

    def _step(
        self, chunks: Sequence[Chunk], encoded: Sequence[_Encoded]
    ) -> tuple[Sequence[torch.Tensor], Sequence[torch.Tensor]]:
        """One frame of each chunk: outputs [7] and following states [C, WIDTH]."""
        sizes = [chunk.goal.cluster_count for chunk in chunks]
        owner = torch.repeat_interleave(
            torch.arange(len(chunks), device=self.device), torch.tensor(sizes, device=self.device)
        )
        graph = _Graph(
            owner,
            len(chunks),
            torch.cat([chunk.goal.positions for chunk in chunks]),
            torch.cat([frame.live for frame in encoded]),
        )
        state = torch.cat([chunk.state for chunk in chunks])
        x = torch.cat([frame.features for frame in encoded])
        x = functional.relu(self._residual("backbone.l1_conv0", x, graph))
        gates = torch.sigmoid(self._edges(f"{_TEMPORAL}.conv_gates", torch.cat([x, state], -1), graph, None))
        reset, update = gates[:, :WIDTH], gates[:, WIDTH:]
        candidate = torch.tanh(
            self._edges(f"{_TEMPORAL}.conv_candi", torch.cat([x, state * reset], -1), graph, graph.live)
        )
        state = (1 - update) * state + update * candidate
        x = functional.relu(self._residual("backbone.l1_conv1", state, graph))
        pooled = self._pool(x, graph)
        outputs = [
            self._linear(f"decoder.{head}.fcs.1", functional.relu(self._linear(f"decoder.{head}.fcs.0", pooled)))
            for head in ("vel_si_vec", "vel_si_norm")
        ]
        return list(torch.cat(outputs, -1)), torch.split(state, sizes)

    def _residual(self, name: str, x: torch.Tensor, graph: _Graph) -> torch.Tensor:
        message = self._edges(f"{name}.conv", x, graph, graph.live)
        return self._linear(f"{name}.fc", functional.relu(self._graph_norm(f"{name}.bn", message, graph))) + x

    def _edges(self, name: str, x: torch.Tensor, graph: _Graph, live: torch.Tensor | None) -> torch.Tensor:
        """Over a fully connected graph, max_j W [x_i, x_j - x_i, p_j - p_i] + b, zero for the dead.

        It falls into what i adds and the greatest of what any j sends, so that the work grows with the nodes and not with
        their pairs.
        """
        layer = f"{name}.msg_nn.fcs.0"
        weight, bias = self._weights[f"{layer}.weight"], self._weights[f"{layer}.bias"]
        width = x.shape[1]
        receiver, sender, offset = weight[:, :width], weight[:, width : 2 * width], weight[:, 2 * width :]
        sent = functional.linear(x, sender) + functional.linear(graph.positions, offset)
        if live is not None:
            sent = sent.masked_fill(~live[:, None], -torch.inf)
        greatest = _segment_max(sent, graph.owner, graph.count)[graph.owner]
        message = greatest + functional.linear(x, receiver - sender) - functional.linear(graph.positions, offset) + bias
        return message if live is None else torch.where(live[:, None], message, torch.zeros_like(message))

    def _graph_norm(self, name: str, x: torch.Tensor, graph: _Graph) -> torch.Tensor:
        """Over all clusters of a graph, dead ones too."""
        weights = self._weights
        x = x - graph.mean(x)[graph.owner] * weights[f"{name}.mean_scale"]
        deviation = torch.sqrt(graph.mean(x * x) + _NORM_EPSILON)[graph.owner]
        return weights[f"{name}.weight"] * x / deviation + weights[f"{name}.bias"]

    def _pool(self, x: torch.Tensor, graph: _Graph) -> torch.Tensor:
        """Softmax-weighed sum over the live clusters of each graph; [G, WIDTH]."""
        x, owner = x[graph.live], graph.owner[graph.live]
        score = self._linear("decoder.pool.gate_nn", x)
        share = torch.exp(score - _segment_max(score, owner, graph.count)[owner])
        share = share / _segment_sum(share, owner, graph.count)[owner]
        return _segment_sum(share * x, owner, graph.count)

    def _linear(self, name: str, x: torch.Tensor) -> torch.Tensor:
        return functional.linear(x, self._weights[f"{name}.weight"], self._weights.get(f"{name}.bias"))

    def _single(self, points: object) -> torch.Tensor:
        return torch.as_tensor(points, dtype=torch.float32, device=self.device)


@dataclass(frozen=True)
class _Graph:
    """Clusters of several jobs in one frame each."""

    #: Job of each cluster, and how many jobs there are.
    owner: torch.Tensor
    count: int
    positions: torch.Tensor
    live: torch.Tensor

    def mean(self, x: torch.Tensor) -> torch.Tensor:
        """Of each job's clusters; [G, …]"""
        sizes = torch.bincount(self.owner, minlength=self.count)[:, None]
        return _segment_sum(x, self.owner, self.count) / sizes


def _attend(logits: torch.Tensor, values: torch.Tensor, cluster: torch.Tensor, count: int) -> torch.Tensor:
    """Each cluster's sum of its points' values, weighed by a softmax per channel; zeros for a cluster without points."""
    share = torch.exp(logits - _segment_max(logits, cluster, count)[cluster])
    share = share / (_segment_sum(share, cluster, count)[cluster] + _SOFTMAX_EPSILON)
    return functional.relu(_segment_sum(share * values, cluster, count))


# PyTorch 1.13 calls it beta; later versions kept it as it is.
warnings.filterwarnings("ignore", message=r".*scatter_reduce\(\) is in beta", category=UserWarning)


def _segment_max(x: torch.Tensor, segment: torch.Tensor, count: int) -> torch.Tensor:
    empty = torch.zeros(count, x.shape[1], device=x.device)
    return empty.scatter_reduce(0, segment[:, None].expand_as(x), x, "amax", include_self=False)


def _segment_sum(x: torch.Tensor, segment: torch.Tensor, count: int) -> torch.Tensor:
    return torch.zeros(count, x.shape[1], device=x.device).index_add(0, segment, x)
