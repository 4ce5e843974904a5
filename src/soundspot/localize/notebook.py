"""What a notebook shows of a timeline or a moment: HTML with pictures in it, no script, nothing from elsewhere."""

from __future__ import annotations

import base64
import io
from html import escape
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from soundspot.localize import draw
from soundspot.localize.film import key_moments
from soundspot.localize.source import PICTURE_SUFFIXES
from soundspot.localize.timeline import Moment, Timeline, Verdict
from soundspot.media.errors import MediaError
from soundspot.media.image import read_image
from soundspot.media.video import read_frame

MAX_ROWS = 12
MAX_TILES = 4
TILE_WIDTH = 260
BLANK = (180, 240)
"""Height and width of what stands in for a picture that is not at hand."""
BOX_COLOUR = (255, 255, 255)
CELL = "padding:2px 10px 2px 0;text-align:left"


def timeline_html(timeline: Timeline) -> str:
    """Title, strip of verdicts, key frames with heat, and the longest stretches."""
    if not timeline.known:
        return f"<div><b>{escape(timeline.source)}</b>: no moments</div>"
    shares = ", ".join(f"{name} {share:.0%}" for name, share in timeline.shares().items())
    title = f"<b>{escape(Path(timeline.source).name)}</b> &nbsp; {len(timeline.known)} moments, {escape(shares)}"
    return (
        '<div style="font-family:sans-serif;font-size:13px;max-width:1100px">'
        f"<div>{title}</div>{_strip(timeline)}{_tiles(timeline)}{_table(timeline)}</div>"
    )


def moment_html(moment: Moment, frame: npt.NDArray[np.uint8] | None = None) -> str:
    """Heat and boxes, over the frame where there is one, and what is said of it."""
    return (
        '<div style="font-family:sans-serif;font-size:13px;display:inline-block;vertical-align:top;'
        f'width:{TILE_WIDTH}px;margin:4px">'
        f"{_picture(moment, frame)}<div>{_mark(moment.verdict)} {escape(draw.at_time(moment).strip())}</div></div>"
    )


def _strip(timeline: Timeline) -> str:
    spans = list(timeline.stretches())
    parts = "".join(
        f'<div title="{start:.1f} to {end:.1f} s: {escape(verdict or "relative")}, {escape(heard)}"'
        f' style="flex:{end - start:.3f};background:{_css(verdict)}"></div>'
        for start, end, verdict, heard in spans
    )
    return f'<div style="display:flex;height:16px;margin:4px 0">{parts}</div>'


def _tiles(timeline: Timeline) -> str:
    chosen = sorted(key_moments(timeline), key=lambda moment: -(moment.probability or 0.0))[:MAX_TILES]
    chosen.sort(key=lambda moment: moment.time_seconds)
    parts = (
        moment_html(timeline.at(moment.time_seconds), _frame(timeline.source, moment.time_seconds)) for moment in chosen
    )
    return f"<div>{''.join(parts)}</div>"


def _frame(source: str, time_seconds: float) -> npt.NDArray[np.uint8] | None:
    """What is shown at a time; None where the film has gone meanwhile."""
    try:
        if Path(source).suffix.lower() in PICTURE_SUFFIXES:
            return read_image(Path(source))
        return read_frame(source, time_seconds)
    except MediaError:
        return None


def _table(timeline: Timeline) -> str:
    spans = list(timeline.stretches())
    rows = "".join(
        f'<tr><td style="{CELL}">{start:.1f} – {end:.1f} s</td><td style="{CELL}">{_mark(verdict)}'
        f' {escape(verdict or "relative")}</td><td style="{CELL}">{escape(heard)}</td></tr>'
        for start, end, verdict, heard in spans[:MAX_ROWS]
    )
    rest = f"<div>and {len(spans) - MAX_ROWS} stretches more</div>" if len(spans) > MAX_ROWS else ""
    return f'<table style="border-collapse:collapse">{rows}</table>{rest}'


def _picture(moment: Moment, frame: npt.NDArray[np.uint8] | None) -> str:
    if frame is None:
        frame = np.full((*BLANK, 3), 60, np.uint8)
    height = max(1, round(frame.shape[0] * TILE_WIDTH / frame.shape[1]))
    small = np.asarray(Image.fromarray(frame).resize((TILE_WIDTH, height)))
    heat = moment.heat if moment.heat.size else np.zeros((1, 1), np.float32)
    sheet = Image.fromarray(draw.overlay(small, heat))
    pen = draw.ImageDraw.Draw(sheet)
    for x0, y0, x1, y1 in moment.boxes:
        edges = (x0 * TILE_WIDTH, y0 * height, x1 * TILE_WIDTH - 1, y1 * height - 1)
        pen.rectangle(tuple(round(edge) for edge in edges), outline=BOX_COLOUR, width=2)
    held = io.BytesIO()
    sheet.save(held, "PNG")
    text = escape(draw.say(moment))
    return f'<img alt="{text}" width="{TILE_WIDTH}" src="data:image/png;base64,{_text(held.getvalue())}">'


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _mark(verdict: Verdict | None) -> str:
    return f'<span style="display:inline-block;width:11px;height:11px;background:{_css(verdict)}"></span>'


def _css(verdict: Verdict | None) -> str:
    return "rgb({},{},{})".format(*draw.VERDICT_COLOURS[verdict])
