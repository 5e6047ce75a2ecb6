"""Errors as `application/problem+json` (RFC 9457), with the codes of the contract."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.responses import JSONResponse

STATUS_OF_CODE = {
    "unusable-input": 422,
    "unauthorized": 401,
    "not-found": 404,
    "method-not-allowed": 405,
    "too-slow": 408,
    "no-free-slot": 409,
    "too-large": 413,
    "unsupported-media-type": 415,
    "cancelled": 499,
    "internal": 500,
    "not-ready": 503,
}
_TITLES = {
    "unusable-input": "The input cannot be worked on",
    "unauthorized": "A token is needed",
    "not-found": "There is no such thing",
    "method-not-allowed": "The method is not allowed here",
    "too-slow": "The upload has stalled",
    "no-free-slot": "All slots are taken",
    "too-large": "The input is too large",
    "unsupported-media-type": "The content type cannot be read",
    "cancelled": "The job was cancelled",
    "internal": "The server failed",
    "not-ready": "The server is not ready",
}
#: What a retry of the same request may help against.
_RETRYABLE = frozenset({"too-slow", "no-free-slot", "internal", "not-ready"})


class Problem(Exception):
    """An answer that is an error.

    Args:
        code: of the contract
        detail: for the person who sent the request
        status: where it is not the usual one of the code
        errors: what is wrong with which field
        extra: further members of the document
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        status: int | None = None,
        errors: Sequence[tuple[str, str]] = (),
        retry_after: int | None = None,
        extra: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.status = status or STATUS_OF_CODE[code]
        self._errors = errors
        self._retry_after = retry_after
        self._extra = extra or {}

    def response(self) -> JSONResponse:
        document = {
            "type": f"urn:infernode:problem:{self.code}",
            "title": _TITLES[self.code],
            "status": self.status,
            "detail": str(self),
            "code": self.code,
            "retryable": self.code in _RETRYABLE,
            **self._extra,
        }
        if self._errors:
            document["errors"] = [{"path": path, "message": message} for path, message in self._errors]
        headers = {} if self._retry_after is None else {"Retry-After": str(self._retry_after)}
        if self.code == "unauthorized":
            headers["WWW-Authenticate"] = "Bearer"
        return JSONResponse(document, self.status, headers, media_type="application/problem+json")
