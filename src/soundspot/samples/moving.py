"""Scenes as 3 s films: what sounds bounces in time with its loudness, the silent ones with sounds nobody hears."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from soundspot.samples.maker import Heard, SceneMaker, View
from soundspot.samples.scene import (
    Cutout,
    FloatArray,
    Rng,
    crop_background,
    draw_sides,
    lay_out,
    match_light,
    owners,
    paste,
    place_of,
    to_canvas,
    to_image,
)
from soundspot.samples.sound import SAMPLE_RATE, SECONDS, Samples, loudness

MOVING_SIZE = 224
FRAMES_PER_SECOND = 12.5
NUM_FRAMES = int(SECONDS * FRAMES_PER_SECOND)
LEAP = 0.08
"""How high a bounce is, as a part of the frame's height."""


def bounce(samples: Samples) -> FloatArray:
    """(NUM_FRAMES,) height 0..1 of each frame: the loudness around it, between the clip's quiet and loud moments."""
    hop = int(SAMPLE_RATE / FRAMES_PER_SECOND)
    level = loudness(samples, hop)[:NUM_FRAMES]
    low, high = np.percentile(level, (5, 95))
    return np.clip((level - low) / max(high - low, 1e-6), 0, 1).astype(np.float32)


class MovingMaker(SceneMaker):
    """Writes films instead of pictures; the truth is that of the middle frame, `Clip`'s default."""

    def view(self, rng: Rng, name: str, cutouts: Sequence[Cutout], heard: Mapping[int, Heard]) -> View:
        """Compose and write the film; objects not `heard` follow other recordings: motion alone tells nothing."""
        size = self.image_size
        leap = round(LEAP * size)
        pieces, places, order = lay_out(rng, cutouts, draw_sides(rng, len(cutouts)), size, headroom=leap)
        background = self.deck.pick(rng, self.deck.material.backgrounds)
        canvas = to_canvas(crop_background(rng, background, size))
        for i in order:
            (x, y), (h, w) = places[i], pieces[i].shape[:2]
            pieces[i] = match_light(rng, pieces[i], canvas[y : y + h, x : x + w])
        moves = [bounce((heard[i] if i in heard else self.unheard(rng)).samples) for i in range(len(cutouts))]
        path = f"videos/{name}.mp4"
        middle = self.film(path, canvas, pieces, places, order, [np.rint(leap * move).astype(int) for move in moves])
        owner = owners(pieces, middle, order, size, size)
        return View(tuple(place_of(cutouts[i], owner == i) for i in range(len(cutouts))), background.stem, video=path)

    def unheard(self, rng: Rng) -> Heard:
        """A recording for a silent object to move by."""
        return self.hear(rng, self.deck.pick(rng, self.deck.sounding))

    def film(
        self,
        path: str,
        canvas: FloatArray,
        pieces: Sequence[FloatArray],
        places: Sequence[tuple[int, int]],
        order: Sequence[int],
        heights: Sequence[np.ndarray],
    ) -> list[tuple[int, int]]:
        """Write the film frame by frame; the places in its middle frame."""
        from soundspot.media.film import FilmWriter

        size = self.image_size
        now: list[list[tuple[int, int]]] = []
        target = self.writer.place(path)
        with FilmWriter(target, width=size, height=size, frames_per_second=FRAMES_PER_SECOND) as film:
            for number in range(NUM_FRAMES):
                now.append([(x, y - int(heights[i][number])) for i, (x, y) in enumerate(places)])
                frame = canvas.copy()
                for i in order:
                    paste(frame, pieces[i], *now[-1][i])
                film.write_frame(to_image(frame))
        return now[middle_frame()]


def middle_frame() -> int:
    """The frame shown at the film's middle.

    >>> middle_frame()
    18
    """
    return int(NUM_FRAMES / FRAMES_PER_SECOND / 2 * FRAMES_PER_SECOND)
