"""The one way in: which addresses exist, how much may be sent and how slowly, and what browsers may load.

The web framework brings dozens of addresses of its own; a visitor needs few, and gets no others.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from pathlib import Path
from typing import Any

from starlette.requests import ClientDisconnect

from soundspot.page.visits import Visits

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

API = "/gradio_api"
ALLOWED = {
    "GET": re.compile(
        rf"/|/config|/theme\.css|/favicon\.ico|/manifest\.json|/pwa_icon|/(assets|static)/[\w./@%-]+"
        rf"|/result/[\w-]+/\d+/[\w.-]+|{API}/(info|startup-events|queue/data|upload_progress|heartbeat/\w+)",
        re.ASCII,
    ),
    "POST": re.compile(rf"{API}/(upload|queue/join|cancel|reset|startup-events)"),
}
MAX_QUESTION_BYTES = 64_000
"""Of anything sent that is no upload."""
UPLOADS_AT_ONCE = 8
LINGER_SECONDS = 1.0
"""What still comes after a refusal is read and dropped for so long: who is cut off while sending sees no answer."""
HEADERS = {
    # The browser itself refuses to ask other machines for anything.
    "content-security-policy": "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self'"
    " 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' blob:; font-src 'self' data:; connect-src 'self';"
    " object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}


class _Refused(Exception):
    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status, self.text = status, text


class Door:
    """ASGI middleware that lets in what the page needs."""

    def __init__(self, app: App, visits: Visits) -> None:
        self._app, self._visits = app, visits
        self._uploads = 0

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # no websockets
        answer, incoming = _Answer(send), _Incoming(receive)
        try:
            await self._let_in(scope, incoming, answer)
        except _Refused as refusal:
            await answer.refuse(refusal, incoming)

    async def _let_in(self, scope: MutableMapping[str, Any], receive: Receive, answer: _Answer) -> None:
        method, path = scope["method"], scope["path"]
        allowed = ALLOWED.get("GET" if method == "HEAD" else method)
        if allowed is None or not allowed.fullmatch(path) or ".." in path:
            raise _Refused(404, "Nothing is here.")
        if _is_of_another_site(dict(scope["headers"])):
            raise _Refused(403, "Open the page itself.")
        if path == f"{API}/upload":
            await self._upload(scope, receive, answer)
            return
        if method == "POST":
            receive = await self._question(receive, path)
        await self._app(scope, receive, answer)

    async def _upload(self, scope: MutableMapping[str, Any], receive: Receive, answer: _Answer) -> None:
        limits = self._visits.limits
        most = limits.max_bytes + 10_000  # what wraps the file
        too_large = _Refused(413, f"Expected a file of up to {limits.max_mb} MB; make it smaller, or cut it shorter.")
        length = dict(scope["headers"]).get(b"content-length", b"0")
        if length.isdigit() and int(length) > most:
            raise too_large
        full = await asyncio.to_thread(self._visits.used_bytes) + most > limits.room_bytes
        if full or self._uploads >= UPLOADS_AT_ONCE:
            raise _Refused(503, "Too many films are here just now; try again in a few minutes.")
        ends, got = time.monotonic() + limits.upload_seconds, 0
        refused: _Refused | None = None

        async def bounded() -> Message:
            nonlocal got, refused
            wait = min(limits.stall_seconds, ends - time.monotonic())
            try:
                message = await asyncio.wait_for(receive(), max(wait, 0.01))
            except TimeoutError:
                refused = _Refused(408, "The upload took too long; try again with a smaller file.")
            else:
                got += len(message.get("body", b""))
                refused = too_large if got > most else None
            # to those behind the door it looks as if the visitor had hung up
            return {"type": "http.disconnect"} if refused else message

        async def unless_refused(message: Message) -> None:
            if refused is None:
                await answer(message)

        self._uploads += 1
        try:
            await self._app(scope, bounded, unless_refused)
        except ClientDisconnect:
            pass  # whether refused, or gone by themselves
        finally:
            self._uploads -= 1
            if self._uploads == 0:
                self._visits.drop_cut_off()
        if refused is not None:
            raise refused

    async def _question(self, receive: Receive, path: str) -> Receive:
        """The whole of a short body, looked through: no file may be named in it but an upload."""
        body, more = b"", True
        ends = time.monotonic() + self._visits.limits.stall_seconds
        while more:
            try:
                message = await asyncio.wait_for(receive(), max(ends - time.monotonic(), 0.01))
            except TimeoutError:
                raise _Refused(408, "The question took too long.") from None
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > MAX_QUESTION_BYTES:
                raise _Refused(413, "The question is too long.")
        if path == f"{API}/queue/join":
            self._check(body)
        sent = False

        async def again() -> Message:
            nonlocal sent
            if sent:
                return await receive()
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        return again

    def _check(self, body: bytes) -> None:
        try:
            paths = list(_paths_in(json.loads(body)))
        except (ValueError, RecursionError):
            raise _Refused(400, "The question cannot be read.") from None
        if not all(isinstance(path, str) and self._visits.is_upload(Path(path)) for path in paths):
            raise _Refused(400, "Expected an uploaded file; choose the file again.")


def _is_of_another_site(headers: Mapping[bytes, bytes]) -> bool:
    """Whether a browser says that another site's page asks; that site may link to this page, and no more."""
    other = headers.get(b"sec-fetch-site") in (b"cross-site", b"same-site")
    return other and headers.get(b"sec-fetch-mode") != b"navigate"


def _is_replaced(name: bytes, ours: Mapping[bytes, bytes]) -> bool:
    """Whether a header of the framework's does not go out: no other site may read an answer."""
    return name in ours or name.startswith(b"access-control-")


def _paths_in(value: Any) -> Iterator[Any]:
    """Every path that a question names, however deep."""
    if isinstance(value, dict):
        if "path" in value:
            yield value["path"]
        for each in value.values():
            yield from _paths_in(each)
    elif isinstance(value, list):
        for each in value:
            yield from _paths_in(each)


class _Incoming:
    """What is received; remembers whether that was all."""

    def __init__(self, receive: Receive) -> None:
        self._receive, self._is_all = receive, False

    async def __call__(self) -> Message:
        message = await self._receive()
        self._is_all = message["type"] == "http.disconnect" or not message.get("more_body", False)
        return message

    async def drop(self) -> None:
        """Read on, for a bounded time."""
        ends = time.monotonic() + LINGER_SECONDS
        while not self._is_all and (left := ends - time.monotonic()) > 0:
            try:
                await asyncio.wait_for(self(), left)
            except TimeoutError:
                return


class _Answer:
    """Sends on, with our headers; a refusal once something was sent ends the connection."""

    def __init__(self, send: Send) -> None:
        self._send, self._begun = send, False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._begun = True
            ours = {name.encode(): value.encode() for name, value in HEADERS.items()}
            kept = [(name, value) for name, value in message["headers"] if not _is_replaced(name.lower(), ours)]
            message = {**message, "headers": [*kept, *ours.items()]}
        await self._send(message)

    async def refuse(self, refusal: _Refused, incoming: _Incoming) -> None:
        if self._begun:
            raise ConnectionAbortedError(refusal.text)
        head = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
        await self({"type": "http.response.start", "status": refusal.status, "headers": head})
        await self._send({"type": "http.response.body", "body": refusal.text.encode(), "more_body": True})
        await incoming.drop()
        await self._send({"type": "http.response.body", "body": b""})
