"""The network as a worker sees it: at the other end of a socket."""

from __future__ import annotations

from collections.abc import Sequence
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection

from ..cns.graph import GoalGraph, VisiblePoints
from ..energy.job_meter import JobMeter
from ..errors import NotReadyError
from ..servo.types import Floats
from .messages import NetworkAddress, NetworkFailed, NetworkOutput


class RemoteNetwork:
    """Adds what the network consumed for the job to the job's meter."""

    def __init__(self, address: NetworkAddress, device: str, meter: JobMeter) -> None:
        self._address = address
        self._device = device
        self._meter = meter
        self.identity = address.identity

    def begin(self, graph: GoalGraph) -> RemoteSession:
        """
        Raises:
            NotReadyError: the network is not there, or refuses
        """
        try:
            connection = Client(self._address.path, family="AF_UNIX", authkey=self._address.key)
        except (OSError, EOFError, AuthenticationError) as error:
            raise NotReadyError("The process of the network cannot be reached.") from error
        session = RemoteSession(connection, self._meter)
        session.ask((self._device, graph))
        return session


class RemoteSession:
    def __init__(self, connection: Connection, meter: JobMeter) -> None:
        self._connection = connection
        self._meter = meter

    def run(self, frames: Sequence[VisiblePoints]) -> Floats:
        answer = self.ask(list(frames))
        self._meter.foreign_cpu_seconds += answer.cpu_seconds
        self._meter.gpu_seconds += answer.gpu_seconds
        if answer.gpu_wh is not None:
            self._meter.gpu_wh = (self._meter.gpu_wh or 0.0) + answer.gpu_wh
        return answer.outputs

    def ask(self, question: object) -> NetworkOutput:
        """
        Raises:
            NotReadyError: the process died, or had no memory left
        """
        try:
            self._connection.send(question)
            answer = self._connection.recv()
        except (OSError, EOFError) as error:
            raise NotReadyError("The process of the network ended while the job asked it.") from error
        if isinstance(answer, NetworkFailed):
            raise NotReadyError(f"The network could not answer: {answer.message}.")
        return answer

    def close(self) -> None:
        self._connection.close()
