"""The model for MLServer. It is named by `cns/model-settings.json`."""

from __future__ import annotations

import asyncio

import numpy as np
from mlserver import MLModel
from mlserver.errors import InferenceError
from mlserver.types import InferenceRequest, InferenceResponse, Parameters, RequestInput, ResponseOutput
from tensor_servo import TensorServo, UnusableTensorsError

_NUMPY = {"UINT8": np.uint8, "INT32": np.int32, "INT64": np.int64, "FP32": np.float32, "FP64": np.float64}


class ServoRuntime(MLModel):
    async def load(self) -> bool:
        self._servo = TensorServo.from_environment()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        inputs = {tensor.name: _array(tensor) for tensor in payload.inputs}
        parameters = {} if payload.parameters is None else payload.parameters.model_dump()
        try:
            # Off the event loop, which answers health questions meanwhile.
            answer = await asyncio.to_thread(self._servo.infer, inputs, parameters)
        except UnusableTensorsError as error:
            raise InferenceError(str(error)) from error
        return InferenceResponse(
            id=payload.id,
            model_name=self.name,
            model_version=self.version,
            parameters=Parameters(**answer.report),
            outputs=[_output(name, values) for name, values in answer.outputs.items()],
        )


def _array(tensor: RequestInput) -> np.ndarray:
    dtype = object if tensor.datatype == "BYTES" else _NUMPY[tensor.datatype]
    return np.array(list(tensor.data), dtype).reshape(tensor.shape)


def _output(name: str, values: np.ndarray) -> ResponseOutput:
    datatype = {"float64": "FP64", "int32": "INT32", "object": "BYTES"}[values.dtype.name]
    data = [value.decode() for value in values] if datatype == "BYTES" else values.ravel().tolist()
    return ResponseOutput(name=name, datatype=datatype, shape=list(values.shape), data=data)
