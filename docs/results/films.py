"""The default localizer on real films: where it points, and whether it knows sounds that are not the film's own.

    python docs/results/films.py [SHARED] [--out DIR] [--only NAME ...]

SHARED (or SOUNDSPOT_SHARED) holds data/media/films and data/annotations. films_boxes.json, beside this file, says what
sounds in each film and, drawn by eye, where. Every film is heard four times: with its own sound, with silence, with
white noise as loud as its own, and with the sound of a film of another class, drawn by SEED. The pictures pass the
network once. Prints the tables; with --out also writes them there, and looks.csv, a line a look.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from study import table

from soundspot.data.loader import Stack, fit_picture
from soundspot.localize.judging import Moments
from soundspot.localize.localizer import LEVEL_SECONDS, NUM_TAGS, Localizer
from soundspot.localize.looks import Look
from soundspot.localize.shots import change, glance_of
from soundspot.localize.source import SoundWindows, Source, open_source
from soundspot.localize.timeline import SILENCE_DBFS, Timeline
from soundspot.media.audio import write_wav
from soundspot.media.sound import rms_db
from soundspot.media.video import read_waveform
from soundspot.methods.spot import Spot, combine
from soundspot.metrics.detection import auroc
from soundspot.metrics.intervals import Bootstrap
from soundspot.types import Box, Clip, UserError

SEED = 0
EVERY_SECONDS = 0.5
NEGATIVES = ("silence", "noise", "other film")
BATCH = 8
BOXES = Path(__file__).with_name("films_boxes.json")
VGGSS = "data/annotations/stoneMo+EZ-VSL/metadata/vggss.json"


@dataclass(frozen=True)
class Film:
    """One film, and what is known of it."""

    path: Path
    kind: str
    """What sounds, in a word: the sound of another film is one of another kind."""
    in_view: bool
    truths: Mapping[float, tuple[Box, ...]]
    """Boxes of what sounds, by time in seconds."""


def find_films(shared: Path, only: Sequence[str] = ()) -> list[Film]:
    """The films of the list beside this file. UserError where one is not there."""
    known = json.loads(BOXES.read_text(encoding="utf-8"))["films"]
    published = {row["file"]: row["bbox"] for row in json.loads((shared / VGGSS).read_text(encoding="utf-8"))}
    films = []
    for name, facts in known.items():
        if only and name not in only:
            continue
        path = shared / "data/media/films" / name
        if not path.is_file():
            raise UserError(f"expected the film {path}, got nothing there; give the folder that holds data/media/films")
        truths = {each["time_seconds"]: tuple(map(tuple, each["boxes"])) for each in facts.get("moments", ())}
        if "published" in facts:  # the id and the first second of ten; annotated was the middle
            video, first, last = path.stem.rsplit("_", 2)
            middle = (int(last) - int(first)) / 2000
            truths = {middle: tuple(map(tuple, published[f"{video}_{int(first) // 1000:06d}"]))}
        films.append(Film(path, facts["class"], facts["in_view"], truths))
    return films


def sounds_of(film: Film, films: Sequence[Film], folder: Path, rate: int) -> dict[str, Path]:
    """Its own sound and those in its place, by name, as files of the film's length; no silent film lends its sound."""
    own = _samples(film, rate)
    # so that a film gets the same sounds whichever others are looked at
    place = [each.path for each in films].index(film.path)
    draw = np.random.default_rng([SEED, place])
    others = [each for each in films if each.kind not in (film.kind, "none")]
    other = _samples(others[int(draw.integers(len(others)))], rate)
    level = float(np.sqrt((own.astype(np.float64) ** 2).mean())) or 0.1
    made = {
        "silence": np.zeros_like(own),
        "noise": np.clip(draw.normal(0, level, own.shape), -1, 1).astype(np.float32),
        "other film": np.tile(other, -(-own.shape[1] // other.shape[1]))[:, : own.shape[1]],
    }
    paths = {"own": film.path}
    for name, samples in made.items():
        paths[name] = folder / f"{place}_{name.replace(' ', '_')}.wav"
        write_wav(paths[name], samples, rate)
    return paths


def _samples(film: Film, rate: int) -> npt.NDArray[np.float32]:
    """(1, N) mono."""
    return read_waveform(film.path, sample_rate=rate).samples


def hear_each(localizer: Localizer, path: Path, sounds: Mapping[str, Path]) -> dict[str, Moments]:
    """The judged moments of a film with each sound, and its "objectness", which hears none; each picture is seen once.

    What `Localizer.video` gives with each sound, and with the weights' option part=objectness.
    """
    spot = localizer.method
    assert isinstance(spot, Spot)
    source = open_source(path)
    windows = {name: SoundWindows(sound, localizer.sample_rate, spot.inputs.seconds) for name, sound in sounds.items()}
    looks: dict[str, list[Look]] = {name: [] for name in (*sounds, "objectness")}
    for frames, changes in _batches(source, spot):
        seen = None
        for name, window in windows.items():
            heard = [window.around(time) for time, _ in frames]
            batch = Stack(
                images=torch.from_numpy(np.stack([image for _, image in frames])),
                samples=torch.from_numpy(np.stack([each.mean(axis=0) for each in heard])),
                sample_rate=localizer.sample_rate,
                clips=tuple(Clip(f"{time:.3f}") for time, _ in frames),
            ).to_batch(spot.inputs, "cpu")
            with torch.no_grad():
                seen = seen or spot.look(batch.image, spot.encode(batch.image))
                sound, tags = spot.heard(batch)
                maps = spot.maps(seen, sound, tags)
                given = {name: combine(maps)} | ({"objectness": maps["objectness"]} if name == "own" else {})
            for row, (time, _) in enumerate(frames):
                half = round(LEVEL_SECONDS * localizer.sample_rate) // 2
                middle = heard[row].shape[1] // 2
                level = rms_db(heard[row][:, middle - half : middle + half].mean(axis=0, dtype=np.float64))
                told = spot.told(tags[row].tolist(), NUM_TAGS)
                for which, scores in given.items():
                    looks[which].append(Look(time, scores[row].numpy(), level, changes[row], tags=told))
    return {name: Moments(some, some, localizer.judge) for name, some in looks.items()}


def _batches(source: Source, spot: Spot) -> Any:
    """Lists of (time, fitted picture), with what changed since the picture before."""
    before, frames, changes = None, [], []
    for time, frame in source.frames(1 / EVERY_SECONDS):
        glance = glance_of(frame)
        frames.append((time, fit_picture(frame, spot.inputs)))
        changes.append(0.0 if before is None else change(before, glance))
        before = glance
        if len(frames) == BATCH:
            yield frames, changes
            frames, changes = [], []
    if frames:
        yield frames, changes


def hits(film: Film, moments: Moments) -> list[bool]:
    """Of each moment with boxes: does the hottest place lie in one?"""
    timeline = Timeline(str(film.path), moments, EVERY_SECONDS)
    return [inside(timeline.at(time).row()["peak"], boxes) for time, boxes in film.truths.items()]


def inside(point: Sequence[float], boxes: Sequence[Box]) -> bool:
    """Does a point of the frame lie in one of the boxes?"""
    return any(x0 <= point[0] <= x1 and y0 <= point[1] <= y1 for x0, y0, x1, y1 in boxes)


def pointing(films: Sequence[Film], heard: Mapping[str, Mapping[str, Moments]]) -> str:
    """Markdown: how often each way of looking hits, of moments and by film, and what the default is ahead by."""
    shown = [film for film in films if film.in_view]
    rows: dict[str, list[float]] = {}
    units: list[str] = []
    for film in shown:
        units += [film.path.name] * len(film.truths)
        made = heard[film.path.name]
        rows.setdefault("default", []).extend(hits(film, made["own"]))
        for name in ("objectness", "noise", "other film"):
            label = name if name == "objectness" else f"default, hearing {name}"
            rows.setdefault(label, []).extend(hits(film, made[name]))
        rows.setdefault("centre", []).extend(inside((0.5, 0.5), boxes) for boxes in film.truths.values())
    bootstrap = Bootstrap(units)
    values = {name: np.array(row, dtype=float) for name, row in rows.items()}
    table_rows = {name: [_mean(bootstrap, row), f"{_by_film(units, row):.0f}"] for name, row in values.items()}
    for name in [each for each in values if each != "default"]:
        gap = values["default"] - values[name]
        table_rows[f"default minus {name}"] = [_mean(bootstrap, gap, "+.0f"), f"{_by_film(units, gap):+.0f}"]
    title = f"pointing, %: {len(units)} moments of {len(set(units))} films"
    return table(title, ["of moments (95 % over films)", "films weighing the same"], table_rows)


def _mean(bootstrap: Bootstrap, values: npt.NDArray[np.floating], form: str = ".0f") -> str:
    low, high = (100 * edge for edge in bootstrap.of_mean(values))
    return f"{100 * values.mean():{form}} ({low:.0f} to {high:.0f})"


def _by_film(units: Sequence[str], values: npt.NDArray[np.floating]) -> float:
    names = np.array(units)
    return float(100 * np.mean([values[names == unit].mean() for unit in dict.fromkeys(units)]))


def evidence(films: Sequence[Film], heard: Mapping[str, Mapping[str, Moments]]) -> str:
    """Markdown: verdicts with each sound, and how well the probability tells the own sound from the others."""
    shown = [film.path.name for film in films if film.in_view]
    rows = {}
    for name in ("own", *NEGATIVES):
        looks = [(film, moment) for film in shown for moment in heard[film][name].known]
        bootstrap = Bootstrap([film for film, _ in looks])
        verdicts = np.array([moment.verdict for _, moment in looks])
        cells = [_mean(bootstrap, (verdicts == verdict).astype(float)) for verdict in VERDICTS]
        telling = ["", ""] if name == "own" else list(_told_apart(shown, heard, [name]))
        rows[f"{name} ({len(looks)} looks)"] = [*cells, *telling]
    rows["all three"] = ["", "", "", "", *_told_apart(shown, heard, NEGATIVES)]
    return table(f"{len(shown)} films", [*(f"{v}, %" for v in VERDICTS), "AUROC of looks", "AUROC of films"], rows)


VERDICTS = ("on-screen", "unsure", "off-screen", "silent")


def _told_apart(
    films: Sequence[str], heard: Mapping[str, Mapping[str, Moments]], negatives: Sequence[str]
) -> tuple[str, str]:
    """AUROC of a look's probability, and of its mean over a film: own sound against others; intervals over films."""
    cells = []
    for whole in (False, True):
        scores, truths, units = [], [], []
        for film in films:
            for name in ("own", *negatives):
                values = [moment.probability or 0.0 for moment in heard[film][name].known]
                values = [float(np.mean(values))] if whole else values
                scores += values
                truths += [name == "own"] * len(values)
                units += [film] * len(values)
        found, truth = np.array(scores), np.array(truths)
        low, high = Bootstrap(units).of_statistic(lambda some, f=found, t=truth: auroc(f[some], t[some]))
        cells.append(f"{auroc(found, truth):.2f} ({low:.2f} to {high:.2f})")
    return cells[0], cells[1]


def each_film(films: Sequence[Film], heard: Mapping[str, Mapping[str, Moments]]) -> str:
    """Markdown: a line a film."""
    rows = {}
    for film in films:
        made = heard[film.path.name]
        known = made["own"].known
        shares = ", ".join(f"{v} {s:.0%}" for v, s in Timeline("", made["own"], EVERY_SECONDS).shares().items())
        told = [hits(film, made[name]) for name in ("own", "objectness")] if film.in_view else []
        hit = [f"{sum(some)} of {len(some)}" for some in told] or ["", ""]
        means = [f"{np.mean([m.probability or 0.0 for m in made[name].known]):.2f}" for name in ("own", *NEGATIVES)]
        tags = [m.tags[0][0] for m in known if m.tags]
        heard_most = max(sorted(set(tags)), key=tags.count) if tags else "nothing"
        rows[film.path.name] = [film.kind, "yes" if film.in_view else "no", heard_most, shares, *hit, *means]
    columns = ["what sounds", "in view", "heard most", "verdicts", "hits", "objectness", "own", *NEGATIVES]
    return table("film", columns, rows)


def write_looks(path: Path, films: Sequence[Film], heard: Mapping[str, Mapping[str, Moments]]) -> None:
    """A line a look that is not silence: film, sound, time, score, probability, whether its source is in view."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["film", "sound", "time_seconds", "score", "probability", "visible"])
        for film in films:
            for name in ("own", "noise", "other film"):
                for moment in heard[film.path.name][name].known:
                    if moment.level_dbfs >= SILENCE_DBFS:
                        visible = int(name == "own" and film.in_view)
                        row = [film.path.name, name, moment.time_seconds, moment.confidence, moment.probability]
                        writer.writerow([*row, visible])


def study(shared: Path, only: Sequence[str] = (), weights: str = "default") -> tuple[list[Film], dict[str, Any]]:
    """The films, and by name what is found in them with each sound."""
    everything = find_films(shared)
    films = [film for film in everything if not only or film.path.name in only]
    localizer = Localizer.from_pretrained(weights)
    heard = {}
    with tempfile.TemporaryDirectory() as folder:
        for film in films:
            sounds = sounds_of(film, everything, Path(folder), localizer.sample_rate)
            heard[film.path.name] = hear_each(localizer, film.path, sounds)
            print(film.path.name, file=sys.stderr)
    return films, heard


def main(words: Sequence[str] | None = None) -> None:
    """Look at all films, print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("shared", nargs="?", type=Path, default=os.environ.get("SOUNDSPOT_SHARED"))
    parser.add_argument("--out", type=Path)
    parser.add_argument("--only", nargs="+", default=[])
    given = parser.parse_args(words)
    if given.shared is None:
        sys.exit("expected the folder with data/media/films, got none; give it, or set SOUNDSPOT_SHARED")
    films, heard = study(Path(given.shared), given.only)
    text = "\n\n".join(make(films, heard) for make in (pointing, evidence, each_film))
    print(text)
    if given.out is not None:
        given.out.mkdir(parents=True, exist_ok=True)
        (given.out / "table.md").write_text(text + "\n", encoding="utf-8")
        write_looks(given.out / "looks.csv", films, heard)


if __name__ == "__main__":
    main()
