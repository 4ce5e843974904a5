"""The picture's tower."""

from __future__ import annotations

from pathlib import Path

from soundspot.nets.tower import Tower


class ImageTower(Tower):
    """(B, 3, H, W) -> (B, channels, h, w); see Tower."""

    def __init__(
        self,
        name: str,
        *,
        output_stride: int = 32,
        pretrained: Path | None = None,
        dilated: bool = False,
        num_classes: int = 0,
        trainable: str = "all",
        batch_norm: str = "batch",
    ) -> None:
        super().__init__(
            name,
            channels_in=3,
            output_stride=output_stride,
            pretrained=pretrained,
            dilated=dilated,
            num_classes=num_classes,
            trainable=trainable,
            batch_norm=batch_norm,
        )
