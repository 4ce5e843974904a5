"""EDL: an edit decision list in the manner of CMX 3600, an event a stretch, for film editors."""

from __future__ import annotations

from pathlib import Path

from soundspot.localize.exports.rows import file_name, one_line
from soundspot.localize.exports.text import writing
from soundspot.localize.timeline import Moment, Timeline
from soundspot.types import UserError

REEL = "AX"
DROPPED = {30: 2, 60: 4}
"""Of frames a second at a rate of 1000/1001 of that: how many numbers are left out at the start of a minute."""
NTSC = 1000 / 1001


def write(timeline: Timeline, path: Path) -> None:
    """Write the list to `path`. UserError where the film's rate is not known."""
    if timeline.shown is None:
        raise UserError(f"{path}: expected a timeline that knows its film's rate, got none; localize a film")
    rate = timeline.shown.frames_per_second
    name = file_name(timeline.source)
    stretches = list(timeline.stretches())
    first = round(stretches[0][0] * rate)
    mode = "DROP FRAME" if is_dropped(rate) else "NON-DROP FRAME"
    with writing(path) as file:
        file.write(f"TITLE: {name}\nFCM: {mode}\n* FRAMES PER SECOND: {rate:.6g}\n")
        for number, (start, end, verdict, tag) in enumerate(stretches, start=1):
            begin = round(start * rate)
            stop = max(round(end * rate), begin + 1)
            codes = " ".join(time_code(frame, rate) for frame in (begin, stop, begin - first, stop - first))
            moment = timeline.known_at((start + end) / 2)
            file.write(f"\n{number:03d}  {REEL:<8s} V     C        {codes}\n* FROM CLIP NAME: {name}\n")
            file.write(f"* VERDICT: {verdict or 'none'}\n* HEARD: {one_line(tag) or 'nothing'}\n")
            file.writelines(_more(moment))


def _more(moment: Moment) -> list[str]:
    """Comments on a stretch by a moment of it."""
    lines = [f"* CLASS: {one_line(each.name)} {each.verdict}\n" for each in moment.classes if each.verdict != "absent"]
    if moment.probability is not None:
        lines.append(f"* VISIBLE: {moment.probability:.2f}\n")
    if moment.boxes:
        lines.append(f"* BOX: {' '.join(f'{side:.4f}' for side in moment.boxes[0])}\n")
    return lines


def is_dropped(rate: float) -> bool:
    """Whether time codes at this rate leave numbers out, to stay with the clock: 29.97 and 59.94."""
    return any(abs(rate - base * NTSC) < 0.002 for base in DROPPED)


def time_code(frame: int, rate: float) -> str:
    """Of a frame's number from 0: hours, minutes, seconds, frames, with a semicolon where numbers are left out.

    At 29.97 the first two numbers (59.94: four) of each minute but every tenth are none.

    >>> time_code(90, 25), time_code(1800, 30000 / 1001), time_code(17982, 30000 / 1001)
    ('00:00:03:15', '00:01:00;02', '00:10:00;00')
    """
    base = round(rate) or 1
    dropped = DROPPED[base] if is_dropped(rate) else 0
    if dropped:
        minute = 60 * base - dropped
        tens, rest = divmod(frame, 10 * minute + dropped)
        # The first minute of ten is whole.
        frame += dropped * 9 * tens + (dropped * ((rest - dropped) // minute) if rest >= dropped else 0)
    seconds, frames = divmod(frame, base)
    clock = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f"{clock}{';' if dropped else ':'}{frames:02d}"
