"""CLIPTextTran, How to Listen? (Wu et al., Interspeech 2022, arXiv 2204.05156): CLIP looks for what has a name.

The name is the sound's class where the data gives it, which tells the method what the others must hear; or else, and
that is our addition, what an audio tagger hears.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from soundspot import ops
from soundspot.lookup import find
from soundspot.methods.clip_audio_tran import DEFAULT_CLIP, CLIPTran
from soundspot.types import Batch, UserError

TEXTS = {"labels_or_tags": (True, True), "labels": (True, False), "tags": (False, True)}
"""Whether a clip's labels, and what is heard, may say what to look for; labels come first."""


class Tagger(Protocol):
    """Names sounds: nets.yamnet.YAMNet does."""

    @property
    def class_names(self) -> Sequence[str]:
        """What it knows."""
        ...

    def __call__(self, spectrogram: Tensor, /) -> Tensor:
        """(B, 1, F, T) -> (B, len(class_names)) probabilities."""
        ...


class CLIPTextTran(CLIPTran):
    """CLIP asked by the text of a clip's labels, or of what a tagger hears; several texts are asked by their mean."""

    needs = frozenset({"labels"})

    def __init__(
        self,
        clip: str = DEFAULT_CLIP,
        template: str = "{}",
        text: str = "labels_or_tags",
        num_tags: int = 1,
        layers: int = 1,
        image_size: int = 224,
        resize: str = "squash",
        spectrogram: str = "yamnet",
        seconds: float = 10.0,
        window: str = "centre",
    ) -> None:
        """`template` holds {} where the name goes; the published code gives names as they are, which is the default."""
        super().__init__(clip, layers, image_size, resize, spectrogram, seconds, window)
        if template.count("{}") != 1:
            raise UserError(f"expected a template with one {{}}, got {template!r}; write 'a photo of {{}}', say")
        if num_tags < 1:
            raise UserError(f"expected num_tags of at least 1, got {num_tags}; set num_tags=1")
        self.template, self.num_tags = template, num_tags
        self.by_labels, self.by_tags = find(TEXTS, text, "text")
        self._tagger: tuple[Tagger, ...] = ()  # inside a tuple it is no submodule

    def listen_with(self, tagger: Tagger) -> None:
        """Name sounds with `tagger`, which takes this method's spectrogram, instead of YAMNet."""
        self._tagger = (tagger,)

    def tagger(self) -> Tagger:
        """The tagger given, or YAMNet, whose weights `soundspot weights fetch` brings."""
        if not self._tagger:
            from soundspot import encoders
            from soundspot.nets.yamnet import YAMNet

            self._tagger = (YAMNet.load(encoders.ensure("yamnet")),)
        return self._tagger[0]

    @property
    def tag_names(self) -> tuple[str, ...]:  # type: ignore[override]
        """The tagger's, unless labels alone may say what to look for."""
        return tuple(self.tagger().class_names) if self.by_tags else ()

    @property
    def vague_tags(self) -> frozenset[str]:  # type: ignore[override]
        """AudioSet's names for families."""
        from soundspot.nets.bridge_table import GENERIC

        return frozenset(GENERIC)

    @torch.no_grad()
    def hear(self, batch: Batch) -> Tensor:
        """(B, T) probabilities of `tag_names`."""
        if not self.by_tags:
            return super().hear(batch)
        tagger = self.tagger()
        if isinstance(tagger, nn.Module):
            tagger.to(batch.audio.device)
        return tagger(batch.audio)

    def texts(self, batch: Batch) -> list[tuple[str, ...]]:
        """What to look for, by clip. Raises UserError for a clip without labels where nothing else may say it."""
        given: list[tuple[str, ...]] = [()] * len(batch)
        if self.by_labels and batch.labels:
            given = list(batch.labels)
        without = [number for number, names in enumerate(given) if not names]
        if without and not self.by_tags:
            raise UserError(
                f"clip {batch.clip_ids[without[0]]}: expected labels for text=labels, got none; set text=labels_or_tags"
            )
        if without:
            heard = self._named(self.hear(batch))
            for number in without:
                given[number] = heard[number]
        return [tuple(self.template.replace("{}", name) for name in names) for names in given]

    def _named(self, probabilities: Tensor) -> list[tuple[str, ...]]:
        """(B, T) -> the likeliest names of each sound."""
        return [tuple(name for name, _ in self.told(row, self.num_tags)) for row in probabilities.tolist()]

    def query(self, batch: Batch) -> Tensor:
        """Unit vectors (B, C): the mean of a clip's texts'."""
        texts = self.texts(batch)
        known = sorted({text for row in texts for text in row})
        vectors = self.clip(batch.image.device).embed_text(known)
        rows = [[known.index(text) for text in row] for row in texts]
        return ops.unit(torch.stack([vectors[row].mean(dim=0) for row in rows]))
