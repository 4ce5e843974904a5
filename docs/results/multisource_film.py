"""A film of three instruments in view and a fourth one off screen, of which one, two or none sound at a time.

    python docs/results/multisource_film.py SET FILM [--scene 0]
    soundspot localize FILM --weights tests/golden/ier_instruments.safetensors --out OUT

SET is a folder of `soundspot samples instruments`; objects and sounds are those of its test solos, which no training
has seen or heard. The view moves slowly over the picture. Prints what is true when.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from soundspot.data.mixtures import Mixture, Wanted, mix
from soundspot.media.film import FilmWriter
from soundspot.media.image import resize
from soundspot.samples.mixed import Stock
from soundspot.samples.sound import SAMPLE_RATE, SECONDS

Samples = npt.NDArray[np.float32]
SIDE, WORLD, FRAMES_PER_SECOND = 448, 512, 25
"""Pixels of a frame, and of the picture that the view moves over."""
PARTS = ((0,), (0, 1), (1, 2), (2,), (0, 1, 2), ())
"""Which of the mixture's sounds are heard, SECONDS each; 2 is the one off screen."""
FADE = 0.05
"""Seconds in which a sound comes and goes."""


def scene(root: Path, number: int) -> Mixture:
    """Three instruments of unlike classes in one picture, two of which can be heard, and a fourth sound."""
    return Stock(root, "test-solo").make("composite", Wanted(frames=3, sounding=2, offscreen=1), 0, number, WORLD)


def sound(made: Mixture) -> Samples:
    """(N,) the parts, one after the other, each as loud as the others."""
    count = round(SECONDS * SAMPLE_RATE)
    edge = np.minimum(1, np.arange(count) / (FADE * SAMPLE_RATE))
    parts = []
    for heard in PARTS:
        waves = [made.components[number].waveform[:count] for number in heard]
        whole = mix(waves, [0.0] * len(waves)).sum(axis=0) if waves else np.zeros(count)
        parts.append(whole * edge * edge[::-1])
    return np.concatenate(parts).astype(np.float32)


def frames(made: Mixture) -> Iterator[npt.NDArray[np.uint8]]:
    """The view going once round over the picture."""
    picture = resize(made.image, (WORLD, WORLD))
    count = round(len(PARTS) * SECONDS * FRAMES_PER_SECOND)
    reach = (WORLD - SIDE) / 2
    for number in range(count):
        turn = 2 * np.pi * number / count
        x, y = (round(reach * (1 + part)) for part in (np.sin(turn), np.cos(turn)))
        yield picture[y : y + SIDE, x : x + SIDE]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name in ("set", "film"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--scene", type=int, default=0)
    given = parser.parse_args()
    made = scene(given.set, given.scene)
    with FilmWriter(
        given.film, width=SIDE, height=SIDE, frames_per_second=FRAMES_PER_SECOND, sample_rate=SAMPLE_RATE
    ) as film:
        for frame in frames(made):
            film.write_frame(frame)
        film.write_sound(sound(made)[None])
    names = [each.label for each in made.components]
    for part, heard in enumerate(PARTS):
        print(f"{part * SECONDS:g} s: {', '.join(names[number] for number in heard) or 'silence'}")
    print("in view:", ", ".join(seen.label for seen in made.view.objects), "; off screen:", names[-1])


if __name__ == "__main__":
    main()
