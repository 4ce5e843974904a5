"""One page that works from disk: the film with captions, its timeline to click, a table of stretches."""

from __future__ import annotations

import base64
import json
import os
from html import escape
from pathlib import Path
from urllib.parse import quote

from soundspot.localize.exports import vtt
from soundspot.localize.exports.page_parts import SCRIPT, STYLE
from soundspot.localize.exports.page_svg import VERDICTS, timeline_svg
from soundspot.localize.exports.rows import file_name, one_line
from soundspot.localize.exports.text import writing
from soundspot.localize.timeline import Timeline
from soundspot.media.files import PICTURES
from soundspot.media.video import probe


def write(timeline: Timeline, path: Path) -> None:
    """Write the page to `path`: it plays the overlay film, where one was written, or else the film itself.

    The film is named as seen from the page: both move together.
    """
    title = f"{file_name(timeline.source)}: where its sound comes from"
    page = (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">\n'
        f"<style>{STYLE}</style></head><body>\n<h1>{escape(file_name(timeline.source))}</h1>\n{_about(timeline)}\n"
        f"{_player(timeline, path)}\n{timeline_svg(timeline)}\n{_table(timeline)}\n{_made_with(timeline)}\n"
        f"<script>{SCRIPT}</script></body></html>\n"
    )
    with writing(path) as file:
        file.write(page)


def _about(timeline: Timeline) -> str:
    shares = ", ".join(f"{vtt.SAID.get(name, 'not judged')} {share:.0%}" for name, share in _shares(timeline))
    return f'<p class="faint">A look every {timeline.step_seconds:g} s: {escape(shares)}.</p>'


def _shares(timeline: Timeline) -> list[tuple[VERDICTS, float]]:
    return [(None if name == "relative" else name, share) for name, share in timeline.shares().items()]  # type: ignore[misc]


def _player(timeline: Timeline, path: Path) -> str:
    """The film with its captions, or a picture; both with the time at which the player's time 0 is."""
    film, offset, share = Path(timeline.source), 0.0, 1.0
    if timeline.overlay is not None:
        film = Path(timeline.overlay)
        offset = timeline.start_seconds
        share = _height_share(timeline, film)
    address = escape(address_of(film, path), quote=True)
    if film.suffix.lower() in PICTURES:
        return f'<img src="{address}" alt="{escape(film.name, quote=True)}">'
    captions = base64.b64encode(vtt.text(timeline, offset, share).encode(errors="backslashreplace")).decode()
    return (
        f'<video controls playsinline preload="metadata" src="{address}" data-offset="{offset:.3f}">'
        f'<track default kind="captions" srclang="en" label="who sounds" src="data:text/vtt;base64,{captions}">'
        "</video>"
        f'<p class="faint" id="missing" hidden>The film is not where this page looks for it: {address}.'
        " Put it there and load the page again.</p>"
    )


def _height_share(timeline: Timeline, overlay: Path) -> float:
    """Which share of the overlay film's height is the picture: more stands below."""
    info = probe(overlay)
    if timeline.shown is None or info.width is None or info.height is None:
        return 1.0
    return min(1.0, timeline.shown.height * info.width / timeline.shown.width / info.height)


def address_of(film: Path, page: Path) -> str:
    """A film's path as seen from the page's folder, for use in a page."""
    relative = os.path.relpath(film.resolve(), page.resolve().parent)
    parts = Path(relative).parts
    return "/".join(quote(os.fsencode(part)) for part in parts)


def _table(timeline: Timeline) -> str:
    rows = []
    for start, end, verdict, tag in timeline.stretches():
        inside = timeline.known_between(start, end)
        surest = max((moment.probability for moment in inside if moment.probability is not None), default=None)
        heard = vtt.words(inside[0], verdict, tag) if inside[0].classes and verdict != "silent" else one_line(tag)
        tracks = sorted({number for moment in inside for number in moment.tracks})
        cells = (
            f'<td><button data-time="{start:.3f}">{start:.2f} – {end:.2f} s</button></td>'
            f'<td><i class="v-{verdict or "none"}"></i>{escape(vtt.SAID[verdict])}</td>'
            f"<td>{'' if surest is None else f'{surest:.0%}'}</td><td>{escape(heard)}</td>"
            f"<td>{', '.join(f'#{number}' for number in tracks)}</td>"
        )
        rows.append(f'<tr data-start="{start:.3f}" data-end="{end:.3f}">{cells}</tr>')
    head = "".join(f"<th>{name}</th>" for name in ("When", "Source", "In view", "Heard", "Regions"))
    return (
        f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>\n'
        + "\n".join(rows)
        + "\n</tbody></table></div>"
    )


def _made_with(timeline: Timeline) -> str:
    rows = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(one_line(value))}</dd>" for name, value in timeline.provenance.items()
    )
    source = escape(json.dumps(timeline.source, ensure_ascii=False))
    return f"<details><summary>Made with</summary><dl><dt>source</dt><dd>{source}</dd>{rows}</dl></details>"
