"""HardPos, Learning Sound Localization Better from Semantically Similar Samples (Senocak et al., ICASSP 2022).

arXiv 2202.03007. LVS whose positives are, beside the own pair, those with a neighbour's picture, sound, or both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from soundspot import ops
from soundspot.lookup import find
from soundspot.methods.lvs import LVS
from soundspot.methods.views import paired_views
from soundspot.types import Batch


def _log_sum(logits: Tensor) -> Tensor:
    return logits.logsumexp(dim=1)


def _sum(logits: Tensor) -> Tensor:
    return logits.sum(dim=1)


ADDITIONS: dict[str, Callable[[Tensor], Tensor]] = {"probabilities": _log_sum, "scores": _sum}
"""How the pairs' scores over temperature (B, pairs) become one positive logit (B,)."""


class HardPos(LVS):
    """LVS with mined neighbours as further positives; the map is LVS's.

    No code of the authors is public, and the sources at hand say only that LVS's positive becomes a sum over the four
    pairs of {picture, neighbour's picture} and {sound, neighbour's sound}. What they leave open, and the choice here:

    - what is added: the pairs' probabilities (`add="probabilities"`). The authors' later code takes the logarithm of
      softmax probabilities summed under a mask of hard positives, and LVS's code too gives each term of its paper's
      sums a column of the softmax. `add="scores"` adds the cosines inside one exponent instead;
    - the mask of a pair: the soft threshold of that pair's own map, as LVS has it for every pair it scores;
    - negatives: those of the own pair, as in LVS; neighbours are nobody's negatives, as they may be like anyone;
    - the neighbour of a picture and that of its sound are drawn apart, as in the authors' later work;
    - k: decided where neighbours are mined; 1000 is what the authors' later work found best (arXiv 2407.13676,
      table X), and its default;
    - inputs and training: LVS's.
    """

    def __init__(self, neighbours: str = "both", add: str = "probabilities", **lvs: Any) -> None:
        """`neighbours`: in which modalities hard positives are used; "none" is LVS itself."""
        super().__init__(**lvs)
        self.views = paired_views(neighbours=neighbours)
        self.needs = self.views.needs
        self.add = find(ADDITIONS, add, "add")

    def frozen(self, batch: Batch) -> dict[str, Tensor]:
        """What the towers' frozen stages make of every view; nothing unless both towers have such stages."""
        return self.views.frozen(self, batch) if self.keeps else {}

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Cross-entropy of the added positives against LVS's negatives, the sounds of all processes."""
        images, audios = self.views.features(self, batch)
        cells = [ops.unit(self.image_head(maps)) for maps in images]
        sounds = [ops.unit(self.audio_head(ops.max_pool(maps))) for maps in audios]
        logits = self.with_positives(self.positives(cells, sounds), self._own_logits(cells[0], sounds[0]))
        return {"nce": F.cross_entropy(logits, torch.zeros(len(logits), dtype=torch.long, device=logits.device))}

    def positives(self, cells: list[Tensor], sounds: list[Tensor]) -> Tensor:
        """Unit cells (B, C, h, w) and unit sounds (B, C) by view -> (B, pairs): masked mean cosine over temperature."""
        maps = torch.stack([ops.own_similarity(places, heard) for places in cells for heard in sounds], dim=1)
        return ops.soft_pool(maps, self.masks.positive(maps)) / self.temperature

    def with_positives(self, positives: Tensor, logits: Tensor) -> Tensor:
        """(B, pairs), LVS's logits (B, 1 + N) -> (B, 1 + N), the first column made of all positives."""
        return torch.cat([self.add(positives)[:, None], logits[:, 1:]], dim=1)

    def _own_logits(self, cells: Tensor, sounds: Tensor) -> Tensor:
        return self.logits(cells, ops.gather(sounds), first=ops.rank() * len(cells))
