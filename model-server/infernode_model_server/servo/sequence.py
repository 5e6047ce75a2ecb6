"""A goal frame, and the frames that are compared with it: the way in for whoever has pictures and wants velocities."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from math import exp
from queue import SimpleQueue
from typing import Protocol

import numpy as np

from ..cns.graph import MAXIMUM_GRAPH_POINTS, GoalGraph, VisiblePoints, graph_of, visible_points
from .detector import parse_detector
from .ibvs import ibvs_velocity
from .observer import Observer
from .types import NO_VELOCITY, Floats, FrameResult, Gray, Intrinsics, ModelIdentity, Observation, Policy

#: As in the published controller: keeps the direction of no motion finite.
_DIRECTION_EPSILON = 1e-7


class NetworkSession(Protocol):
    """The CNS network with one goal, remembering the frames it has seen."""

    def run(self, frames: Sequence[VisiblePoints]) -> Floats:
        """Direction (6) and size of the velocity for each frame, each with at least one point, in order; [F, 7]."""

    def close(self) -> None: ...


class Network(Protocol):
    """Where the CNS network runs."""

    @property
    def identity(self) -> ModelIdentity: ...

    def begin(self, graph: GoalGraph) -> NetworkSession: ...


@dataclass(frozen=True)
class SequenceOptions:
    #: As `parse_detector` understands it.
    detector: str = "SIFT"
    policy: Policy = "ibvs"
    intrinsics: Intrinsics = field(default_factory=Intrinsics)
    #: Metres from the goal camera to the scene.
    distance: float = 1.0


class ServoSequence:
    """Velocities that lead from each frame to the goal frame.

    `observe` knows nothing of other frames and may run in several threads at once; `decide` takes the observations in the
    order of their frames, in chunks of any size.

    Args:
        network: for the policy `cns`
        observers: how many threads observe at the same time

    Raises:
        UnusableInputError: the goal frame is blank or has fewer than 4 keypoints
        ValueError: unknown detector or policy, or the policy `cns` without a network
    """

    def __init__(
        self, goal: Gray, options: SequenceOptions, network: Network | None = None, observers: int = 1
    ) -> None:
        parts = parse_detector(options.detector)
        if parts is None:
            raise ValueError(f'"{options.detector}" is no detector')
        self._options = options
        self._observers: SimpleQueue[Observer] = SimpleQueue()
        for _ in range(observers):
            self._observers.put(Observer(parts))
        observer = self._observers.get()
        self._goal = observer.find_goal(goal)
        self._observers.put(observer)
        self.warnings: list[str] = []
        self._decide, self._session, self.model = self._policy(network)

    @property
    def goal_keypoints(self) -> int:
        return len(self._goal.keypoints)

    def observe(self, frame: Gray) -> Observation:
        observer = self._observers.get()
        try:
            return observer.observe(self._goal, frame, self._options.intrinsics)
        finally:
            self._observers.put(observer)

    def decide(self, observations: Sequence[Observation]) -> list[FrameResult]:
        """One result per observation; never a velocity that is not finite."""
        velocities = self._decide(observations)
        return [_result(seen, velocity) for seen, velocity in zip(observations, velocities, strict=True)]

    def process(self, frames: Sequence[Gray], executor: Executor | None = None) -> list[FrameResult]:
        """`observe` and `decide` in one; frames side by side where there is an executor."""
        observe: Callable[..., object] = map if executor is None else executor.map
        return self.decide(list(observe(self.observe, frames)))  # type: ignore[call-overload]

    def close(self) -> None:
        if self._session is not None:
            self._session.close()

    def _policy(
        self, network: Network | None
    ) -> tuple[Callable[[Sequence[Observation]], list[Floats | None]], NetworkSession | None, ModelIdentity | None]:
        if self._options.policy == "ibvs":
            return self._decide_ibvs, None, None
        if self._options.policy != "cns":
            raise ValueError(f'"{self._options.policy}" is no policy')
        if network is None:
            raise ValueError('The policy "cns" needs a network')
        graph = graph_of(self._goal.keypoints, self._options.intrinsics)
        if len(graph.points) < self.goal_keypoints:
            self.warnings.append(
                f"The goal frame has {self.goal_keypoints} keypoints; the graph of the CNS policy took "
                f"{MAXIMUM_GRAPH_POINTS} of them, evenly picked."
            )
        session = network.begin(graph)

        def decide(observations: Sequence[Observation]) -> list[Floats | None]:
            return self._decide_cns(graph, session, observations)

        return decide, session, network.identity

    def _decide_ibvs(self, observations: Sequence[Observation]) -> list[Floats | None]:
        intrinsics, distance = self._options.intrinsics, self._options.distance
        return [
            ibvs_velocity(seen.solved_from, intrinsics, distance) if seen.problem is None else None
            for seen in observations
        ]

    def _decide_cns(
        self, graph: GoalGraph, session: NetworkSession, observations: Sequence[Observation]
    ) -> list[Floats | None]:
        """Frames without a visible node are not shown to the network: what it remembers stays."""
        velocities: list[Floats | None] = [None] * len(observations)
        shown = {
            place: visible
            for place, seen in enumerate(observations)
            if seen.problem is None and len(visible := visible_points(graph, seen, self._options.intrinsics)) > 0
        }
        if shown:
            outputs = session.run(list(shown.values()))
            for place, output in zip(shown, outputs, strict=True):
                velocities[place] = cns_velocity(output, self._options.distance)
        return velocities


def cns_velocity(output: Floats, distance: float) -> Floats:
    """Direction times speed 1 + elu(size); the distance prior gives the translation its metres.

    Args:
        output: direction (6) and size; [7]
    """
    direction, size = np.asarray(output[:6], np.float64), float(output[6])
    speed = 1 + size if size > 0 else exp(size)
    velocity = direction * speed / (np.linalg.norm(direction) + _DIRECTION_EPSILON)
    velocity[:3] *= distance
    return velocity


def _result(seen: Observation, velocity: Floats | None) -> FrameResult:
    is_usable = velocity is not None and bool(np.all(np.isfinite(velocity)))
    problem = seen.problem if is_usable or seen.problem is not None else "degenerate-geometry"
    # Adding zero turns -0 into 0, which reads better in every text format.
    row = tuple(float(value) + 0.0 for value in velocity) if is_usable and velocity is not None else NO_VELOCITY
    return FrameResult(
        row,  # type: ignore[arg-type]
        keypoints=seen.keypoints,
        matches=len(seen.matches),
        inliers=seen.inlier_count,
        feature_error_px=seen.feature_error_px,
        problem=problem,
    )
