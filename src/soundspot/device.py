"""From the host to the device without waiting for it."""

from __future__ import annotations

import torch
from torch import Tensor


def on_device(values: Tensor, device: torch.device) -> Tensor:
    """A small tensor of the host there. A GPU copies it while it computes, and the host goes on.

    `torch.tensor(..., device=...)` and a plain `.to` copy from pageable memory, and wait for the GPU to get there.
    """
    if device.type == "cuda" and values.device.type == "cpu":
        values = values.pin_memory()
    return values.to(device, non_blocking=True)
