"""Start the page, say where it is, and leave nothing behind."""

from __future__ import annotations

import os
import queue
import shutil
import signal
import socket
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from soundspot.page.limits import Limits
from soundspot.types import UserError

if TYPE_CHECKING:
    from soundspot.page.visits import Visits
    from soundspot.page.work import Weights

EVERYWHERE = ("0.0.0.0", "::")  # nosec B104 # known, to warn who asks for it; the default is this machine alone
MOST_CONNECTIONS = 256
QUIET = {
    "GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1",
    "GRADIO_RUN_HISTORY": "False", "GRADIO_SHARE": "False", "GRADIO_MCP_SERVER": "False", "GRADIO_SSR_MODE": "False",
    "GRADIO_VIBE_MODE": "", "GRADIO_ALLOWED_PATHS": "", "GRADIO_DEBUG": "0", "GRADIO_CACHE_EXAMPLES": "false",
}  # fmt: skip
"""What the web framework reads from the environment, set against statistics, tunnels, and its developers' tools."""


def serve(
    weights: tuple[str, ...],
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    device: str = "cpu",
    samples: Path | None = None,
    limits: Limits | None = None,
    tell: Callable[[str], None] = print,
) -> None:
    """Serve the page until it is interrupted. `tell` gets its address once it answers. UserError for a taken port."""
    limits = limits or Limits()
    folder = Path(tempfile.mkdtemp(prefix="soundspot-page-")).resolve()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # asked to end, it tidies up as after Ctrl-C
    try:
        with _listen(host, port) as listening:
            # read once, when the framework is imported
            os.environ.update(QUIET, GRADIO_TEMP_DIR=str(folder / "uploads"))
            app, visits, chosen = _app(weights, device, samples, limits, folder)
            _run(app, listening, visits, chosen, lambda: tell(f"http://{_shown(host)}:{listening.getsockname()[1]}/"))
    except KeyboardInterrupt:
        pass  # the way to end it
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _listen(host: str, port: int) -> socket.socket:
    """A socket that listens there, before anything slow is imported."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except (OSError, OverflowError) as error:
        listening.close()
        raise UserError(
            f"expected a --host and --port that are free, got {host} and {port} ({error}); choose another --port"
        ) from None
    return listening


def _shown(host: str) -> str:
    if host in EVERYWHERE:
        return "localhost"
    return f"[{host}]" if ":" in host else host


def _app(
    weights: tuple[str, ...], device: str, samples: Path | None, limits: Limits, folder: Path
) -> tuple[Any, Visits, Weights]:
    """Everything behind the door; what is wrong with the files of weights or samples is told now."""
    try:
        import fastapi
        import gradio as gr
    except ImportError as error:
        raise UserError("expected gradio for the page, got none; pip install 'soundspot[demo]'") from error
    from starlette.middleware import Middleware

    from soundspot.page.build import build, css, head, theme
    from soundspot.page.door import Door
    from soundspot.page.handlers import Handlers
    from soundspot.page.results import route
    from soundspot.page.samples import samples_in
    from soundspot.page.visits import Visits
    from soundspot.page.work import Weights

    chosen, visits = Weights(weights, device), Visits(folder, limits)
    page = build(Handlers(chosen, visits, limits, samples_in(samples)))
    outer = fastapi.FastAPI(
        docs_url=None, redoc_url=None, openapi_url=None, middleware=[Middleware(Door, visits=visits)]
    )
    outer.add_api_route("/result/{token}/{number}/{name}", route(visits), methods=["GET", "HEAD"])
    app = gr.mount_gradio_app(
        outer, page, "/", footer_links=[], run_history=False, show_error=False, max_file_size=limits.max_bytes,
        ssr_mode=False, enable_monitoring=False, pwa=False, mcp_server=False, theme=theme(), css=css(), head=head(),
        allowed_paths=[], app_kwargs={"docs_url": None, "redoc_url": None, "openapi_url": None},
    )  # fmt: skip
    return app, visits, chosen


def _run(app: Any, listening: socket.socket, visits: Visits, weights: Weights, ready: Callable[[], None]) -> None:
    """Serve until interrupted. The first weights are loaded meanwhile; UserError if they cannot be."""
    import uvicorn

    from soundspot.page.patience import Impatient

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            ready()

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            visits.stop()  # what threads work on is waited for
            await super().shutdown(sockets)

    config = uvicorn.Config(
        app, log_level="critical", access_log=False, server_header=False, limit_concurrency=MOST_CONNECTIONS,
        timeout_graceful_shutdown=1, lifespan="on", ws="none", http=Impatient,
    )  # fmt: skip
    server, failed, ended = Server(config), queue.SimpleQueue[UserError](), threading.Event()

    def load() -> None:
        try:
            weights.warm()
        except UserError as error:
            failed.put(error)
            server.should_exit = True

    helpers = [
        threading.Thread(target=load, daemon=True),
        threading.Thread(target=_sweep, args=(visits, ended), daemon=True),
    ]
    for helper in helpers:
        helper.start()
    try:
        server.run(sockets=[listening])
    finally:
        ended.set()
        visits.close()
    if not failed.empty():
        raise failed.get()


def _sweep(visits: Visits, ended: threading.Event) -> None:
    """Delete what is no longer used, now and then."""
    while not ended.wait(min(30.0, visits.limits.keep_minutes * 60 / 4)):
        visits.sweep()
