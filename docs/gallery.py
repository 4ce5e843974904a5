"""The pictures of docs/start.md and docs/gallery, made by the code from the sample film.

    soundspot samples film --root film
    python docs/gallery.py film/film.mp4 [--out docs/gallery]

Runs `soundspot localize` on the film and keeps, small enough for a page: summary.png; for each verdict that comes up
its clearest look (on-screen.png, ...); and printed.txt, what the command prints.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from soundspot.localize import draw
from soundspot.localize.film import write_summary
from soundspot.localize.run import Localized, Wanted, run
from soundspot.localize.source import Source, open_source
from soundspot.localize.timeline import Moment
from soundspot.media.files import written_aside

WIDTH, COLOURS = 640, 256
SUMMARY_WIDTH = 780


def make(film: Path, out: Path, weights: str = "default") -> None:
    """Write the gallery of a film to `out`."""
    with tempfile.TemporaryDirectory() as folder:
        keep(run(film, None, Path(folder), Wanted(weights=weights, with_film=False)), open_source(film), out)


def keep(done: Localized, source: Source, out: Path) -> None:
    """The pictures, and what was printed but for where the files lie."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        write_summary(source, done.timeline, Path(folder) / "summary.png")
        with Image.open(Path(folder) / "summary.png") as summary:
            save(np.asarray(summary.convert("RGB")), out / "summary.png", SUMMARY_WIDTH)
        for verdict, moment in clearest(done.timeline.known).items():
            shown = draw.tile(source.picture_at(moment.time_seconds), done.timeline.at(moment.time_seconds))
            save(shown, out / f"{verdict}.png", WIDTH)
    lines = [line for line in done.text().splitlines() if not line.startswith(tuple(f"{name}:" for name in done.files))]
    (out / "printed.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def clearest(moments: Sequence[Moment]) -> dict[str, Moment]:
    """Of each verdict the look that shows it best: surest of what it says, and of silence and doubt the middle one."""
    by_verdict: dict[str, list[Moment]] = {}
    for moment in moments:
        by_verdict.setdefault(moment.verdict or "relative", []).append(moment)
    chosen = {}
    for verdict, some in by_verdict.items():
        ordered = sorted(some, key=lambda moment: moment.probability or 0.0)
        place = {"on-screen": -1, "off-screen": 0}.get(verdict, len(some) // 2)
        chosen[verdict] = (some if verdict in ("silent", "relative") else ordered)[place]
    return chosen


def save(picture: npt.NDArray[np.uint8], path: Path, width: int) -> None:
    """Write a picture at most so wide, in COLOURS colours: a page must stay light."""
    image = Image.fromarray(picture)
    if image.width > width:
        image = image.resize((width, round(image.height * width / image.width)), Image.Resampling.LANCZOS)
    with written_aside(path) as aside:
        image.quantize(COLOURS, kmeans=1).save(aside, format="PNG", optimize=True)


def main(words: Sequence[str] | None = None) -> None:
    """Make the gallery and print what the command prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("film", type=Path)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("gallery"))
    given = parser.parse_args(words)
    make(given.film, given.out)
    print((given.out / "printed.txt").read_text(encoding="utf-8"), end="")


if __name__ == "__main__":
    main()
