"""The verb for the web page."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from soundspot.cli.words import Device


def page(
    weights: Annotated[
        list[str] | None,
        typer.Argument(help="'default', or weights files: what visitors may choose from, the first at first."),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen at; 0.0.0.0 lets in other machines.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen at; 0: any free one.")] = 7860,
    samples: Annotated[
        Path | None, typer.Option(help="Folder of films to try it with; without, one that is drawn by code.")
    ] = None,
    max_mb: Annotated[int, typer.Option(min=1, help="Megabytes that one upload may have.")] = 200,
    max_seconds: Annotated[float, typer.Option(help="Seconds that one film may have.")] = 300.0,
    at_once: Annotated[int, typer.Option(min=1, help="Films that are worked on at a time; others wait.")] = 2,
    keep_minutes: Annotated[
        float, typer.Option(help="Minutes after which files that nobody uses are deleted; sooner when visitors leave.")
    ] = 30.0,
    device: Device = "cpu",
) -> None:
    """Serve a web page that localizes films, here, for as long as this command runs."""
    from soundspot.page.limits import Limits
    from soundspot.page.serve import serve

    if host not in ("127.0.0.1", "localhost", "::1"):
        print(
            f"warning: --host {host} lets in whoever can reach this machine; the page has no passwords and no TLS",
            file=sys.stderr,
        )

    def tell(address: str) -> None:
        print(address, flush=True)
        print("the page is at this address; Ctrl-C ends it", file=sys.stderr)

    limits = Limits(max_mb=max_mb, max_seconds=max_seconds, at_once=at_once, keep_minutes=keep_minutes)
    chosen = tuple(weights or ["default"])
    serve(chosen, host=host, port=port, device=device, samples=samples, limits=limits, tell=tell)
