"""Make the sample film: three objects in one moving view sound in turn, then one off screen, then none; truth known."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from soundspot.samples import stamps_choice as choice
from soundspot.samples.layout import SetWriter, file_hash
from soundspot.samples.packages import Packages, fetch
from soundspot.samples.scene import (
    Cutout,
    Rng,
    UInt8Array,
    box_of,
    draw_shadow,
    load_background,
    match_light,
    owners,
    paste,
    prepare,
    to_canvas,
    to_image,
)
from soundspot.samples.sound import Samples, fill, read_sound
from soundspot.samples.stamps import FARM_FILE, RCC_FOLDER, unpack_rcc
from soundspot.types import Box, Kind, UserError

VERSION = "2"
WIDTH, HEIGHT, FRAMES_PER_SECOND, SAMPLE_RATE = 640, 360, 25, 48000
WORLD_WIDTH, WORLD_HEIGHT = 860, 440
"""The still picture that the view pans over."""
CLIP_EVERY_SECONDS, CLIP_EDGE_SECONDS = 1.0, 1.5
"""Moments of the film that serve as clips: one a second, so far from an interval's ends that 3 s lie within it."""
PACKAGES = ("tuxpaint-stamps-default", "lomiri-wallpapers-16.04", "gcompris-qt-data")
BACKGROUND = "backgrounds/aitzgorri_by_Aitzol_Berasategi.jpg"


@dataclass(frozen=True)
class Actor:
    """An object of the film: its stamp, its middle's place in the world, and its side in pixels there."""

    stamp: str
    label: str
    x: float
    y: float
    side: float


@dataclass(frozen=True)
class Interval:
    """What is true from `start` to `end` seconds; `actor` is the number of what sounds in view."""

    start: float
    end: float
    kind: Kind
    stamp: str | None = None
    actor: int | None = None
    farm_sound: str | None = None
    """An animal of GCompris's farm whose recording is heard in place of the stamp's own."""


ACTORS = (
    Actor("animals/mammals/dogs/dog", "dog", 280, 300, 118),
    Actor("vehicles/emergency/firetruck", "fire_truck", 450, 225, 132),
    Actor("animals/birds/rooster", "rooster", 590, 320, 92),
)
HIDDEN_STAMP, HIDDEN_LABEL = "animals/mammals/equines/horse", "horse"
TIMELINE = (
    Interval(0.0, 1.0, "silent"),
    Interval(1.0, 9.0, "visible", ACTORS[0].stamp, 0, farm_sound="dog"),  # the stamp's own sound is a howl
    Interval(9.0, 10.0, "silent"),
    Interval(10.0, 18.0, "visible", ACTORS[2].stamp, 2),
    Interval(18.0, 19.0, "silent"),
    Interval(19.0, 27.0, "visible", ACTORS[1].stamp, 1),
    Interval(27.0, 28.0, "silent"),
    Interval(28.0, 35.0, "offscreen", HIDDEN_STAMP),
    Interval(35.0, 40.0, "silent"),
)
DURATION_SECONDS = TIMELINE[-1].end


def build(out: Path, *, source: Path | None = None, cache: Path, seed: int = 0) -> Path:
    """Write film.mp4, its truth film.json, and clips of it to the new folder `out`, and give the folder back."""
    from soundspot.media.film import FilmWriter

    packages = fetch(PACKAGES, cache, source=source)
    rng = np.random.default_rng([seed, *b"film"])
    world, boxes = draw_world(rng, packages)
    sound = make_track(rng, packages, cache)
    with SetWriter(out, name="film", version=VERSION, seed=seed, sources=packages.versions) as writer:
        path = writer.place("film.mp4")
        with FilmWriter(
            path, width=WIDTH, height=HEIGHT, frames_per_second=FRAMES_PER_SECOND, sample_rate=SAMPLE_RATE
        ) as film:
            step = SAMPLE_RATE // FRAMES_PER_SECOND
            for number in range(round(DURATION_SECONDS * FRAMES_PER_SECOND)):
                film.write_frame(look(world, view_at(number / FRAMES_PER_SECOND)))
                film.write_sound(sound[None, number * step : (number + 1) * step])
        truth = json.dumps(describe(boxes, packages, seed, file_hash(path)))
        writer.place("film.json").write_text(truth + "\n", encoding="utf-8")
        for number, (time, interval) in enumerate(moments()):
            label = label_of(interval)
            seen = [] if interval.actor is None else [seen_box(boxes[interval.actor], time)]
            writer.add(
                f"film-{number:02d}", kind=interval.kind, video="film.mp4", time_seconds=time, boxes=seen,
                labels=[label] if label else [], box_labels=[label] * len(seen) if label else [], split="film",
            )  # fmt: skip
    return out


def draw_world(rng: Rng, packages: Packages) -> tuple[UInt8Array, list[Box]]:
    """The still picture with all actors in it, and the box of each in the picture's pixels."""
    path = packages.share / BACKGROUND
    files = [packages.share / f"tuxpaint/stamps/{actor.stamp}.png" for actor in ACTORS]
    for file in (path, *files):
        if not file.is_file():
            raise UserError(f"{file}: expected this file of a Debian 12 package, got none; see docs/samples/film.md")
    photo = load_background(path)
    scale = max(WORLD_WIDTH / photo.width, WORLD_HEIGHT / photo.height)
    top = photo.height - WORLD_HEIGHT / scale  # the meadow is below
    box = (0.0, top, WORLD_WIDTH / scale, float(photo.height))
    still = photo.resize((WORLD_WIDTH, WORLD_HEIGHT), Image.Resampling.LANCZOS, box=box)
    canvas = to_canvas(still)
    pieces, places = [], []
    for actor, file in zip(ACTORS, files, strict=True):
        # prepare() takes sides on its 224 grid: in a frame of 224 these are pixels
        piece = prepare(rng, Cutout(actor.label, actor.label, file), actor.side, 224, mirror=False)
        (h, w), x, y = piece.shape[:2], 0, 0
        x, y = round(actor.x - w / 2), round(actor.y - h / 2)
        piece = match_light(rng, piece, canvas[y : y + h, x : x + w])
        draw_shadow(canvas, piece[..., 3], x, y, 0.3)
        paste(canvas, piece, x, y)
        pieces.append(piece)
        places.append((x, y))
    owner = owners(pieces, places, range(len(pieces)), WORLD_HEIGHT, WORLD_WIDTH)
    fractions = [box_of(owner == i) for i in range(len(pieces))]
    size = (WORLD_WIDTH, WORLD_HEIGHT, WORLD_WIDTH, WORLD_HEIGHT)
    return to_image(canvas), [(b[0] * size[0], b[1] * size[1], b[2] * size[2], b[3] * size[3]) for b in fractions]


def view_at(time_seconds: float) -> Box:
    """The part of the world in view, in its pixels: a slow pan to the right and back."""
    phase = 2 * np.pi * time_seconds / DURATION_SECONDS
    width = WIDTH * (1.04 - 0.04 * np.cos(phase))
    height = width * HEIGHT / WIDTH
    x = (WORLD_WIDTH - width) * (0.5 - 0.42 * np.cos(phase))
    y = (WORLD_HEIGHT - height) * (0.75 + 0.2 * np.sin(2 * phase))
    return float(x), float(y), float(x + width), float(y + height)


def look(world: UInt8Array, view: Box) -> UInt8Array:
    """The film's picture of that part, (HEIGHT, WIDTH, 3)."""
    return np.asarray(Image.fromarray(world).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC, box=view))


def seen_box(box: Box, time_seconds: float) -> Box:
    """A box of the world as fractions of the picture at that time, cut to it."""
    x0, y0, x1, y1 = view_at(time_seconds)
    width, height = x1 - x0, y1 - y0
    seen = ((box[0] - x0) / width, (box[1] - y0) / height, (box[2] - x0) / width, (box[3] - y0) / height)
    a, b, c, d = (min(max(value, 0.0), 1.0) for value in seen)
    return a, b, c, d


def make_track(rng: Rng, packages: Packages, cache: Path) -> Samples:
    """The film's mono sound: each interval's stamp over a room's faint noise (-75 dB)."""
    track = rng.standard_normal(round(DURATION_SECONDS * SAMPLE_RATE)).astype(np.float32) * np.float32(10 ** (-75 / 20))
    for interval in TIMELINE:
        if interval.stamp is None:
            continue
        path = sound_of(interval, packages, cache)
        if not path.is_file():
            raise UserError(f"{path}: expected this file of a Debian 12 package, got none; see docs/samples/film.md")
        sound = fill(rng, read_sound(path, SAMPLE_RATE), interval.end - interval.start, SAMPLE_RATE)
        begin, fade = round(interval.start * SAMPLE_RATE), SAMPLE_RATE // 50
        ramp = np.minimum(1, np.minimum(np.arange(len(sound)), np.arange(len(sound))[::-1]) / fade)
        track[begin : begin + len(sound)] += (sound / np.abs(sound).max() * 0.5 * ramp).astype(np.float32)
    return track


def sound_of(interval: Interval, packages: Packages, cache: Path) -> Path:
    """The recording that an interval plays."""
    if interval.farm_sound is None:
        return packages.share / f"tuxpaint/stamps/{interval.stamp}.ogg"
    name = f"animals/{choice.FARM[interval.farm_sound][0]}.ogg"
    return unpack_rcc(packages.share / RCC_FOLDER / FARM_FILE, [name], cache)[0]


def label_of(interval: Interval) -> str | None:
    """The class that sounds in it."""
    if interval.actor is not None:
        return ACTORS[interval.actor].label
    return HIDDEN_LABEL if interval.stamp else None


def moments() -> Iterator[tuple[float, Interval]]:
    """The film's clips: a time and the interval it is well inside of."""
    for interval in TIMELINE:
        time = interval.start + CLIP_EDGE_SECONDS
        while time <= interval.end - CLIP_EDGE_SECONDS:
            yield time, interval
            time += CLIP_EVERY_SECONDS


def describe(boxes: list[Box], packages: Packages, seed: int, sha256: str) -> dict[str, Any]:
    """film.json: the film's facts, who is in view, and what sounds when and where (a box every 0.2 s)."""
    return {
        "name": "film",
        "version": VERSION,
        "seed": seed,
        "film": "film.mp4",
        "sha256": sha256,
        "width": WIDTH,
        "height": HEIGHT,
        "frames_per_second": FRAMES_PER_SECOND,
        "duration_seconds": DURATION_SECONDS,
        "packages": packages.versions,
        "named_versions": {name: choice.VERSIONS[name] for name in PACKAGES},
        "in_view": [
            {"label": a.label, "boxes": track(b, 0, DURATION_SECONDS)} for a, b in zip(ACTORS, boxes, strict=True)
        ],
        "intervals": [
            {
                "start_seconds": interval.start,
                "end_seconds": interval.end,
                "kind": interval.kind,
                "label": label_of(interval),
                "boxes": [] if interval.actor is None else track(boxes[interval.actor], interval.start, interval.end),
            }
            for interval in TIMELINE
        ],
    }


def track(box: Box, start: float, end: float) -> list[dict[str, Any]]:
    """A world's box in view every 0.2 s of [start, end)."""
    times = np.arange(round(start * 5), round(end * 5)) / 5
    return [{"time_seconds": float(t), "box": [round(v, 5) for v in seen_box(box, float(t))]} for t in times]
