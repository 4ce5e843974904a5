"""How a run computes what its recipe says: precision, compiling and layout, chosen as it begins, kept on resume."""

from __future__ import annotations

import importlib.util
import math
import os
import shutil
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from time import perf_counter

import torch
from torch import Tensor, nn

from soundspot.train.distributed import Ranks
from soundspot.train.recipe import Recipe
from soundspot.types import UserError

SECONDS = 0.8
"""How long precisions are measured at most, but for the last round and the warm-up."""
ROUNDS = 9
MARGIN = 1.1
"""So many times as fast counts as faster: less may be chance."""
CLIPS = {"cuda": 64, "cpu": 2}
"""Pictures in the convolution that is measured: enough to fill the device, and few enough for the time."""


@dataclass(frozen=True)
class Speed:
    """The choices of one run: they change rounding, so a resumed run has those of its checkpoint."""

    autocast: str
    """off, bfloat16 or float16."""
    compile: bool
    channels_last: bool
    """Whether the channels of a place lie side by side in the towers."""


PLAIN = Speed("off", compile=False, channels_last=False)


def choose(recipe: Recipe, here: Ranks) -> tuple[Speed, list[str]]:
    """The choices for a run that begins, and what there is to say of them; the first rank chooses for all.

    Channels lie side by side on CUDA, and in what is compiled for a CPU, since compiled convolutions want them so;
    elsewhere where it is measured faster, and only in runs that ask for measuring: others repeat to the bit.
    bfloat16 is measured on CUDA alone: on CPUs with AMX it may be three times as fast, but oneDNN (torch 2.15) reads
    memory that nobody wrote in some convolutions of narrow maps, and gives NaN now and then.
    Raises UserError for compile=on where nothing can be compiled.
    """
    fault = obstacle(here.device)
    if recipe.compile == "on" and fault:
        raise UserError(f"expected compile=on to find all it needs, got {fault}; set compile=auto or off")
    notes = []
    compiled = recipe.compile == "on" or (recipe.compile == "auto" and fault is None and pays(here.device))
    if recipe.compile == "auto" and not compiled:
        notes.append(f"not compiled: {fault or 'this processor lacks AVX2'}")
    mine = None
    if here.first:
        side_by_side = compiled or here.device.type == "cuda"
        autocast: str = recipe.autocast
        if autocast == "measured":
            seconds = measure(here.device)
            side_by_side = side_by_side or faster(seconds[False, True], seconds[False, False])
            half = seconds.get((True, side_by_side), math.inf)
            autocast = "bfloat16" if faster(half, seconds[False, side_by_side]) else "off"
        mine = Speed(autocast, compiled, side_by_side)
    chosen: Speed = here.collect(mine)[0]
    return chosen, notes


def obstacle(device: torch.device) -> str | None:
    """Why nothing can be compiled for the device, as far as can be told beforehand; None: nothing is known."""
    if device.type == "cuda":
        return None if importlib.util.find_spec("triton") else "no package triton"
    if device.type != "cpu":
        return f"the device {device.type}, which it was not tried on"
    wanted = os.environ.get("CXX", "g++")
    return None if shutil.which(wanted) else f"no C++ compiler ({wanted})"


def pays(device: torch.device) -> bool:
    """Whether compiled towers are known to be faster there: on CUDA, and with vectors of eight floats or more."""
    return device.type == "cuda" or torch.backends.cpu.get_cpu_capability().startswith(("AVX2", "AVX512"))


def faster(one: float, other: float) -> bool:
    """Whether seconds are less than others by more than chance."""
    return one * MARGIN < other


def measure(device: torch.device) -> dict[tuple[bool, bool], float]:
    """Median seconds of a block's forward and backward pass, by (bfloat16, channels last), in alternating rounds.

    In bfloat16 on CUDA only.

    The block stands for the towers: two convolutions of ResNet-18's first stage with batch norm and ReLU between.
    Random generators stay as they were.
    """
    size = CLIPS.get(device.type, CLIPS["cpu"])
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        block = nn.Sequential(_convolution(), nn.BatchNorm2d(64), nn.ReLU(), _convolution()).to(device)
        picture = torch.randn(size, 64, 56, 56, device=device)
    kinds = list(product((False, True) if device.type == "cuda" else (False,), (False, True)))
    seconds: dict[tuple[bool, bool], list[float]] = {kind: [] for kind in kinds}
    for kind in kinds:
        _once(block, picture, *kind)  # kernels are chosen and memory is asked for
    until = perf_counter() + SECONDS
    while not seconds[kinds[-1]] or (perf_counter() < until and len(seconds[kinds[-1]]) < ROUNDS):
        for kind in kinds:
            seconds[kind].append(_once(block, picture, *kind))
    return {kind: statistics.median(each) for kind, each in seconds.items()}


def _convolution() -> nn.Conv2d:
    return nn.Conv2d(64, 64, kernel_size=3, padding=1, bias=False)


def _once(block: nn.Module, picture: Tensor, half: bool, channels_last: bool) -> float:
    layout = torch.channels_last if channels_last else torch.contiguous_format
    block, picture = block.to(memory_format=layout), picture.detach().contiguous(memory_format=layout)
    picture.requires_grad_()
    block.zero_grad(set_to_none=True)
    _finish(picture.device)
    began = perf_counter()
    with torch.autocast(picture.device.type, dtype=torch.bfloat16, enabled=half):
        made = block(picture)
    made.float().sum().backward()
    _finish(picture.device)
    return perf_counter() - began


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


@contextmanager
def quickest_kernels(device: torch.device) -> Iterator[None]:
    """On CUDA, let cuDNN try all it has for each shape of convolution and keep the quickest."""
    was = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = was or device.type == "cuda"
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = was
