"""Results that come from the device while it goes on with the next batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Results = list[npt.NDArray[np.float32]]
Take = Callable[[tuple[str, ...], Results], None]


class Coming:
    """A batch's results on their way to this process's memory; on the CPU they are there at once."""

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        # without waiting on CUDA alone, where torch copies to page-locked memory: elsewhere that may give what was
        # there before
        self._tensors = [each.detach().float().to("cpu", non_blocking=each.is_cuda) for each in tensors]
        self._arrivals = [_marked(device) for device in {each.device for each in tensors if each.is_cuda}]

    def arrays(self) -> Results:
        """The results, once they are here."""
        for arrival in self._arrivals:
            arrival.synchronize()
        # page-locked memory is for copying: kept, it would be taken from the whole machine
        return [each.numpy().copy() if self._arrivals else each.numpy() for each in self._tensors]


def _marked(device: torch.device) -> torch.cuda.Event:
    """An event that comes after all that was asked of the device so far."""
    with torch.cuda.device(device):
        event = torch.cuda.Event()
        event.record()
    return event


class OneBehind:
    """Gives `take` each batch's results once the next batch has been asked for, so that the device has work meanwhile.

    As a context manager it gives the last ones at the end, after an error too: what was computed is kept.
    """

    def __init__(self, take: Take) -> None:
        self._take = take
        self._waiting: tuple[tuple[str, ...], Coming] | None = None

    def put(self, ids: tuple[str, ...], tensors: Sequence[Tensor]) -> None:
        """The results of clips `ids`, each tensor (B, ...)."""
        coming = Coming(tensors)
        self.settle()
        self._waiting = ids, coming

    def settle(self) -> None:
        """Give what waits, if anything does."""
        if self._waiting is not None:
            (ids, coming), self._waiting = self._waiting, None
            self._take(ids, coming.arrays())

    def __enter__(self) -> OneBehind:
        return self

    def __exit__(self, *error: object) -> None:
        self.settle()
