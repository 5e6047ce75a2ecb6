"""One job from its videos to its archive."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass

from ..energy.job_meter import JobMeter
from ..errors import JobStoppedError, UnusableInputError
from ..media.video import DamagedVideoError, Frame, read_frames
from ..report.archive import ResultArchive
from ..report.picture import correspondence_picture
from ..report.plot import velocity_plot
from ..report.result import JobResult, Usage
from ..report.texts import result_json, trajectory_csv, velocity_csv
from ..report.trajectory import ASSUMED_FRAME_RATE
from ..servo.sequence import Network, SequenceOptions, ServoSequence
from ..servo.types import NO_VELOCITY, FrameResult, Gray, Observation
from .messages import JobOrder

#: Frames that the network gets at a time. More fill a GPU better and hold rows back longer.
CHUNK_FRAMES = 16
_UNREADABLE = FrameResult(NO_VELOCITY, 0, 0, 0, None, "unreadable-frame")


@dataclass(frozen=True)
class JobContext:
    """What a job asks of its surroundings."""

    #: Whether somebody asked for the job to stop; asked between any two frames.
    is_stopped: Callable[[], bool]
    #: Told of finished rows, in order and each once.
    on_rows: Callable[[list[FrameResult]], None]
    meter: JobMeter
    #: For the policy `cns`.
    network: Network | None


def run_servo_job(order: JobOrder, context: JobContext) -> JobResult:
    """Compares every processed frame of the current video with the goal frame and writes the archive.

    A frame that cannot be read or matched gets the zero velocity and a reason.

    Raises:
        UnusableInputError: the goal frame or the videos cannot be worked on
        JobStoppedError: somebody asked for it; no archive is left then, nor after any other error
    """
    with ResultArchive(order.archive) as archive:
        run = _Run(order, context, archive)
        result = run.result()
        with run.timed("archive"):
            archive.add_text("velocity.csv", velocity_csv(order.parameters, result))
            archive.add_text("velocity.svg", [velocity_plot(order.parameters, result)])
            archive.add_text("trajectory.csv", trajectory_csv(order.parameters, result))
            archive.add_text("result.json", result_json(order.parameters, result))
            run.raise_if_stopped()
            archive.finish()
        return result


@dataclass(frozen=True)
class _Seen:
    frame: Frame
    observation: Observation


class _Run:
    def __init__(self, order: JobOrder, context: JobContext, archive: ResultArchive) -> None:
        self._order = order
        self._parameters = order.parameters
        self._context = context
        self._archive = archive
        self._rows: list[FrameResult] = []
        self._stages = dict.fromkeys(("decode", "observe", "decide", "archive"), 0.0)
        self._warnings = list(order.warnings)

    def result(self) -> JobResult:
        parameters, meter = self._parameters, self._context.meter
        if parameters.frame_rate is None:
            rate = f"{ASSUMED_FRAME_RATE:g}"
            self._warnings.append(f"Nothing says the video's frame rate: trajectory.csv takes {rate}/s.")
        goal = self._goal_frame()
        with self.timed("observe"), closing(self._sequence(goal)) as sequence:
            self._warnings += sequence.warnings
            self.raise_if_stopped()
            self._process(sequence, goal)
        useful = sum(row.problem is None for row in self._rows)
        device = self._order.device
        usage = Usage(meter.wall_seconds, meter.cpu_seconds, meter.gpu_seconds, self._stages)
        where = "CPU" if device == "cpu" else device
        return JobResult(
            goal_keypoints=sequence.goal_keypoints,
            device=device,
            model=sequence.model,
            frames=self._rows,
            usage=usage,
            energy=meter.energy(),
            message=f"{useful} of {parameters.total} frames gave a velocity ({parameters.detector}, {where}).",
            warnings=self._warnings,
        )

    def raise_if_stopped(self) -> None:
        self._context.meter.tick()
        if self._context.is_stopped():
            raise JobStoppedError

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Adds to a stage; time spent in a stage within counts for that one only."""
        started, others = time.monotonic(), self._elsewhere(stage)
        try:
            yield
        finally:
            self._stages[stage] += time.monotonic() - started - (self._elsewhere(stage) - others)

    def _elsewhere(self, stage: str) -> float:
        return sum(seconds for other, seconds in self._stages.items() if other != stage)

    def _goal_frame(self) -> Gray:
        wanted = self._parameters.goal_frame
        with self.timed("decode"):
            try:
                frames = read_frames(self._order.goal_video, wanted, wanted, 1, self._order.threads)
                frame = next(frames, None)
            except UnusableInputError as error:
                raise UnusableInputError(f"The goal video cannot be used: {error}") from error
            except DamagedVideoError as error:
                raise UnusableInputError(f"Frame {wanted} of the goal video cannot be read: {error}.") from error
        if frame is None:
            raise UnusableInputError(f"The goal video has no frame {wanted} that can be read.")
        return frame.gray

    def _sequence(self, goal: Gray) -> ServoSequence:
        parameters = self._parameters
        options = SequenceOptions(parameters.detector, parameters.policy, parameters.intrinsics, parameters.distance)
        return ServoSequence(goal, options, self._context.network, observers=self._order.threads)

    def _process(self, sequence: ServoSequence, goal: Gray) -> None:
        # Without a network there is nothing to gather frames for.
        size = CHUNK_FRAMES if self._parameters.policy == "cns" else 1
        chunk: list[_Seen] = []
        for seen in self._observed(sequence):
            chunk.append(seen)
            if len(chunk) >= size:
                self._decide(sequence, goal, chunk)
                chunk = []
            self.raise_if_stopped()
        self._decide(sequence, goal, chunk)
        self._add_unreadable_before(self._parameters.total)
        if all(row.problem == "unreadable-frame" for row in self._rows):
            raise UnusableInputError("None of the frames could be read from the current video.")

    def _observed(self, sequence: ServoSequence) -> Iterator[_Seen]:
        """Frames in order, several looked at side by side; no more are in memory than that."""
        threads = self._order.threads
        pending: deque[tuple[Frame, Future[Observation]]] = deque()
        with ThreadPoolExecutor(threads) as executor:
            for frame in self._frames():
                pending.append((frame, executor.submit(sequence.observe, frame.gray)))
                if len(pending) > threads:
                    yield _taken(pending)
            while pending:
                yield _taken(pending)

    def _frames(self) -> Iterator[Frame]:
        parameters = self._parameters
        frames = read_frames(
            self._order.current_video,
            parameters.start_frame,
            parameters.end_frame,
            parameters.frame_step,
            self._order.threads,
        )
        has_begun = False
        try:
            while True:
                with self.timed("decode"):
                    frame = next(frames, None)
                if frame is None:
                    return
                has_begun = True
                yield frame
        except UnusableInputError as error:
            raise UnusableInputError(f"The current video cannot be used: {error}") from error
        except DamagedVideoError as error:
            # The rest of a damaged video counts as unreadable.
            if not has_begun:
                raise UnusableInputError(f"The current video cannot be read: {error}.") from error
            self._warnings.append(f"The current video could not be read to the end: {error}.")

    def _decide(self, sequence: ServoSequence, goal: Gray, chunk: list[_Seen]) -> None:
        with self.timed("decide"):
            results = sequence.decide([seen.observation for seen in chunk])
        for seen, result in zip(chunk, results, strict=True):
            row = (seen.frame.index - self._parameters.start_frame) // self._parameters.frame_step
            self._add_unreadable_before(row)
            if self._parameters.wants_picture(row):
                self._add_picture(goal, seen, result)
            self._add([result])

    def _add_picture(self, goal: Gray, seen: _Seen, result: FrameResult) -> None:
        with self.timed("archive"):
            index = seen.frame.index
            picture = correspondence_picture(
                goal, self._parameters.goal_frame, seen.frame.gray, index, seen.observation, result
            )
            self._archive.add_stored(f"images/frame-{index:06d}.jpg", picture)

    def _add_unreadable_before(self, row: int) -> None:
        """Fills the rows of frames that the decoder passed over."""
        self._add([_UNREADABLE] * (row - len(self._rows)))

    def _add(self, rows: list[FrameResult]) -> None:
        if rows:
            self._rows += rows
            self._context.on_rows(rows)


def _taken(pending: deque[tuple[Frame, Future[Observation]]]) -> _Seen:
    frame, observation = pending.popleft()
    return _Seen(frame, observation.result())
