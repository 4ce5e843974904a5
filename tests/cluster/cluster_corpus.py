"""A corpus of small real films, among them damaged ones, and a decoder that dies over one of them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import torch

from make_media import make_film, tone
from soundspot import weights
from soundspot.methods import build

RATE = 16000
DEADLY, STILL = "deadly", "standing_still"
ENTRY = [sys.executable, "-c", "from soundspot.cli import main; main()"]
SITE = f'''"""Processes that read films die, or stand still, over these names: as damage may, but every time."""
import os, signal, sys, time
if "soundspot.cluster.child" in sys.orig_argv or "--multiprocessing-fork" in sys.orig_argv:
    import av
    before = av.open
    def opened(name, *words, **more):
        if {DEADLY!r} in str(name):
            os.kill(os.getpid(), signal.SIGKILL)
        if {STILL!r} in str(name):
            time.sleep(10000)
        return before(name, *words, **more)
    av.open = opened
'''


def small_film(path: Path, number: int = 0, seconds: int = 2) -> Path:
    """Of one colour, with a tone; another for each number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = np.full((48, 64, 3), 40 + 7 * number % 200, np.uint8)
    return make_film(
        path,
        num_frames=4 * seconds,
        rate=4,
        size=(64, 48),
        picture=lambda _: picture,
        samples=tone(200 + 40 * number, seconds, RATE),
        sample_rate=RATE,
    )


def make_corpus(folder: Path, count: int) -> dict[str, str]:
    """That many films, 3 % of them and one more bad; by id of the bad ones, what is said of them."""
    for number in range(count):
        small_film(folder / f"{'ab'[number % 2]}/{number:03d}.mp4", number)
    bad = {}
    for number in range(max(1, round(0.015 * count))):
        cut = small_film(folder / f"cut{number}.mp4")
        cut.write_bytes(cut.read_bytes()[:300])
        (folder / f"text{number}.mp4").write_text("no film at all")
        bad |= {f"cut{number}.mp4": "expected a film", f"text{number}.mp4": "expected a film"}
    small_film(folder / f"{DEADLY}.mp4")
    return bad | {f"{DEADLY}.mp4": "process"}


def write_site(folder: Path) -> Path:
    """A folder that makes films of certain names deadly in every Python that has it on its path."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sitecustomize.py").write_text(SITE)
    return folder


def deadly_path(folder: Path) -> str:
    """For PYTHONPATH: with the folder of `write_site` first."""
    return os.pathsep.join([str(write_site(folder)), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)


def tiny_weights(folder: Path) -> Path:
    """Of a small real method."""
    torch.manual_seed(0)
    shape = {"image_backbone": "resnet10t", "audio_backbone": "resnet10t", "image_size": 64, "seconds": 1.0}
    return weights.save(build("ez_vsl", dim=8, **shape), folder / "tiny.safetensors")
