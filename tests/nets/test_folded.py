"""The encoder for looking only gives what the encoder gives, whatever the picture's size."""

from __future__ import annotations

import pytest
import torch

from soundspot.nets import folded
from soundspot.nets.folded import FoldedLite, in_bands
from soundspot.nets.lite import LiteEncoder
from soundspot.types import UserError


@pytest.fixture(scope="module")
def encoder() -> LiteEncoder:
    """Random weights, and batch norms that have seen something."""
    torch.manual_seed(0)
    net = LiteEncoder().eval()
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 2.0)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, 0, 0.2)
    return net


def differences(encoder: LiteEncoder, image: torch.Tensor) -> list[float]:
    """Of every stage, the largest, beside the stage's largest feature."""
    with torch.no_grad():
        theirs, ours = encoder(image), FoldedLite(encoder)(image)
    assert [a.shape for a in theirs] == [b.shape for b in ours]
    return [float((a - b).abs().max() / a.abs().max()) for a, b in zip(theirs, ours, strict=True)]


@pytest.mark.parametrize("size", [(64, 64), (97, 97), (161, 96), (160, 231)])
def test_every_stage_is_the_encoders(encoder: LiteEncoder, size: tuple[int, int]) -> None:
    assert max(differences(encoder, torch.randn(2, 3, *size))) < 1e-4


def test_the_plain_operators_give_the_same(encoder: LiteEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folded, "FUSED", None)
    assert max(differences(encoder, torch.randn(1, 3, 97, 128))) < 1e-4


def test_pictures_that_do_not_pass_together_stay_in_order(
    encoder: LiteEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folded, "AT_ONCE", 2 * 64 * 64)
    assert max(differences(encoder, torch.randn(5, 3, 64, 64))) < 1e-4


@pytest.mark.parametrize("rows", [1, 3, 8, 100])
def test_bands_of_any_height_join_without_a_seam(encoder: LiteEncoder, rows: int) -> None:
    first, image = FoldedLite(encoder).first, torch.randn(1, 3, 90, 70)
    with torch.no_grad():
        whole, bands = in_bands(first, image, 1000), in_bands(first, image, rows)
    assert whole.shape == (1, 24, 23, 18)
    assert torch.allclose(whole, bands, atol=1e-4)


def test_a_picture_of_zeros_shows_its_padding_where_the_encoder_does(encoder: LiteEncoder) -> None:
    assert max(differences(encoder, torch.zeros(1, 3, 96, 96))) < 1e-4


def test_dilated_stages_are_refused() -> None:
    with pytest.raises(UserError, match="expected an EfficientNet-Lite at output stride 32"):
        FoldedLite(LiteEncoder(output_stride=16))
