"""WebVTT: captions that say who sounds and whether they are in view, beside them in the picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from soundspot.localize.classes import ClassVerdict
from soundspot.localize.exports.rows import UNNAMED, file_name, one_line
from soundspot.localize.exports.text import writing
from soundspot.localize.timeline import Moment, Timeline, Verdict
from soundspot.types import Box

SHORTEST_SECONDS = 0.001
EDGE_PERCENT = 20
"""A caption's middle keeps so far from the left and right: at the very edge it would have no room."""
LOWEST_PERCENT = 88
SAID: dict[Verdict | None, str] = {
    "on-screen": "on screen",
    "off-screen": "off screen",
    "unsure": "unsure whether in view",
    "silent": "silence",
    None: "not judged",
}
_CLASSES: dict[ClassVerdict, str] = {"sounding": "", "silent": "silent", "off-screen": "off screen", "absent": ""}


def write(timeline: Timeline, path: Path) -> None:
    """Write the captions to `path`; times are the film's own."""
    with writing(path) as file:
        file.write(text(timeline))


def text(timeline: Timeline, shift_seconds: float = 0.0, height_share: float = 1.0) -> str:
    """The captions, a cue a stretch, `shift_seconds` earlier; of a film of which `height_share` is the picture."""
    blocks = [f"WEBVTT\n\nNOTE {escaped(file_name(timeline.source))}"]
    for number, (start, end, verdict, tag) in enumerate(timeline.stretches(), start=1):
        inside = timeline.known_between(start, end)
        begin = max(0.0, start - shift_seconds)
        stop = max(end - shift_seconds, begin + SHORTEST_SECONDS)
        settings = _settings(inside, height_share)
        times = f"{clock(begin)} --> {clock(stop)}{settings}"
        blocks.append(f"{number}\n{times}\n{escaped(words(inside[0], verdict, tag))}")
    return "\n\n".join(blocks) + "\n"


def words(moment: Moment, verdict: Verdict | None, tag: str) -> str:
    """What a stretch's caption says; `moment` is any of it.

    >>> import numpy as np
    >>> words(Moment(0, np.zeros((1, 1)), np.zeros((1, 1)), 0, 0.9, "off-screen", -20), "off-screen", "Dog")
    'Dog (off screen)'
    """
    if verdict == "silent" or not moment.classes:
        return f"({SAID[verdict]})" if verdict == "silent" else f"{one_line(tag) or UNNAMED} ({SAID[verdict]})"
    parts = []
    for state in ("sounding", "off-screen", "silent"):
        names = ", ".join(one_line(each.name) for each in moment.classes if each.verdict == state)
        if names:
            parts.append(f"{names} ({_CLASSES[state]})" if _CLASSES[state] else names)
    return "; ".join(parts) or f"{UNNAMED} ({SAID[verdict]})"


def clock(seconds: float) -> str:
    """Hours, minutes, seconds, thousandths.

    >>> clock(3725.0406)
    '01:02:05.041'
    """
    thousandths = round(seconds * 1000)
    return (
        f"{thousandths // 3600000:02d}:{thousandths // 60000 % 60:02d}:"
        f"{thousandths // 1000 % 60:02d}.{thousandths % 1000:03d}"
    )


def escaped(line: str) -> str:
    """Without what means something in WebVTT: tags, entities, the arrow between times."""
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _settings(moments: Sequence[Moment], height_share: float) -> str:
    """Below the hottest region, where it mostly is; the player's own place where there is none."""
    boxes: list[Box] = [moment.boxes[0] for moment in moments if moment.boxes]
    if not boxes:
        return ""
    left, _, right, bottom = (float(np.median([box[side] for box in boxes])) for side in range(4))
    across = min(max(round(50 * (left + right)), EDGE_PERCENT), 100 - EDGE_PERCENT)
    down = min(round(100 * bottom * height_share), LOWEST_PERCENT)
    return f" line:{down}% position:{across}% align:center size:{2 * min(across, 100 - across)}%"
