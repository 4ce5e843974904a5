"""A frozen network as onnxruntime runs it gives what torch gives, whatever the size, the batch and the thread."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from soundspot.nets.compiled import Compiled, CompiledLite, CompiledYAMNet
from soundspot.nets.lite import LiteEncoder
from soundspot.nets.yamnet import YAMNet
from soundspot.types import UserError


def unsettled(net: torch.nn.Module) -> torch.nn.Module:
    """Random weights, and batch norms that have seen something."""
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 2.0)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, 0, 0.2)
    return net.eval()


@pytest.fixture(scope="module", params=[32, 16])
def encoder(request: pytest.FixtureRequest) -> LiteEncoder:
    torch.manual_seed(0)
    net = unsettled(LiteEncoder(output_stride=request.param))
    assert isinstance(net, LiteEncoder)
    return net


@pytest.fixture(scope="module")
def yamnet() -> YAMNet:
    torch.manual_seed(0)
    return YAMNet(("a", "b")).eval()


def same(theirs: Sequence[Tensor], ours: Sequence[Tensor]) -> None:
    for a, b in zip(theirs, ours, strict=True):
        assert a.shape == b.shape
        assert float((a - b).abs().max() / a.abs().max()) < 1e-4


@torch.no_grad()
@pytest.mark.parametrize("size", [(64, 64), (97, 97), (161, 96), (160, 231)])
def test_a_picture_of_any_size_gives_what_the_encoder_gives(encoder: LiteEncoder, size: tuple[int, int]) -> None:
    image, ours = torch.randn(3, 3, *size), CompiledLite(encoder)
    same(encoder.stages_and_classes(image), ours.stages_and_classes(image))
    same([encoder.classes(image)], [ours.classes(image)])


@torch.no_grad()
def test_a_picture_of_zeros_shows_its_padding_where_the_encoder_does(encoder: LiteEncoder) -> None:
    image = torch.zeros(1, 3, 96, 96)
    same(encoder.stages_and_classes(image), CompiledLite(encoder).stages_and_classes(image))


@torch.no_grad()
@pytest.mark.parametrize("frames", [50, 96, 300, 301])
def test_a_sound_of_any_length_gives_what_yamnet_gives(yamnet: YAMNet, frames: int) -> None:
    log_mel = torch.randn(2, 1, 64, frames)
    same([yamnet.embedding(log_mel)], [CompiledYAMNet(yamnet).embedding(log_mel)])


@pytest.mark.parametrize("threads", [1, 3])
def test_what_comes_out_of_an_item_does_not_depend_on_the_others(encoder: LiteEncoder, threads: int) -> None:
    image, ours, before = torch.randn(9, 3, 64, 64), CompiledLite(encoder), torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        together = ours.classes(image)
        for index in range(9):
            assert torch.equal(ours.classes(image[index : index + 1])[0], together[index])
    finally:
        torch.set_num_threads(before)


def test_threads_do_not_mix_their_items() -> None:
    doubled = Compiled(
        lambda graph, given: [graph.add("Mul", given, graph.constant(2.0)), graph.add("Neg", given)],
        (1, "any"),
    )
    wrong: list[str] = []

    def ask(seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        for number in range(50):
            given = torch.randn(7, 1, 5 + number % 3, generator=generator)
            twice, less = doubled(given)
            if not (torch.equal(twice, 2 * given.flatten(0, 1)) and torch.equal(less, -given.flatten(0, 1))):
                wrong.append(f"{seed}, {number}")

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_later_changes_of_the_weights_do_not_show(encoder: LiteEncoder) -> None:
    image, ours = torch.randn(1, 3, 64, 64), CompiledLite(encoder)
    before = ours.classes(image)
    kept = encoder.classifier.weight.detach().clone()
    with torch.no_grad():
        encoder.classifier.weight.zero_()
    assert torch.equal(ours.classes(image), before)
    with torch.no_grad():
        encoder.classifier.weight.copy_(kept)


def test_another_activation_is_refused() -> None:
    encoder = LiteEncoder()
    encoder.stem[1].act = torch.nn.SiLU()
    with pytest.raises(UserError, match="expected ReLU6 or nothing after a batch norm"):
        CompiledLite(encoder)
