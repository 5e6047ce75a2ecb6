"""The model for Triton's Python backend; `config.pbtxt` beside the folder says what it takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils
from tensor_servo import TensorServo, UnusableTensorsError

_INPUTS = ("goal", "frames", "intrinsics", "distance", "detector", "policy")


class TritonPythonModel:
    def initialize(self, args: dict[str, str]) -> None:  # noqa: ARG002 # what Triton calls it with
        self._servo = TensorServo.from_environment()

    def execute(self, requests: list[Any]) -> list[Any]:
        return [self._answer(request) for request in requests]

    def _answer(self, request: Any) -> Any:  # noqa: ANN401 # Triton has no types
        inputs = {name: pb_utils.get_input_tensor_by_name(request, name).as_numpy() for name in _INPUTS}
        control = {
            name: pb_utils.get_input_tensor_by_name(request, name).as_numpy().ravel()[0]
            for name in ("START", "END", "CORRID")
        }
        parameters = {
            "sequence_id": int(control["CORRID"]),
            "sequence_start": bool(control["START"]),
            "sequence_end": bool(control["END"]),
        }
        try:
            answer = self._servo.infer(inputs, parameters)
        except UnusableTensorsError as error:
            return pb_utils.InferenceResponse(error=pb_utils.TritonError(str(error), pb_utils.TritonError.INVALID_ARG))
        return pb_utils.InferenceResponse(
            [pb_utils.Tensor(name, np.ascontiguousarray(values)) for name, values in answer.outputs.items()]
        )
