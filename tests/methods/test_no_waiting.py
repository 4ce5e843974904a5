"""The host never asks the device for a number in a training step: on the device "meta" there are none to be had."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch

from any_batch import noise_batch
from soundspot import augment
from soundspot.methods import build
from soundspot.types import Batch, Inputs

SMALL = {"image_backbone": "resnet10t", "audio_backbone": "resnet10t"}
METHODS = {
    "ez_vsl": SMALL,
    "slavc": SMALL,
    "ssl_align": {**SMALL, "intra": True, "symmetric": True},
    "sspl": {**SMALL, "segments": 1, "output_stride": 32},
    "ssl_tie": {**SMALL, "audmix": True},
}


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Batch:
    """A batch on a device that keeps shapes and no values; autocast does not know that device."""
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())
    return noise_batch(size=4, audio=(65, 48)).to("meta")


def test_the_device_refuses_to_tell_a_number(elsewhere: Batch) -> None:
    for ask in (torch.Tensor.item, torch.Tensor.tolist, bool, torch.nonzero):
        with pytest.raises((RuntimeError, NotImplementedError)):
            ask(elsewhere.image.sum() > 0)


def test_draws_stay_on_the_host(elsewhere: Batch) -> None:
    assert elsewhere.draws is not None
    assert (elsewhere.image.device.type, elsewhere.draws.device.type) == ("meta", "cpu")
    with pytest.raises(ValueError, match="expected draws on the CPU, got them on meta; leave them there"):
        Batch(elsewhere.image, elsewhere.audio, elsewhere.clip_ids, draws=elsewhere.draws.to("meta"))


@pytest.mark.parametrize("name", sorted(augment.PHOTOS))
def test_augmentation_only_tells(elsewhere: Batch, name: str) -> None:
    assert elsewhere.draws is not None
    made = augment.distort(elsewhere.image, elsewhere.draws, Inputs(), augment.PHOTOS[name])
    assert (made.shape, made.device.type) == (elsewhere.image.shape, "meta")
    sound = augment.time_shift(elsewhere.audio, elsewhere.draws)
    sound = augment.spec_augment(sound, elsewhere.draws, time=9, frequency=5)
    assert (sound.shape, sound.device.type) == (elsewhere.audio.shape, "meta")


@pytest.mark.parametrize("name", sorted(METHODS))
def test_a_training_step_only_tells(elsewhere: Batch, name: str) -> None:
    method = build(name, **METHODS[name]).to("meta").train()
    method.before_epoch(20)  # so that sounds are mixed, where they ever are
    loss = torch.stack(list(method(elsewhere).values())).sum()
    loss.backward()
    assert loss.device.type == "meta"
    assert any(parameter.grad is not None for parameter in method.parameters())
    method.after_step()
