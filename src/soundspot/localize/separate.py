"""Listen to parts of a picture: a film, or a picture beside a sound, in; the sound of each region out."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from soundspot.data.loader import Stack, fit_picture
from soundspot.localize.regions import boxes_of
from soundspot.localize.seen_square import cells_of, from_square, into_square, square_of
from soundspot.localize.separate_picture import Strip, draw_regions
from soundspot.localize.source import PICTURE_SUFFIXES, Source, open_source
from soundspot.media.files import written_aside
from soundspot.media.image import write_image
from soundspot.media.sound import read_waveform, rms_db, write_wav
from soundspot.media.video import iter_frames, picture_seconds
from soundspot.methods import method_name
from soundspot.methods.base import Method
from soundspot.predict import provenance
from soundspot.train.logs import Bar
from soundspot.types import Batch, Box, Clip, Inputs, UserError
from soundspot.weights import find_weights, load

Samples = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]
MIXTURE = "mixture.wav"
WHOLE: Box = (0.0, 0.0, 1.0, 1.0)
MAX_REGIONS = 4
BATCH_SIZE = 4
"""Windows that pass the method together."""


@runtime_checkable
class Separates(Protocol):
    """What a method has that can give the sound of a region."""

    def separate(self, batch: Batch, regions: Tensor | None = None) -> Tensor:
        """(B, R, h, w) weights of pixels -> (B, R, N) sounds; None: every pixel by itself."""
        ...


@dataclass(frozen=True)
class Region:
    """A part of the picture and what it sounds like."""

    box: Box
    samples: Samples
    """(N,)."""
    energy_share: float
    """Energy of its sound over the mixture's; regions may share what they hear, so these need not add up to 1."""
    found: bool
    """Whether the box was found on the energy map, not given."""


@dataclass(frozen=True)
class Separated:
    """A mixture, its regions, and what they were seen in."""

    source: Source
    sample_rate: int
    mixture: Samples
    """(N,)."""
    regions: tuple[Region, ...]
    heat: npt.NDArray[np.float32]
    """(h, w): each pixel's share of the sound's energy over the whole film, on the square that the method sees."""
    picture: Pixels
    """(H, W, 3), the frame in the middle."""
    square: Box
    """The part of it that the method sees."""
    made_with: dict[str, str]


def separator(name_or_path: str | Path, device: str = "cpu") -> Method:
    """The method in a weights file. Raises UserError for one that separates nothing."""
    path = find_weights(name_or_path)
    method = load(path, device=device)
    if not isinstance(method, Separates):
        raise UserError(
            f"{path}: expected weights of a method that separates sounds (sound_of_pixels), got {method_name(method)};"
            " train one with `soundspot train sound_of_pixels_paste`"
        )
    return method


def separate(method: Method, source: Source, boxes: Sequence[Box] = (), *, most: int = MAX_REGIONS) -> Separated:
    """The sound of each box; without boxes, of up to `most` regions around the energy map's peaks, loudest first.

    The sound is heard in windows of the method's length, which overlap by half and fade into each other, each beside
    the frame in its middle; regions stay where they are. Raises UserError where nothing sounds and no box is given.
    """
    if most < 1:
        raise UserError(f"expected --most of 1 or more, got {most}; raise it")
    assert isinstance(method, Separates)
    inputs = method.inputs
    assert inputs.sample_rate, "whoever takes a waveform states its rate"
    mixture = read_waveform(source.sound_path, sample_rate=inputs.sample_rate).samples[0]
    windows = _Windows.of(source, mixture, inputs)
    square = square_of(windows.picture.shape, inputs)
    device = next(method.parameters()).device
    with torch.no_grad(), Bar("look and listen", 2 * len(windows.starts)) as bar:
        heat = _heat(method, windows, device, bar)
        seen = [into_square(box, square) for box in boxes] or _found(heat, most)
        cells = torch.from_numpy(np.stack([cells_of(box, heat.shape) for box in seen])).to(device)
        heard = _heard(method, windows, cells, device, bar)
    whole = float(np.square(mixture, dtype=np.float64).sum())
    regions = [
        Region(
            box=box,
            samples=samples,
            energy_share=float(np.square(samples, dtype=np.float64).sum()) / whole if whole else 0.0,
            found=not boxes,
        )
        for box, samples in zip(boxes or [from_square(box, square) for box in seen], heard, strict=True)
    ]
    return Separated(
        source, inputs.sample_rate, mixture, tuple(regions), heat, windows.picture, square, provenance(method)
    )


@dataclass(frozen=True)
class _Windows:
    """A sound cut into windows that overlap by half, and what was seen in the middle of each."""

    mixture: Samples
    length: int
    """Samples of a window; the last ones go on in silence."""
    starts: range
    images: list[Pixels]
    """(S, S, 3) each, as the method sees them."""
    picture: Pixels
    """(H, W, 3) of the one in the middle."""
    inputs: Inputs

    @classmethod
    def of(cls, source: Source, mixture: Samples, inputs: Inputs) -> _Windows:
        rate = inputs.sample_rate or 1
        length = round(inputs.seconds * rate)
        hop = max(1, length // 2)
        starts = range(0, max(1, len(mixture) - length + hop), hop)
        images: list[Pixels] = []
        picture = None
        for frame in _frames(source, min(length, len(mixture)) / 2 / rate, hop / rate, len(starts)):
            images.append(fit_picture(frame, inputs))
            picture = frame if picture is None or len(images) == len(starts) // 2 + 1 else picture
        assert picture is not None
        return cls(mixture, length, starts, images, picture, inputs)

    def batches(self, device: torch.device) -> Iterator[tuple[Sequence[int], Batch]]:
        """Windows' starts and what the method eats of them."""
        for first in range(0, len(self.starts), BATCH_SIZE):
            starts = self.starts[first : first + BATCH_SIZE]
            stack = Stack(
                images=torch.from_numpy(np.stack(self.images[first : first + BATCH_SIZE])),
                samples=torch.from_numpy(np.stack([self.window(start) for start in starts])),
                sample_rate=self.inputs.sample_rate or 1,
                clips=tuple(Clip(str(start)) for start in starts),
            )
            yield starts, stack.to_batch(self.inputs, device)

    def window(self, start: int) -> Samples:
        """(length,)."""
        part = self.mixture[start : start + self.length]
        return np.pad(part, (0, self.length - len(part)))


def _frames(source: Source, first_seconds: float, step_seconds: float, count: int) -> Iterator[Pixels]:
    """`count` frames from a time on; where the pictures end before the sound does, the last one stays."""
    if source.still is not None:
        yield from [source.still] * count
        return
    start = min(first_seconds, picture_seconds(source.path) / 2)  # the sound may be the longer one
    found = iter_frames(source.path, frames_per_second=1 / step_seconds, start_seconds=start)
    image = None
    for _ in range(count):
        frame = next(found, None)
        image = image if frame is None else frame.image
        assert image is not None, "a range without a frame raises"
        yield image


def _heat(method: Method, windows: _Windows, device: torch.device, bar: Bar) -> npt.NDArray[np.float32]:
    """(h, w): energy by pixel, over all windows, as a share of the whole."""
    total, whole = None, 0.0
    for _, batch in windows.batches(device):
        power = batch.extra["waveform"].double().square().sum(dim=1)
        energy = (method.localize(batch).double() * power[:, None, None]).sum(dim=0)
        total = energy if total is None else total + energy
        whole += float(power.sum())
        bar.advance(len(batch))
    assert total is not None
    return (total / whole if whole else total).float().cpu().numpy()


def _heard(
    method: Separates, windows: _Windows, cells: Tensor, device: torch.device, bar: Bar
) -> npt.NDArray[np.float32]:
    """(R, N): the regions' sounds, each window faded into the next."""
    end = windows.starts[-1] + windows.length
    places = np.arange(windows.length) + 0.5
    fade = np.minimum(places, places[::-1])
    heard, weight = np.zeros((len(cells), end)), np.zeros(end)
    for starts, batch in windows.batches(device):
        sounds = method.separate(batch, cells.expand(len(batch), -1, -1, -1)).cpu().numpy()
        for start, sound in zip(starts, sounds, strict=True):
            heard[:, start : start + windows.length] += sound * fade
            weight[start : start + windows.length] += fade
        bar.advance(len(batch))
    return (heard / weight)[:, : len(windows.mixture)].astype(np.float32)


def _found(heat: npt.NDArray[np.float32], most: int) -> list[Box]:
    """Boxes of the hottest regions; the whole picture where all of it is equally hot."""
    low, high = float(heat.min()), float(heat.max())
    if high <= 0:
        raise UserError(
            "expected something to hear, got silence: no region has any of it; give another sound, or say where with"
            " --box"
        )
    if high - low < 1e-6:
        return [WHOLE]
    return list(boxes_of((heat - low) / (high - low))[:most])


@dataclass(frozen=True)
class Written:
    """What was separated, and where it lies."""

    separated: Separated
    files: tuple[Path, ...]
    """A WAV for each region."""
    out: Path

    def facts(self) -> dict[str, Any]:
        """All but the samples, for machines: what regions.json holds."""
        done = self.separated
        return {
            "source": str(done.source.path),
            "sound": str(done.source.sound_path),
            "sample_rate": done.sample_rate,
            "num_samples": len(done.mixture),
            "mixture": {"file": MIXTURE, "level_dbfs": _level_dbfs(done.mixture)},
            "regions": [
                {
                    "number": number,
                    "file": path.name,
                    "box": [round(value, 4) for value in region.box],
                    "found": region.found,
                    "energy_share": round(region.energy_share, 4),
                    "level_dbfs": _level_dbfs(region.samples),
                }
                for number, (region, path) in enumerate(zip(done.regions, self.files, strict=True), start=1)
            ],
            "made_with": done.made_with,
        }

    def text(self) -> str:
        """A line a region, for people."""
        lines = [
            f"{number}  {_say(region.box)}  {_percent(region.energy_share)} of the energy  {path}"
            for number, (region, path) in enumerate(zip(self.separated.regions, self.files, strict=True), start=1)
        ]
        return "\n".join([*lines, f"mixture: {self.out / MIXTURE}", f"picture: {self.out / 'regions.png'}"])


def run(
    source_path: Path,
    sound_path: Path | None,
    out: Path,
    *,
    weights: str | Path,
    boxes: Sequence[Box] = (),
    most: int = MAX_REGIONS,
    device: str = "cpu",
) -> Written:
    """Separate, and write region1.wav ..., mixture.wav, regions.png and regions.json to `out`. Raises UserError."""
    if sound_path is None and source_path.suffix.lower() in PICTURE_SUFFIXES and source_path.is_file():
        raise UserError(
            f"{source_path} is a picture: expected a sound beside it, got none; give one:"
            " soundspot separate PICTURE SOUND"
        )
    method = separator(weights, device)
    done = separate(method, open_source(source_path, sound_path), boxes, most=most)
    out.mkdir(parents=True, exist_ok=True)
    files = tuple(out / f"region{number + 1}.wav" for number in range(len(done.regions)))
    for path, region in zip(files, done.regions, strict=True):
        write_wav(path, region.samples, done.sample_rate)
    write_wav(out / MIXTURE, done.mixture, done.sample_rate)
    written = Written(done, files, out)
    write_image(out / "regions.png", _sheet(written))
    with written_aside(out / "regions.json") as aside:
        aside.write_text(json.dumps(written.facts(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return written


def _sheet(written: Written) -> Pixels:
    """The summary picture."""
    done = written.separated
    strips = [Strip(f"the whole sound  {MIXTURE}", done.mixture)]
    for region, path in zip(done.regions, written.files, strict=True):
        text = f"{path.name}  {_percent(region.energy_share)} of the energy"
        strips.append(Strip(text, region.samples, region.box))
    seconds = len(done.mixture) / done.sample_rate
    title = f"{done.source.path.name}, {seconds:.1f} s at {done.sample_rate} Hz"
    return draw_regions(done.picture, done.heat, done.square, strips, title)


def _percent(share: float) -> str:
    return f"{share:4.0%}"


def _say(box: Box) -> str:
    return ",".join(f"{value:.2f}" for value in box)


def _level_dbfs(samples: Samples) -> float | None:
    """Of JSON: None for digital silence."""
    level = rms_db(samples)
    return round(level, 1) if math.isfinite(level) else None
