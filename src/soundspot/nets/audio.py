"""The sound's tower."""

from __future__ import annotations

from pathlib import Path

from soundspot.nets.tower import Tower


class AudioTower(Tower):
    """(B, 1, F, T) -> (B, channels, f, t), a spectrogram seen as a picture of one channel; see Tower.

    The methods pool the map (the papers: its maximum).
    """

    def __init__(
        self,
        name: str,
        *,
        output_stride: int = 32,
        pretrained: Path | None = None,
        trainable: str = "all",
        batch_norm: str = "batch",
    ) -> None:
        super().__init__(
            name,
            channels_in=1,
            output_stride=output_stride,
            pretrained=pretrained,
            trainable=trainable,
            batch_norm=batch_norm,
        )
