"""MarginNCE (Park, Senocak and Chung, ICASSP 2023, arXiv 2211.01966): EZ-VSL with a negative margin on the positive."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor

from soundspot import ops
from soundspot.methods.ez_vsl import EZVSL
from soundspot.types import Batch, UserError


class MarginNCE(EZVSL):
    """EZ-VSL whose own pairs count as (cosine - margin) over temperature while it trains; its maps are EZ-VSL's.

    No code of the authors is public. The margin of -0.2 is what is believed to be the paper's, and NOT verified; so is
    that everything else is EZ-VSL's (weights that others call MarginNCE's have EZ-VSL's layout). A margin below 0
    asks less of own pairs, which may be noisy; 0 is EZ-VSL itself.
    """

    def __init__(self, margin: float = -0.2, **towers: Any) -> None:
        super().__init__(**towers)
        if not (math.isfinite(margin) and abs(margin) <= 2):
            raise UserError(f"expected a margin of a cosine, from -2 to 2, got {margin}; set it to -0.2, say")
        self.margin = margin

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Symmetric InfoNCE with the margin, over the pairs of all processes."""
        cells, sounds = self.encode(batch)
        logits = self.logits(ops.gather(cells), ops.gather(sounds))
        return {"nce": ops.symmetric_info_nce(self.eased(logits))}

    def eased(self, logits: Tensor) -> Tensor:
        """(B, B) -> the same with the margin over temperature taken from the diagonal."""
        return logits - (logits.new_ones(len(logits)) * (self.margin / self.temperature)).diag()
