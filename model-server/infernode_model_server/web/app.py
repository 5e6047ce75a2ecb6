"""The application: who may ask what."""

from __future__ import annotations

import hmac
import logging
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, BinaryIO

from fastapi import FastAPI, Query
from fastapi.exceptions import RequestValidationError
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from .. import __version__
from ..jobs.metrics import ServerMetrics
from ..jobs.record import JobRecord
from ..jobs.service import JobService
from ..jobs.store import JobStore
from ..servo.detector import DETECTOR_NAMES
from ..settings import Settings
from .analyze import AnalyzeExchange
from .fields import MODEL_NAME
from .lingering import LingeringResponse
from .problems import Problem

log = logging.getLogger(__name__)

CONTRACT = "cns/1"
#: Rows of partial results in one answer.
_MOST_ROWS = 10_000
_LONGEST_WAIT_SECONDS = 60
_PIECE_BYTES = 256 * 1024
#: Open to everybody: whether a server lives is no secret, and whoever watches it has no token.
_OPEN = ("/health",)

After = Annotated[int, Query(ge=0, description="Answer when more frames than this are finished.")]
Wait = Annotated[float, Query(ge=0, le=_LONGEST_WAIT_SECONDS, description="Seconds to wait for that, at most.")]
From = Annotated[int, Query(alias="from", ge=0, description="First row.")]


def create_app(settings: Settings) -> FastAPI:
    """Starts with the application's lifespan, and stops with it."""
    metrics = ServerMetrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        service = JobService(settings, JobStore(settings.data_dir), metrics)
        app.state.service = service
        service.start()
        try:
            yield
        finally:
            await service.close()

    app = FastAPI(title="InferNode model server", version=__version__, lifespan=lifespan)
    if settings.token != "":
        app.add_middleware(_Authentication, token=settings.token)
    _add_problem_handlers(app)
    _add_job_routes(app, settings, metrics)
    _add_server_routes(app, settings, metrics)
    return app


def _add_job_routes(app: FastAPI, settings: Settings, metrics: ServerMetrics) -> None:
    @app.post("/analyze", summary="Runs a job; answers when it is done", response_model=None)
    async def analyze(request: Request) -> Response:
        return await AnalyzeExchange(request, _service(app), settings, metrics).answer()

    @app.get("/jobs/{job_id}", summary="How far a job is")
    async def job(job_id: str, after: After = 0, wait: Wait = 0) -> dict[str, Any]:
        record = _record(app, job_id)
        if wait > 0:
            await record.news(after, wait)
        return _progress(record)

    @app.get("/jobs/{job_id}/velocity", summary="Rows that are finished")
    async def velocity(job_id: str, start: From = 0) -> dict[str, Any]:
        return {"from": start, "velocity": _record(app, job_id).rows(start, _MOST_ROWS)}

    @app.post("/jobs/{job_id}/cancel", summary="Stops a job; answers when it has stopped")
    async def cancel(job_id: str) -> dict[str, Any]:
        record = _record(app, job_id)
        await _service(app).cancel(record)
        progress = _progress(record)
        return {name: progress[name] for name in ("job_id", "state", "stopped_at")}

    @app.get("/results/{name}", summary="The archive of a job", response_model=None)
    async def result(name: str) -> Response:
        record = _service(app).find_result(name.removesuffix(".zip"))
        if record is None or record.archive is None:
            raise Problem("not-found", "There is no such result, or no more.")
        try:
            # Held open: what is removed to make room while it is fetched is fetched to its end.
            archive = record.archive.open("rb")
        except FileNotFoundError as error:
            raise Problem("not-found", "There is no such result, or no more.") from error
        headers = {
            "content-length": str(os.fstat(archive.fileno()).st_size),
            "content-disposition": f'attachment; filename="{record.request_id}.zip"',
        }
        return StreamingResponse(_pieces(archive), media_type="application/zip", headers=headers)


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while piece := file.read(_PIECE_BYTES):
            yield piece


def _add_server_routes(app: FastAPI, settings: Settings, metrics: ServerMetrics) -> None:
    @app.get("/health", summary="Whether the server takes jobs")
    async def health() -> JSONResponse:
        service = _service(app)
        document = {
            "status": service.state,
            "slots": settings.slots,
            "in_flight": service.in_flight,
            "queued": service.queued,
            "device": service.devices[0],
        }
        if service.network is not None and service.network.problem is not None:
            document["detail"] = service.network.problem
        return JSONResponse(document, 200 if service.state in ("READY", "BUSY") else 503)

    @app.get("/capabilities", summary="What the server can do")
    async def capabilities() -> dict[str, Any]:
        service = _service(app)
        address = None if service.network is None else service.network.address
        return {
            "name": "infernode-model-server",
            "version": __version__,
            "contract": CONTRACT,
            "models": [
                {
                    "name": MODEL_NAME,
                    "version": __version__,
                    "digest": None if address is None else address.identity.digest,
                }
            ],
            "detectors": DETECTOR_NAMES,
            "policies": ["ibvs"] if address is None else ["ibvs", "cns"],
            "devices": service.devices,
            "slots": settings.slots,
            "max_upload_bytes": settings.max_upload_bytes,
            "features": ["progress", "cancel", "partial", "energy"],
        }

    @app.get("/metrics", summary="For Prometheus", response_model=None)
    async def prometheus() -> Response:
        _service(app).describe(metrics)
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)


def _service(app: FastAPI) -> JobService:
    service: JobService = app.state.service
    return service


def _record(app: FastAPI, job_id: str) -> JobRecord:
    record = _service(app).find(job_id)
    if record is None:
        raise Problem("not-found", "There is no such job, or no more.")
    return record


def _progress(record: JobRecord) -> dict[str, Any]:
    return {
        "job_id": record.job_id,
        "state": record.state,
        "processed": record.processed,
        "total": record.total,
        "stopped_at": None if record.stopped_at is None else record.stopped_at.isoformat(),
        "detail": record.detail,
    }


class _Authentication:
    """Asks for the token, where there is one. Plain ASGI: it must not stand between a job and the end of its connection."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._expected = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in _OPEN:
            request = Request(scope, receive)
            given = request.headers.get("authorization", "").encode()
            if not hmac.compare_digest(given, self._expected):
                problem = Problem("unauthorized", "The token is missing or wrong.")
                await LingeringResponse(problem.response(), request)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _add_problem_handlers(app: FastAPI) -> None:
    @app.exception_handler(Problem)
    async def of_problem(_: Request, problem: Problem) -> Response:
        return problem.response()

    @app.exception_handler(HTTPException)
    async def of_http(_: Request, error: HTTPException) -> Response:
        code = {404: "not-found", 405: "method-not-allowed"}.get(error.status_code, "unusable-input")
        return Problem(code, str(error.detail), status=error.status_code).response()

    @app.exception_handler(RequestValidationError)
    async def of_validation(_: Request, error: RequestValidationError) -> Response:
        errors = [(".".join(map(str, entry["loc"][1:])), entry["msg"]) for entry in error.errors()]
        return Problem("unusable-input", "The request cannot be used.", errors=errors).response()

    @app.exception_handler(Exception)
    async def of_anything(_: Request, error: Exception) -> Response:
        log.error("a request failed", exc_info=error)
        return Problem("internal", "The server failed.").response()
