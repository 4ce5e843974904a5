"""Published weights of RCGrad and Wav2CLIP, made here in the authors' layouts around torchvision's ResNet-18."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torchvision
from torch import nn

from soundspot import weights
from soundspot.convert import convert
from soundspot.methods import build
from soundspot.tensors import sha256
from soundspot.types import Batch, UserError


def resnet(channels: int = 3) -> nn.Module:
    """A ResNet-18 with statistics that are not the initial ones."""
    net = torchvision.models.resnet18(weights=None)
    if channels != 3:
        net.conv1 = nn.Conv2d(channels, 64, 7, stride=2, padding=3, bias=False)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.5, 1.5)
    return net.eval()


def tower_of(path: Path) -> str:
    """The file as initial weights of a tower."""
    return str(convert(path, "backbone", path.with_suffix(".safetensors")).path)


def features(net: nn.Module, x: torch.Tensor) -> torch.Tensor:
    x = net.maxpool(net.relu(net.bn1(net.conv1(x))))
    return net.layer4(net.layer3(net.layer2(net.layer1(x))))


def state(net: nn.Module, prefix: str) -> dict[str, torch.Tensor]:
    return {f"{prefix}{name}": value for name, value in net.state_dict().items()}


def heard(net: nn.Module, audio: torch.Tensor) -> torch.Tensor:
    """The published audio network, one clip at a time: standardised, features, mean."""
    rows = [(row - row.mean()) / (row.std() + 1e-9) for row in audio]
    return features(net, torch.stack(rows)).mean(dim=(2, 3))


@pytest.fixture
def batch() -> Batch:
    torch.manual_seed(11)
    return Batch(torch.randn(2, 3, 96, 96), torch.randn(2, 1, 129, 64) * 4 - 9, ("a", "b"))


def rcgrad_state(image: nn.Module, audio: nn.Module) -> dict[str, torch.Tensor]:
    """The picture's network holds stems for sound and flow and a classifier; the sound's holds its window."""
    image.layer4[0].conv1.stride = image.layer4[0].downsample[0].stride = (1, 1)
    tensors = {**state(image, "image_encoder."), **state(audio, "audio_encoder.")}
    tensors = {name: value for name, value in tensors.items() if not name.startswith("audio_encoder.fc.")}
    tensors["image_encoder.conv1_a.weight"] = torch.randn(64, 1, 7, 7)
    tensors["image_encoder.conv1_flow.weight"] = torch.randn(64, 6, 7, 7)
    tensors["audio_encoder.spectrogram.window"] = torch.hann_window(512)
    return tensors


@pytest.mark.parametrize("scale", [True, False])
def test_rcgrad_weights_give_the_published_networks_maps_with_and_without_the_losss_scale(tmp_path, batch, scale):
    torch.manual_seed(0)
    image, audio = resnet(), resnet(1)
    tensors = rcgrad_state(image, audio)
    if scale:
        tensors["loss_fn.logit_scale"] = torch.tensor(3.5)
    torch.save(tensors, tmp_path / "rc_grad.pt")
    result = convert(tmp_path / "rc_grad.pt", "rcgrad", tmp_path / "rcgrad.safetensors")
    assert result.dead == (
        "audio_encoder.spectrogram.window",
        "image_encoder.conv1_a.weight",
        "image_encoder.conv1_flow.weight",
        "image_encoder.fc.bias",
        "image_encoder.fc.weight",
    )
    method = weights.load(result.path)
    assert method.log_scale.item() == pytest.approx(3.5 if scale else 2.6593, abs=1e-4)
    assert method.initial == {"image": "as published", "audio": "as published"}
    assert "rethinking-visual-sound-localization" in method.provenance["source"]
    with torch.no_grad():
        cells, sounds = features(image, batch.image), heard(audio, batch.audio)
        expected = torch.einsum("bchw,bc->bhw", cells, sounds).relu() / 36
        torch.testing.assert_close(method.localize(batch), expected, rtol=1e-3, atol=1e-4 * float(expected.max()))


def wav2clip_state(audio: nn.Module, head: nn.Sequential) -> dict[str, torch.Tensor]:
    """The released file of the network trained with the crossed loss: two MLPs, of which sounds use one."""
    other = nn.Sequential(nn.Linear(512, 512), nn.ReLU(), nn.Dropout(0.1), nn.Linear(512, 512))
    return {
        **state(audio, "audio_encoder."),
        **state(head, "audio_transform.sequential."),
        **state(other, "image_transform.sequential."),
        "audio_encoder.spectrogram.window": torch.hann_window(512),
        "loss_fn_i.logit_scale": torch.tensor(2.0),
        "loss_fn_a.logit_scale": torch.tensor(2.0),
    }


@pytest.fixture
def wav2clip():
    torch.manual_seed(0)
    return resnet(1), nn.Sequential(nn.Linear(512, 512), nn.ReLU(), nn.Dropout(0.1), nn.Linear(512, 512)).eval()


@pytest.mark.parametrize("nested", [True, False])
def test_wav2clip_gives_the_published_networks_vectors_converted_whole_or_as_a_tower(tmp_path, batch, wav2clip, nested):
    tensors = wav2clip_state(*wav2clip)
    torch.save({"state_dict": tensors, "epoch": 3} if nested else tensors, tmp_path / "Wav2CLIP.pt")
    result = convert(tmp_path / "Wav2CLIP.pt", "clip_audio_tran", tmp_path / "audio.safetensors")
    assert len(result.dead) == 9
    converted = weights.load(result.path)
    assert converted.initial == {"audio": "as published", "clip": "openai/clip-vit-base-patch32"}
    tower = convert(tmp_path / "Wav2CLIP.pt", "backbone", tmp_path / "Wav2CLIP.safetensors").path
    direct = build("clip_audio_tran", init_audio=str(tower)).eval()
    assert direct.initial["audio"] == f"Wav2CLIP.safetensors sha256:{sha256(tower)}"
    with torch.no_grad():
        expected = wav2clip[1](heard(wav2clip[0], batch.audio))
        for method in (converted, direct):
            torch.testing.assert_close(method.wav2clip(batch.audio), expected, rtol=1e-3, atol=1e-5)


def test_files_of_something_else_are_refused(tmp_path, wav2clip):
    torch.save(rcgrad_state(resnet(), wav2clip[0]), tmp_path / "rc_grad.pt")
    with pytest.raises(UserError, match="expected a checkpoint of clip_audio_tran"):
        convert(tmp_path / "rc_grad.pt", "clip_audio_tran", tmp_path / "out.safetensors")
    with pytest.raises(
        UserError, match=r"expected Wav2CLIP's published tensors, got .* `soundspot convert Wav2CLIP\.pt backbone"
    ):
        build("clip_audio_tran", init_audio=tower_of(tmp_path / "rc_grad.pt"))
    tensors = wav2clip_state(*wav2clip)
    del tensors["audio_transform.sequential.3.bias"]
    torch.save(tensors, tmp_path / "torn.pt")
    with pytest.raises(UserError, match=r"got 0 unknown, 1 lacking .*such as wav2clip\.transform\.3\.bias"):
        convert(tmp_path / "torn.pt", "clip_audio_tran", tmp_path / "out.safetensors")
    with pytest.raises(UserError, match=r"1 differ in name or shape, such as transform\.3\.bias"):
        build("clip_audio_tran", init_audio=tower_of(tmp_path / "torn.pt"))
