"""POST /analyze: receives a job, has it done, answers with what it found."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from ..errors import NotReadyError, UnusableInputError
from ..jobs.metrics import ServerMetrics
from ..jobs.record import JobRecord
from ..jobs.service import JobService, NoFreeSlotError
from ..settings import Settings
from .fields import CURRENT_VIDEO, FILES, GOAL_VIDEO, REQUIRED, AnalyzeFields, parse_fields
from .lingering import LingeringResponse
from .multipart import Form, FormReader
from .problems import Problem

log = logging.getLogger(__name__)

_FILE_NAMES = {GOAL_VIDEO: "goal", CURRENT_VIDEO: "current"}
_NOT_READY_SECONDS = 5


class AnalyzeExchange:
    """One request. Closing its connection cancels the job, at any time."""

    def __init__(self, request: Request, service: JobService, settings: Settings, metrics: ServerMetrics) -> None:
        self._request = request
        self._service = service
        self._settings = settings
        self._metrics = metrics
        self._record: JobRecord | None = None

    async def answer(self) -> Response:
        try:
            return await self._answer()
        except Problem as problem:
            if self._record is not None:
                self._service.fail(self._record, problem.code, str(problem))
            return LingeringResponse(problem.response(), self._request)
        except ClientDisconnect:
            await self._cancel("The connection was closed.")
            # It reaches nobody.
            return Response(status_code=499)
        except asyncio.CancelledError:
            # The server ends, and the time that jobs get to end in is over.
            await self._cancel("The server was stopped.", "not-ready")
            return Problem("not-ready", "The server was stopped.", retry_after=_NOT_READY_SECONDS).response()
        except Exception:
            await self._cancel("The server failed.", "internal")
            raise

    async def _answer(self) -> Response:
        fields = await self._received()
        record = self._record
        if record is None:
            raise AssertionError("a form was read without a slot")
        try:
            parameters = fields.to_parameters(self._service.default_policy)
            placement = self._service.place(parameters)
        except UnusableInputError as error:
            raise Problem("unusable-input", str(error)) from error
        except NotReadyError as error:
            raise Problem("not-ready", str(error), retry_after=_NOT_READY_SECONDS) from error
        self._service.run(record, parameters, placement)
        await self._ended_or_left(record)
        if record.state != "COMPLETED":
            raise _problem_of(record)
        return JSONResponse(_document(record, self._settings.carbon_intensity))

    async def _received(self) -> AnalyzeFields:
        """The fields; the files lie in the record's folder."""
        limit = self._settings.max_upload_bytes
        length = self._request.headers.get("content-length", "")
        if length.isdigit() and int(length) > limit:
            raise Problem("too-large", f"The body has more than the {limit} bytes that are allowed.")
        reader = FormReader(
            self._request.headers.get("content-type", ""),
            limit,
            self._settings.upload_idle_seconds,
            self._before_files,
            self._raise_if_cancelled,
        )
        try:
            form = await reader.read(self._request.stream())
        finally:
            self._metrics.upload_bytes.inc(reader.received)
        fields = parse_fields(form.fields)
        missing = [name for name in FILES if form.files.get(name, 0) == 0]
        if missing:
            errors = [(name, "is missing") for name in missing]
            raise Problem("unusable-input", f"The form lacks {' and '.join(missing)}.", errors=errors)
        if self._record is not None:
            await self._service.name(self._record, fields.jobId)
        self._raise_if_cancelled()
        return fields

    async def _before_files(self, form: Form) -> Callable[[str], Path]:
        """Refuses as early as can be: for want of a slot, or for fields that make no sense."""
        job_id = None
        if all(name in form.fields for name in REQUIRED):
            job_id = parse_fields(form.fields).jobId
        try:
            record = self._record = await self._service.admit(job_id)
        except NoFreeSlotError as error:
            raise Problem("no-free-slot", str(error), retry_after=error.retry_after) from error
        except NotReadyError as error:
            raise Problem("not-ready", str(error), retry_after=_NOT_READY_SECONDS) from error
        return lambda name: record.folder / _FILE_NAMES[name]

    def _raise_if_cancelled(self) -> None:
        if self._record is not None and self._record.is_final:
            raise _problem_of(self._record)

    async def _ended_or_left(self, record: JobRecord) -> None:
        """Waits for the end of the job; a caller who leaves brings it about."""
        ended = asyncio.ensure_future(record.ended())
        left = asyncio.ensure_future(_disconnected(self._request))
        try:
            await asyncio.wait({ended, left}, return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                await self._service.cancel(record, "The connection was closed.")
        finally:
            ended.cancel()
            left.cancel()

    async def _cancel(self, detail: str, code: str = "cancelled") -> None:
        if self._record is not None:
            await self._service.cancel(self._record, detail, code)


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _problem_of(record: JobRecord) -> Problem:
    if record.state == "CANCELLED":
        stopped = None if record.stopped_at is None else record.stopped_at.isoformat()
        extra = {"job_id": record.job_id, "stopped_at": stopped}
        return Problem("cancelled", record.detail or "The job was cancelled.", extra=extra)
    retry_after = _NOT_READY_SECONDS if record.code == "not-ready" else None
    return Problem(record.code or "internal", record.detail or "The job failed.", retry_after=retry_after)


def _document(record: JobRecord, carbon_intensity: float) -> dict[str, Any]:
    result, parameters = record.result, record.parameters
    if result is None or parameters is None:
        raise AssertionError("a job is completed without a result")
    energy, usage = result.energy, result.usage
    return {
        "requestId": record.request_id,
        "velocity": [list(frame.velocity) for frame in result.frames],
        "carbon_footprint": energy.total_wh / 1000 * carbon_intensity,
        "download_url": f"/results/{record.request_id}.zip",
        "message": result.message,
        "device": result.device,
        "goal": {"frame": parameters.goal_frame, "keypoints": result.goal_keypoints},
        "frames": [
            {
                "frame": parameters.frame_of(row),
                "keypoints": frame.keypoints,
                "matches": frame.matches,
                "inliers": frame.inliers,
                "feature_error_px": frame.feature_error_px,
                "problem": frame.problem,
            }
            for row, frame in enumerate(result.frames)
        ],
        "usage": {
            "wall_seconds": usage.wall_seconds,
            "cpu_seconds": usage.cpu_seconds,
            "gpu_seconds": usage.gpu_seconds,
        },
        "energy": {
            "method": energy.method,
            "cpu_wh": energy.cpu_wh,
            "gpu_wh": energy.gpu_wh,
            "memory_wh": energy.memory_wh,
            "source": energy.source,
        },
        "model": None if result.model is None else {"name": result.model.name, "digest": result.model.digest},
        "warnings": result.warnings,
    }
