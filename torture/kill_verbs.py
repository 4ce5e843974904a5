"""The verbs that are killed: their input, their words, and what has to be equal in the end."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

RATE = 8000
TOWERS: dict[str, int | float | str] = {
    "image_backbone": "test_efficientnet",
    "audio_backbone": "test_efficientnet",
    "image_size": 64,
    "seconds": 0.5,
    "sample_rate": RATE,
    "dim": 8,
}
OUT = "out"
CLOCK = frozenset({"seconds", "samples_per_second"})


@dataclass(frozen=True)
class Verb:
    """A verb with its words, and how its results are told apart."""

    words: Callable[[Path], list[str]]
    """From the folder of the input; the results go to OUT in the folder it runs in."""
    again: tuple[str, ...]
    """What a user adds to them after an interruption."""
    results: Callable[[Path], dict[str, str]]
    """Of the folder it ran in: by name, a text for each part of what it made."""


def make_inputs(place: Path) -> None:
    """Pictures with sounds to train on, films, and weights of a small method."""
    import torch

    from soundspot import weights
    from soundspot.media.film import FilmWriter
    from soundspot.media.image import write_image
    from soundspot.media.sound import write_wav
    from soundspot.methods import build

    generator = np.random.default_rng(5)
    for number in range(26):
        picture = generator.integers(0, 60, (40, 52, 3), np.uint8)
        top, left = generator.integers(0, 24, 2)
        picture[top : top + 16, left : left + 16, number % 3] = 80 + 20 * (number % 8)
        for name in ("frames", "audio"):
            (place / "pairs" / name).mkdir(parents=True, exist_ok=True)
        write_image(place / f"pairs/frames/clip{number:03d}.png", picture)
        write_wav(place / f"pairs/audio/clip{number:03d}.wav", _tone(200 + 150 * (number % 12), 0.6)[None], RATE)
    for number in range(3):
        (place / "films").mkdir(exist_ok=True)
        with FilmWriter(
            place / f"films/film{number}.mp4", width=64, height=48, frames_per_second=8, sample_rate=RATE
        ) as film:
            for at in range(24):
                picture = generator.integers(0, 60, (48, 64, 3), np.uint8)
                picture[8:24, at : at + 16, number % 3] = 220
                film.write_frame(picture)
            film.write_sound(_tone(300 + 100 * number, 3.0)[None])
    torch.manual_seed(0)
    weights.save(build("ez_vsl", **TOWERS), place / "tiny.safetensors")


def _tone(hertz: float, seconds: float) -> np.ndarray:
    times = np.arange(round(seconds * RATE)) / RATE
    return (0.5 * np.sin(2 * np.pi * hertz * times)).astype(np.float32)


def _settings(**values: object) -> list[str]:
    return [word for name, value in values.items() for word in ("--set", f"{name.replace('__', '.')}={value}")]


_DATA = _settings(data__ids="none", data__test_ids="", **{f"method__{name}": value for name, value in TOWERS.items()})
_TRAINING = _settings(
    batch_size=4, epochs=2, log_steps=1, checkpoint_steps=2, num_workers=2, compile="off", autocast="off"
)


def _pack(jobs: int) -> Callable[[Path], list[str]]:
    return lambda inputs: [
        *("pack", "ez_vsl_flickr_10k", str(inputs / "pairs"), OUT, "--clips", "4", "--jobs", str(jobs)),
        *_DATA,
    ]


def _train(inputs: Path) -> list[str]:
    return ["train", "ez_vsl_flickr_10k", "--root", str(inputs / "pairs"), "--out", OUT, *_DATA, *_TRAINING]


def _predict(inputs: Path) -> list[str]:
    return [
        *("predict", str(inputs / "tiny.safetensors"), "videos", "--root", str(inputs / "films")),
        *("--every", "0.125", "--batch-size", "2", "--workers", "2", "--out", f"{OUT}/p.safetensors"),
    ]


def _localize(jobs: int) -> Callable[[Path], list[str]]:
    return lambda inputs: [
        *("localize", str(inputs / "films"), "--weights", str(inputs / "tiny.safetensors"), "--out", OUT),
        *("--export", "all", "--batch-size", "2", "--jobs", str(jobs)),
    ]


def every_file(folder: Path) -> dict[str, str]:
    """All files' bytes: one that is left over is a difference too."""
    found = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*"))}
    return {name: _digest(path.read_bytes()) if path.is_file() else "folder" for name, path in found.items()}


def training(folder: Path) -> dict[str, str]:
    """The weights to the bit, the checkpoints' tensors, and the rows and the summary without clocks and history."""
    from safetensors import safe_open

    parts = {name: text for name, text in every_file(folder).items() if "tensorboard" not in name}
    for path in sorted((folder / OUT).glob("checkpoint*.safetensors")):
        with safe_open(path, framework="np") as file:
            tensors = {name: file.get_tensor(name).tobytes() for name in sorted(file.keys())}
        parts[f"{OUT}/{path.name}"] = _digest(b"".join(name.encode() + data for name, data in tensors.items()))
    rows = [json.loads(line) for line in (folder / OUT / "metrics.jsonl").read_text().splitlines()]
    parts[f"{OUT}/metrics.jsonl"] = json.dumps([_without(row, CLOCK) for row in rows])
    summary = json.loads((folder / OUT / "summary.json").read_text())
    parts[f"{OUT}/summary.json"] = json.dumps(_without(summary, frozenset({"notes"})))
    return parts


def _without(values: dict[str, Any], names: frozenset[str]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in names}


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


VERBS = {
    "pack": Verb(_pack(1), (), every_file),
    "train": Verb(_train, ("--resume",), training),
    "predict": Verb(_predict, ("--resume",), every_file),
    "localize": Verb(_localize(1), (), every_file),
}
IN_PROCESSES = {
    "pack": Verb(_pack(2), (), every_file),
    "localize": Verb(_localize(2), (), every_file),
}
"""The same with several processes, started anew as for any user, in the place of every fourth one."""
