"""How long a connection may say nothing whole: the web server itself would wait for a request's head for ever."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

HEAD_SECONDS = 10.0
"""In which a request's head must come. A connection that trickles is cut after once to twice as long."""
BASE: Any = AutoHTTPProtocol
"""Which of the web server's two it is depends on what else is installed."""
_BUSY = object()


class Impatient(BASE):
    """The web server's protocol, that hangs up on who opens a connection and asks nothing."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Look after it from now on."""
        super().connection_made(transport)
        self.loop.call_later(HEAD_SECONDS, self._look, None)

    def _look(self, before: Any) -> None:
        """`before`: what was being answered, or was answered last, when one looked before."""
        if self.transport.is_closing():
            return
        now: Any = self.cycle
        is_waiting = now is None or now.response_complete
        if is_waiting and now is before:
            self.transport.close()
        else:
            self.loop.call_later(HEAD_SECONDS, self._look, now if is_waiting else _BUSY)
