"""The same seed on the same machine: the same weights to the bit, whatever process, hash seed or readers made them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import torch

from make_scenes import make_scenes
from soundspot.tensors import read_safetensors

TINY = ("image_backbone=resnet10t", "audio_backbone=resnet10t", "image_size=64", "init_image=", "init_audio=")
SETTINGS = ("epochs=1", "batch_size=4", "cache=off", "method.trainable=all", "method.image_norm=imagenet")


def train(root: Path, out: Path, hash_seed: int, num_workers: int) -> dict[str, torch.Tensor]:
    """The weights that a process of its own leaves."""
    settings = [f"method.{setting}" for setting in TINY] + [*SETTINGS, f"num_workers={num_workers}"]
    words = ["train", "ez_vsl_paste", "--root", str(root), "--out", str(out)]
    words += [word for setting in settings for word in ("--set", setting)]
    done = subprocess.run(
        [sys.executable, "-c", "from soundspot.cli import main; main()", *words],
        capture_output=True,
        text=True,
        timeout=500,
        env={**os.environ, "PYTHONHASHSEED": str(hash_seed)},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return read_safetensors(out / "weights.safetensors")[0]


def test_two_processes_with_one_seed_leave_the_same_weights(tmp_path: Path) -> None:
    root = make_scenes(tmp_path / "scenes", ["visible"] * 8, split="train")
    one = train(root, tmp_path / "one", hash_seed=1, num_workers=0)
    other = train(root, tmp_path / "other", hash_seed=2, num_workers=2)
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        assert torch.equal(tensor, other[name]), name
