"""Run by torchrun from test_two_processes.py: each check in turn, by all processes together."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import torch
import torch.distributed as dist

from soundspot.train.loop import train
from soundspot.train.recipe import DataSpec, Recipe

RECIPE = Recipe(
    "tiny",
    "tiny_methods:Tiny",
    data=DataSpec("flickr"),
    epochs=2,
    batch_size=4,
    accumulate=2,
    learning_rate=1e-2,
    clip_norm=1.0,
    num_workers=0,
    log_steps=1,
    validation_fraction=0.3,
    choose="loss",
)
RANDOM = replace(RECIPE, options={"dropout": 0.2, "noise": 0.1})


def main(root: Path, broken: Path, out: Path) -> None:
    torch.set_num_threads(1)
    if "RANK" in os.environ:
        dist.init_process_group("gloo")

    def run(name: str, recipe: Recipe, data: Path = root, **more: int | bool) -> None:
        train(recipe, root=data, out=out / name, progress=False, **more)  # type: ignore[arg-type]

    run("plain", RECIPE)
    if dist.is_initialized():
        run("whole", RANDOM)
        run("stopped", RANDOM, max_steps=3)
        torch.manual_seed(77)
        run("stopped", RANDOM, resume=True)
        run("broken", RECIPE, data=broken)
        dist.destroy_process_group()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
