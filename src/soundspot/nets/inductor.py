"""A tower's stages as torch.compile makes them for training."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from types import FunctionType, MethodType
from typing import Any

import torch
from torch import Tensor, nn

Stage = Callable[[Tensor], Tensor]
FAILURES = (RuntimeError, OSError, ImportError, subprocess.SubprocessError)
"""What comes of a missing or broken compiler, missing headers, and networks that torch.compile cannot take."""


class CompiledStages:
    """Methods of a tower, from tensor to tensor, compiled at their first use.

    Each shape has a graph of its own, and only batches of a multiple of `batch_size` are compiled for: a short last
    batch, or one of which clips could not be read, runs as it is. So what is compiled follows from a batch's shape
    alone, and a resumed run computes the same. Before a graph is used it is tried, backward too, without a trace:
    where that fails, `failed` hears why, and the stage runs as it is.
    """

    def __init__(
        self, net: nn.Module, stages: Mapping[str, Stage], batch_size: int, failed: Callable[[str], None]
    ) -> None:
        self.net, self.batch_size, self.failed = net, batch_size, failed
        self.plain = dict(stages)
        self.fast: dict[str, Stage] = {
            name: torch.compile(_with_own_code(stage), dynamic=False) for name, stage in stages.items()
        }
        self.tried: dict[tuple[Any, ...], bool] = {}

    def __reduce__(self) -> tuple[type[None], tuple[()]]:
        """A copy of the tower has other weights than those that were compiled: it runs as it is."""
        return type(None), ()

    def __call__(self, name: str, x: Tensor) -> Tensor:
        """What the stage makes of (B, ...)."""
        if len(x) % self.batch_size or not len(x):
            return self.plain[name](x)
        key = (
            name,
            x.shape,
            x.dtype,
            x.requires_grad,
            torch.is_grad_enabled(),
            torch.is_autocast_enabled(x.device.type),
        )
        if key not in self.tried:
            self.tried[key] = self._works(name, x)
        return self.fast[name](x) if self.tried[key] else self.plain[name](x)

    def _works(self, name: str, x: Tensor) -> bool:
        """Whether the stage can be compiled; random generators and batch norms' statistics stay as they were."""
        before = [(buffer, buffer.clone()) for buffer in self.net.buffers()]
        try:
            with torch.random.fork_rng([x.device] if x.device.type == "cuda" else []):
                self._try(self.fast[name], x)
        except FAILURES as error:
            self.failed(" ".join(str(error).split())[:200] or type(error).__name__)
            return False
        finally:
            with torch.no_grad():
                for buffer, value in before:
                    buffer.copy_(value)
        return True

    def _try(self, stage: Stage, x: Tensor) -> None:
        made = stage(x.detach().requires_grad_(x.requires_grad))
        if made.requires_grad:
            learning = [parameter for parameter in self.net.parameters() if parameter.requires_grad]
            torch.autograd.grad(made.sum(), learning, allow_unused=True)  # unlike backward it leaves no gradients


def _with_own_code(stage: Stage) -> Stage:
    """The same bound method with a code object of its own.

    Graphs are kept by code object, eight at most, and all towers would share one.
    """
    assert isinstance(stage, MethodType)
    function = stage.__func__
    assert isinstance(function, FunctionType)
    own = FunctionType(
        function.__code__.replace(),
        function.__globals__,
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    return MethodType(own, stage.__self__)
