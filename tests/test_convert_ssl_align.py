"""A checkpoint in the layout of SSLalign's training code, made here around torchvision's ResNet-18."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from soundspot import weights
from soundspot.convert import convert
from soundspot.types import Batch, UserError
from test_convert import features, lvs_state, unit


@pytest.fixture
def published():
    """LVS's network with a projection each, and layers that nothing reads."""
    torch.manual_seed(0)
    image, audio, tensors = lvs_state()
    audio.layer4[0].conv1.stride = audio.layer4[0].downsample[0].stride = (1, 1)
    heads = {"img_proj": nn.Linear(512, 512), "aud_proj": nn.Linear(512, 512)}
    unread = {"vision_fc1": nn.Conv2d(1024, 512, 1), "conv3": nn.Conv2d(1, 1, 1), "norm3": nn.BatchNorm2d(1)}
    for name, layer in (heads | unread).items():
        tensors |= {f"{name}.{key}": value for key, value in layer.state_dict().items()}
    return image, audio, heads, tensors


def test_a_checkpoint_gives_the_published_networks_maps_and_projected_vectors(tmp_path, published):
    image, audio, heads, tensors = published
    torch.save({"epoch": 3, "model_state_dict": tensors, "optimizer_state_dict": {}}, tmp_path / "model.pth.tar")
    result = convert(tmp_path / "model.pth.tar", "ssl_align", tmp_path / "ssl_align.safetensors")
    assert {name.split(".")[0] for name in result.dead} == {"imgnet", "audnet", "vision_fc1", "conv3", "norm3"}
    assert len(result.dead) + result.tensors == len(tensors)
    method = weights.load(result.path)
    assert method.provenance["licence"].endswith("none stated by the authors")
    batch = Batch(torch.randn(2, 3, 96, 96), torch.randn(2, 1, 129, 64), ("a", "b"))
    with torch.no_grad():
        places, sounds = features(image, batch.image), features(audio, batch.audio).amax(dim=(2, 3))
        expected = torch.einsum("ncxy,nc->nxy", unit(places), unit(sounds))
        torch.testing.assert_close(method.localize(batch), expected, rtol=1e-4, atol=1e-5)
        pictures, heard = method.embed(batch)
        torch.testing.assert_close(pictures, unit(heads["img_proj"](places.amax(dim=(2, 3)))), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(heard, unit(heads["aud_proj"](sounds)), rtol=1e-4, atol=1e-5)


def test_a_checkpoint_without_projections_wants_alignment_switched_off(tmp_path, published):
    tensors = {name: value for name, value in published[3].items() if "_proj." not in name}
    torch.save({"model_state_dict": tensors}, tmp_path / "model.pth")
    with pytest.raises(UserError, match="4 lacking"):
        convert(tmp_path / "model.pth", "ssl_align", tmp_path / "out.safetensors")
    result = convert(tmp_path / "model.pth", "ssl_align", tmp_path / "out.safetensors", alignment=False)
    assert weights.load(result.path).options["alignment"] is False
