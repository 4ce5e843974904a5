"""EfficientNet-Lite as a dense encoder: the same network as timm's, at any size."""

from __future__ import annotations

import pytest
import timm
import torch
from safetensors.torch import load_file

from encoder_files import cached
from soundspot.nets.bridge import imagenet_names
from soundspot.nets.lite import IMAGE_MEAN, IMAGE_STD, LiteEncoder
from soundspot.types import UserError

NAME = "tf_efficientnet_lite0"


@pytest.fixture(scope="module")
def encoder() -> LiteEncoder:
    return LiteEncoder.load(cached(NAME))


def test_pooled_class_map_is_timms_answer(encoder: LiteEncoder) -> None:
    theirs = timm.create_model(NAME)
    theirs.load_state_dict(load_file(cached(NAME)))
    image = torch.randn(2, 3, 96, 128)
    with torch.no_grad():
        ours = encoder.class_map(encoder(image).head).mean(dim=(2, 3))
        torch.testing.assert_close(ours, theirs.eval()(image), rtol=1e-4, atol=1e-4)


def test_the_weights_know_pictures(encoder: LiteEncoder, shared_cutout: torch.Tensor) -> None:
    with torch.no_grad():
        logits = encoder.class_map(encoder(shared_cutout).head).mean(dim=(2, 3))[0]
    assert imagenet_names()[int(logits.argmax())].startswith("dalmatian")


@pytest.fixture
def shared_cutout(shared) -> torch.Tensor:
    """A dalmatian on grey, as the encoder wants it: (1, 3, 224, 224)."""
    import numpy as np
    from PIL import Image

    with Image.open(sorted((shared / "data" / "media" / "cutouts_caltech101" / "dog").glob("dalmatian*"))[0]) as cut:
        cut = cut.convert("RGBA").resize((224, 224))
    picture = Image.new("RGBA", (224, 224), "gray")
    picture.alpha_composite(cut)
    pixels = torch.from_numpy(np.asarray(picture.convert("RGB")).copy()).permute(2, 0, 1)[None].float() / 255
    return (pixels - IMAGE_MEAN[0]) / IMAGE_STD[0]


@pytest.mark.parametrize(("stride", "cells"), [(32, (3, 4)), (16, (6, 8))])
def test_shapes(stride: int, cells: tuple[int, int]) -> None:
    encoder = LiteEncoder(output_stride=stride).eval()
    with torch.no_grad():
        features = encoder(torch.randn(1, 3, 96, 128))
        assert encoder.class_map(features.head).shape == (1, 1000, *cells)
    assert features.stride4.shape == (1, 24, 24, 32)
    assert features.stride8.shape == (1, 40, 12, 16)
    assert features.stride16.shape == (1, 112, 6, 8)
    assert features.last.shape == (1, 320, *cells)
    assert features.head.shape == (1, encoder.num_features, *cells)


def test_any_size() -> None:
    with torch.no_grad():
        assert LiteEncoder().eval()(torch.randn(1, 3, 75, 50)).head.shape == (1, 1280, 3, 2)


def test_every_weight_can_be_tuned() -> None:
    encoder = LiteEncoder()
    encoder.class_map(encoder(torch.randn(2, 3, 64, 64)).head).sum().backward()
    assert all(weight.grad is not None for weight in encoder.parameters())


def test_normalisation_is_the_weights_own() -> None:
    byte = torch.tensor([0.0, 127.0, 255.0])
    torch.testing.assert_close((byte / 255 - IMAGE_MEAN[0]) / IMAGE_STD[0], (byte - 127) / 128)


def test_unknown_strides_and_networks_are_refused() -> None:
    with pytest.raises(UserError, match="output_stride 16 or 32, got 8"):
        LiteEncoder(output_stride=8)
    with pytest.raises(UserError, match="EfficientNet of timm's, got 'resnet18'"):
        LiteEncoder("resnet18")


def test_an_unknown_hub_tag_is_one_line() -> None:
    with pytest.raises(UserError, match=r"got 'tf_efficientnet_lite0\.nosuch'; there is tf_efficientnet_lite0\.in1k"):
        LiteEncoder.from_hub("tf_efficientnet_lite0.nosuch")
