"""Checkpoints of the two methods that kept EZ-VSL's names: FNAC's, and those that others call MarginNCE's."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from soundspot import weights
from soundspot.convert import convert
from soundspot.types import Batch
from test_convert import ez_checkpoint, features, resnet, unit


@pytest.mark.parametrize(
    ("method", "source"), [("fnac", "OpenNLPLab/FNAC_AVL"), ("margin_nce", "kaistmm/SSLalignment")]
)
def test_a_checkpoint_in_ez_vsls_layout_gives_the_published_networks_maps(tmp_path, method, source):
    torch.manual_seed(0)
    batch = Batch(torch.randn(2, 3, 64, 64), torch.randn(2, 1, 65, 64), ("a", "b"))
    image, audio = resnet(), resnet(1)
    heads = {"img_proj": nn.Conv2d(512, 512, 1), "aud_proj": nn.Linear(512, 512)}
    torch.save(ez_checkpoint(image, audio, heads), tmp_path / "best.pth")
    result = convert(tmp_path / "best.pth", method, tmp_path / "ours.safetensors")
    assert (result.tensors, result.dead) == (244, ())
    found = weights.load(result.path)
    assert source in found.provenance["source"]
    assert found.provenance["licence"] == "of the weights and of the code they come with: none stated by the authors"
    with torch.no_grad():
        cells = unit(heads["img_proj"](features(image, batch.image)))
        sounds = unit(heads["aud_proj"](features(audio, batch.audio).amax(dim=(2, 3))))
        expected = torch.einsum("ncxy,nc->nxy", cells, sounds) / 0.03
        torch.testing.assert_close(found.localize(batch), expected, rtol=1e-4, atol=1e-4)
