"""Clips of real size for the benchmarks, cut from a real film: frames/<id>.jpg and audio/<id>.wav, no two the same.

    python benchmarks/real_media.py FOLDER [--film FILM] [--count 256] [--width 640] [--height 360]

Without --film, the film that `soundspot samples film` makes (640 x 360, 25 a second) is made once and kept beside the
fetched packages. The same words give the same files, byte for byte, with the same versions of Pillow and FFmpeg.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from soundspot.media.sound import read_waveform, write_wav
from soundspot.media.video import iter_frames, picture_seconds

JPEG_QUALITY = 92
"""With colours halved both ways: about what ffmpeg's -q:v 2 gives, as frames of web films are usually extracted."""
MOST_FRAMES = 64
"""Of the film that are held at a time, spread over it; each is varied as often as the count needs."""
LEAST_SHARE = 0.85
"""Of the film's width and height that a varied frame shows."""
SAMPLE_RATE = 16000


def default_film() -> Path:
    """What `soundspot samples film` makes, made if it is not there yet."""
    from soundspot.samples import film, packages

    cache = packages.default_cache()
    folder = cache / "benchmark-film"
    if not (folder / "film.mp4").is_file():
        film.build(folder, cache=cache)
    return folder / "film.mp4"


def frames_and_sounds(
    folder: Path,
    film: Path | None,
    count: int,
    width: int,
    height: int,
    seconds: float = 10.0,
    sample_rate: int = SAMPLE_RATE,
) -> list[str]:
    """Write `count` clips below `folder`, JPEG of width x height and 16-bit mono WAV of `seconds`, and give their ids.

    The frames are spread over the film, each with its own crop and some mirrored; the sounds start at moments of their
    own, and go on at the track's start where it ends.
    """
    film = film or default_film()
    pictures, sounds = folder / "frames", folder / "audio"
    for place in (pictures, sounds):
        place.mkdir(parents=True, exist_ok=True)
    bases = spread_frames(film, min(count, MOST_FRAMES))
    track = read_waveform(film, sample_rate=sample_rate).samples[0]
    ids = [f"clip_{number:06d}" for number in range(count)]
    for number, name in enumerate(ids):
        picture = varied(bases[number * len(bases) // count], number, width, height)
        picture.save(pictures / f"{name}.jpg", quality=JPEG_QUALITY)
        write_wav(sounds / f"{name}.wav", sound_from(track, number / count, round(seconds * sample_rate)), sample_rate)
    return ids


def spread_frames(film: Path, count: int) -> list[Image.Image]:
    """`count` frames, evenly spread over the film."""
    rate = count / picture_seconds(film)
    found = [Image.fromarray(frame.image) for frame in iter_frames(film, frames_per_second=rate)]
    return found[:count]


def varied(picture: Image.Image, number: int, width: int, height: int) -> Image.Image:
    """A part of the picture at width x height, mirrored every other time: which part follows from `number` alone."""
    generator = np.random.default_rng(number)
    share = generator.uniform(LEAST_SHARE, 1)
    wide = share * min(picture.width, picture.height * width / height)
    high = wide * height / width
    left, top = generator.uniform(0, picture.width - wide), generator.uniform(0, picture.height - high)
    part = picture.resize((width, height), Image.Resampling.BICUBIC, box=(left, top, left + wide, top + high))
    return part.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if number % 2 else part


def sound_from(track: npt.NDArray[np.float32], share: float, num_samples: int) -> npt.NDArray[np.float32]:
    """(N,) `num_samples` from that share of the track on, which is taken to begin anew where it ends."""
    return track[(int(share * len(track)) + np.arange(num_samples)) % len(track)]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--film", type=Path)
    parser.add_argument("--count", type=int, default=256)
    parser.add_argument("--width", type=int, default=640)
    parser.add_argument("--height", type=int, default=360)
    given = parser.parse_args()
    ids = frames_and_sounds(given.folder, given.film, given.count, given.width, given.height)
    size = sum((given.folder / "frames" / f"{name}.jpg").stat().st_size for name in ids) / len(ids)
    print(f"{len(ids)} clips of {given.width} x {given.height} in {given.folder}, {size / 1024:.0f} KiB a picture")


if __name__ == "__main__":
    main()
