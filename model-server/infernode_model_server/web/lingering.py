"""An answer to a request whose body was not read to its end."""

from __future__ import annotations

import asyncio
import time

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

#: How long, and how much, a sender may go on after the answer. Long enough for an answer to cross the network.
_SECONDS = 5.0
_BYTES = 64 * 1024 * 1024


class LingeringResponse(Response):
    """Sends the answer, then reads on for a while.

    A connection that is closed while the other end still sends is reset, which throws away the answer unread. So the sender
    gets the answer first, and time to notice it.
    """

    def __init__(self, answer: Response, request: Request) -> None:
        super().__init__(answer.body, answer.status_code)
        self.raw_headers = [*answer.raw_headers, (b"connection", b"close")]
        self._request = request

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        await self._read_on()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _read_on(self) -> None:
        deadline, read = time.monotonic() + _SECONDS, 0
        while read < _BYTES and (remaining := deadline - time.monotonic()) > 0:
            try:
                message = await asyncio.wait_for(self._request.receive(), remaining)
            except asyncio.TimeoutError:
                return
            read += len(message.get("body", b""))
            if message["type"] == "http.disconnect" or not message.get("more_body", False):
                return
