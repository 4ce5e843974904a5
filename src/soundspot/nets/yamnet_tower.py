"""YAMNet as a sound's tower, from weights that already know AudioSet's sounds."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

from soundspot.nets.tower import load_into
from soundspot.nets.yamnet import EMBEDDING, NUM_MELS, YAMNet
from soundspot.types import UserError

STRIDE = 32


class _TimeFirst(nn.Module):
    """(B, 1, 64, T) -> (B, 1, T, 64): YAMNet was trained on pictures whose rows are time."""

    def forward(self, log_mel: Tensor) -> Tensor:
        if log_mel.shape[2] != NUM_MELS:
            raise UserError(
                f"yamnet: expected {NUM_MELS} mel bands, got {log_mel.shape[2]}; set spectrogram=yamnet and"
                " sample_rate=16000"
            )
        return log_mel.transpose(2, 3)


class _FrequencyFirst(nn.Module):
    def forward(self, maps: Tensor) -> Tensor:
        return maps.transpose(2, 3)


class YAMNetTower(nn.Module):
    """(B, 1, 64, T) log-mel of `spectrogram="yamnet"` -> (B, 1024, 2, T / 32), one stage a separable block."""

    channels = EMBEDDING

    def __init__(self, *, output_stride: int = STRIDE, pretrained: Path | None = None) -> None:
        """`pretrained`: the file of the encoder `yamnet`. Raises UserError for another file or stride."""
        super().__init__()
        if output_stride != STRIDE:
            raise UserError(f"yamnet: expected output_stride={STRIDE}, got {output_stride}; leave it out")
        net = YAMNet()
        if pretrained is None:
            _init_from_scratch(net)
        else:
            load_into(net, pretrained)
        first, *others = net.layers
        blocks = [nn.Sequential(*pair) for pair in zip(others[::2], others[1::2], strict=True)]
        self.stages = nn.Sequential(_TimeFirst(), first, *blocks, _FrequencyFirst())

    def forward(self, log_mel: Tensor) -> Tensor:
        """(B, 1, 64, T) -> (B, 1024, 2, T / 32)."""
        return self.stages(log_mel)


def _init_from_scratch(net: nn.Module) -> None:
    """Kaiming by what a unit reads: there is no batch norm to mend the scale, and depthwise fan out is misjudged."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
            nn.init.zeros_(module.bias)  # type: ignore[arg-type]
