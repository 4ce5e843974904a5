"""The verb for what comes as it comes."""

from __future__ import annotations

import json
import os
import sys
from typing import Annotated

import typer

from soundspot.cli.words import Device


def live(
    source: Annotated[
        str, typer.Argument(help="'-' for a pipe, a named pipe, /dev/video0, an rtsp:// or http:// address, or a film.")
    ],
    sound: Annotated[
        str | None, typer.Option(help="The sound, where the source has none: an ALSA device such as 'default'.")
    ] = None,
    weights: Annotated[str, typer.Option(help="'default', or a weights file of any method.")] = "default",
    every: Annotated[float, typer.Option(help="Seconds between two looks.")] = 0.5,
    queue: Annotated[int, typer.Option(help="Looks that may wait; where more come, the oldest is left out.")] = 2,
    device: Device = "cpu",
) -> None:
    """Show where a running sound comes from: a JSON line a moment, a fixed time after it came."""
    count = dropped = 0
    try:
        from soundspot.localize.live import open_live
        from soundspot.localize.localizer import Localizer

        running = open_live(Localizer.from_pretrained(weights, device), source, sound, every, queue)
        stated = running.stated_delay_seconds
        print(f"each line comes within {stated:g} s of its moment, while the method keeps up", file=sys.stderr)
        for told in running.moments():
            count, dropped = count + 1, told.dropped
            print(json.dumps({**told.row(), "stated_delay_seconds": stated}, ensure_ascii=False), flush=True)
    except KeyboardInterrupt:
        pass
    except BrokenPipeError:  # whoever read the lines has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    print(f"{count} moments, {dropped} looks left out", file=sys.stderr)
