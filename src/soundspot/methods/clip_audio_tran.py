"""CLIPAudioTran, How to Listen? (Wu et al., Interspeech 2022, arXiv 2204.05156): CLIP looks for what is heard.

Nothing is trained: a frozen CLIP sees, Wav2CLIP (arXiv 2110.11499) hears, and the relevance of CLIP's attention for
their agreement (Chefer et al., arXiv 2103.15679) is the map. CLIPTextTran, beside this file, asks by text instead.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from soundspot import ops
from soundspot.methods.base import Method, media_inputs, weights_path
from soundspot.nets.clip import CLIP, identity
from soundspot.nets.relevance import relevance
from soundspot.nets.wav2clip import Wav2CLIP
from soundspot.types import Batch, UserError

DEFAULT_CLIP = "openai/clip-vit-base-patch32"


class CLIPTran(Method):
    """A frozen CLIP asked by vectors of its own space; a subclass says what makes those of what is heard."""

    trains: ClassVar[bool] = False

    def __init__(
        self, clip: str, layers: int, image_size: int, resize: str, spectrogram: str, seconds: float, window: str
    ) -> None:
        """CLIP is loaded at first use and stays out of the state dict: a weights file holds what is ours alone."""
        super().__init__()
        if layers < 1:
            raise UserError(f"expected layers of at least 1, got {layers}; 1 is the last layer, as published")
        self.inputs = media_inputs(
            image_size=image_size,
            image_norm="clip",
            resize=resize,
            spectrogram=spectrogram,
            seconds=seconds,
            sample_rate=16000,
            window=window,
        )
        self.clip_name, self.layers = clip, layers
        self._clip_identity = identity(clip)
        self._clip: tuple[CLIP, ...] = ()  # inside a tuple it is no submodule

    @property
    def initial(self) -> dict[str, str]:
        """What each part started from. CLIP is never part of a weights file: it is always the one named now."""
        return {**self._initial, "clip": self._clip_identity}

    @initial.setter
    def initial(self, origins: dict[str, str]) -> None:
        self._initial = origins

    def clip(self, device: torch.device) -> CLIP:
        """The frozen CLIP on `device`. Raises UserError where it can't be had."""
        if not self._clip:
            with torch.random.fork_rng(devices=[]):
                self._clip = (CLIP.load(self.clip_name),)
        return self._clip[0].to(device)

    def query(self, batch: Batch) -> Tensor:
        """Unit vectors (B, C) of what to look for, in CLIP's space."""
        raise NotImplementedError

    def localize(self, batch: Batch) -> Tensor:
        """Relevance of CLIP's patches, (B, h, w), from 0 up without a bound."""
        clip = self.clip(batch.image.device)
        rows, columns = clip.grid(batch.image)
        attention, gradients = clip.attention(batch.image, self.query(batch), self.layers)
        return relevance(attention, gradients).unflatten(1, (rows, columns))

    def embed(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """CLIP's vector of the picture, and the query."""
        return self.clip(batch.image.device).embed_image(batch.image), self.query(batch)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Raises UserError: there is nothing to train."""
        raise UserError("CLIPTran: expected a method that can be trained, got one of frozen networks; localize with it")


class CLIPAudioTran(CLIPTran):
    """CLIP asked by Wav2CLIP's vector of the sound; its weights come by `init_audio` or `soundspot convert`.

    `layers` counts from the last: the published code reads the last one alone.
    """

    def __init__(
        self,
        clip: str = DEFAULT_CLIP,
        init_audio: str = "",
        layers: int = 1,
        image_size: int = 224,
        resize: str = "squash",
        spectrogram: str = "stft_hop353",
        seconds: float = 10.0,
        window: str = "centre",
    ) -> None:
        """`clip` is a folder of transformers or a name of the hub, `init_audio` Wav2CLIP's file, converted."""
        super().__init__(clip, layers, image_size, resize, spectrogram, seconds, window)
        self.wav2clip = Wav2CLIP(weights_path(init_audio)).requires_grad_(False)
        self.initial = {"audio": self.wav2clip.initial}

    def query(self, batch: Batch) -> Tensor:
        """Unit vectors (B, 512) of the sounds."""
        return ops.unit(self.wav2clip(batch.audio))
