"""A method small enough to train in a test, with everything that can go wrong on resume: dropout, noise, a teacher."""

from __future__ import annotations

import copy
import random

import numpy as np
import torch
from torch import Tensor, nn

from soundspot import ops
from soundspot.methods.base import Method
from soundspot.types import Batch, Inputs


class Tiny(Method):
    """Two linear towers and the symmetric InfoNCE of the best place, over all processes."""

    score_range = (-1.0, 1.0)

    def __init__(
        self,
        temperature: float = 0.1,
        dropout: float = 0.0,
        noise: float = 0.0,
        init_image: str = "",
        needs_mask: bool = False,
        image_size: int = 32,
        sample_rate: int = 8000,
        explode: bool = False,
    ) -> None:
        super().__init__()
        self.inputs = Inputs(image_size=image_size, seconds=0.5, sample_rate=sample_rate or None)
        self.needs = frozenset({"mask"}) if needs_mask else frozenset()
        self.temperature, self.noise, self.explode = temperature, noise, explode
        self.initial = {"image": "random init" if not init_image else f"file {init_image[-8:]}"}
        self.dropout = nn.Dropout(dropout)
        self.image = nn.Conv2d(3, 8, kernel_size=8, stride=8)
        self.audio = nn.Linear(257, 8)
        self.unused = nn.Linear(2, 2)
        self.teacher = copy.deepcopy(self.audio).requires_grad_(False)

    def encode(self, batch: Batch) -> tuple[Tensor, Tensor]:
        sounds = self.audio(self.dropout(batch.audio.mean(dim=(1, 3))))
        return ops.unit(self.image(self.dropout(batch.image))), ops.unit(sounds)

    def localize(self, batch: Batch) -> Tensor:
        return ops.own_similarity(*self.encode(batch))

    def embed(self, batch: Batch) -> tuple[Tensor, Tensor]:
        cells, sounds = self.encode(batch)
        return ops.unit(ops.mean_pool(cells)), sounds

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        cells, sounds = (ops.gather(part) for part in self.encode(batch))
        logits = ops.similarity(cells, sounds).flatten(-2).max(-1).values / self.temperature
        extra = logits.new_tensor(self.noise * (random.random() + np.random.random() + random.gauss(0, 1)))  # noqa: NPY002
        terms = {"nce": ops.symmetric_info_nce(logits), "drift": extra * self.image.weight.square().mean()}
        if "mask" in self.needs:
            assert batch.mask is not None
            terms["mask"] = (self.localize(batch).mean() * batch.mask.mean()).square()
        if self.explode:
            terms["bang"] = self.image.weight.sum() / 0.0
        return terms

    @torch.no_grad()
    def after_step(self) -> None:
        for old, new in zip(self.teacher.parameters(), self.audio.parameters(), strict=True):
            old.mul_(0.9).add_(new, alpha=0.1)


class Smelling(Tiny):
    """Asks for what the loop does not give."""

    def __init__(self, image_size: int = 32) -> None:
        super().__init__(image_size=image_size)
        self.needs = frozenset({"smell"})
