"""Run by torchrun from test_speed.py: EZ-VSL on small towers, compiled and plain, by all processes together."""

from __future__ import annotations

import functools
import sys
from dataclasses import replace
from pathlib import Path

import torch
import torch.distributed as dist
from small_tower import TOWERS
from test_speed import RECIPE
from torch._dynamo.utils import counters

from soundspot import nets
from soundspot.train import speed
from soundspot.train.loop import train


def main(root: Path, out: Path) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    nets.TOWERS.update(TOWERS)
    torch.compile = functools.partial(torch.compile, backend=sys.argv[3] if len(sys.argv) > 3 else "aot_eager")
    speed.obstacle = lambda device: None
    recipe = replace(RECIPE, method="ez_vsl")
    train(replace(recipe, compile="on"), root=root, out=out / "compiled", progress=False)
    (out / f"graphs{dist.get_rank()}").write_text(str(counters["stats"]["unique_graphs"]))
    train(recipe, root=root, out=out / "plain", progress=False)
    dist.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
