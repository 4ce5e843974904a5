"""A batch of noise with everything that any method may need of one."""

from __future__ import annotations

import torch

from soundspot.types import NUM_DRAWS, Batch

LABELS = ("red", "green", "blue")
NUM_FRAMES = 4
NUM_SAMPLES = 16000


def noise_batch(size: int = 4, image: tuple[int, int] = (64, 64), audio: tuple[int, int] = (65, 48)) -> Batch:
    """`size` clips, pictures (H, W), spectrograms (F, T), and all further views, masks, labels and numbers."""
    draw = torch.Generator().manual_seed(7)

    def noise(*shape: int) -> torch.Tensor:
        return torch.randn(size, *shape, generator=draw)

    return Batch(
        image=noise(3, *image),
        audio=noise(1, *audio),
        clip_ids=tuple(str(number) for number in range(size)),
        labels=tuple((LABELS[number % len(LABELS)],) for number in range(size)),
        mask=(noise(1, *image) > 0).float(),
        extra={
            "objects": (noise(1, *image) > 0).float(),
            "image_neighbour": noise(3, *image),
            "audio_neighbour": noise(1, *audio),
            "flow": noise(2, *image),
            "frames": noise(NUM_FRAMES, 3, *image),
            "waveform": 0.1 * torch.randn(size, NUM_SAMPLES, generator=torch.Generator().manual_seed(8)),
        },
        draws=torch.rand(size, NUM_DRAWS, generator=draw),
    )


def part(batch: Batch, rows: slice) -> Batch:
    """Some of a batch's clips."""
    return Batch(
        image=batch.image[rows],
        audio=batch.audio[rows],
        clip_ids=batch.clip_ids[rows],
        labels=batch.labels[rows],
        mask=None if batch.mask is None else batch.mask[rows],
        extra={name: value[rows] for name, value in batch.extra.items()},
        draws=None if batch.draws is None else batch.draws[rows],
    )
