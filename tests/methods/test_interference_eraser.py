"""Interference Eraser by hand, in its stages and ablations, on mixed tones, and through runs that are stopped."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from make_scenes import make_scenes
from soundspot import nets, ops, weights
from soundspot.media.audio import SPECTROGRAMS
from soundspot.methods.avol import pair_terms
from soundspot.methods.interference_eraser import InterferenceEraser, distillation_terms, pooled, shares
from soundspot.train import checkpoint
from soundspot.train.loop import train
from soundspot.train.recipe import DataSpec, Recipe
from soundspot.types import Batch, UserError

RATE, SAMPLES, SIDE = 16000, 4000, 12
HERTZ = (300.0, 900.0, 2700.0)
COLOURS = torch.tensor([[2.0, -1, -1], [-1, 2, -1], [-1, -1, 2]])


class Dots(nn.Sequential):
    """A tower that sees a pixel, or hears a moment's whole spectrum."""

    def __init__(self, channels_in: int, kernel: tuple[int, int], channels: int) -> None:
        even = nn.InstanceNorm2d(1) if channels_in == 1 else nn.Identity()  # spectrograms are far from 0
        super().__init__(even, nn.Conv2d(channels_in, channels, kernel), nn.ReLU())
        self.channels = channels


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """Options of a method for coloured squares with tones."""
    monkeypatch.setitem(nets.TOWERS, "dots", lambda *, output_stride, pretrained: Dots(3, (1, 1), 16))
    monkeypatch.setitem(nets.TOWERS, "tones", lambda *, output_stride, pretrained: Dots(1, (64, 1), 32))
    shape = {"image_backbone": "dots", "audio_backbone": "tones", "image_size": SIDE, "seconds": SAMPLES / RATE}
    return {**shape, "clusters": 3, "dim": 16, "first_epochs": 17, "classes": "red,green,blue"}


def tone(numbers: Sequence[int], ratio_db: float = 0.0) -> torch.Tensor:
    """The sound of the classes, every one but the first at a ratio to it."""
    time = torch.arange(SAMPLES) / RATE
    parts = [torch.sin(2 * math.pi * HERTZ[number] * time + number) for number in numbers]
    louder = [1.0] + [10 ** (ratio_db / 20)] * (len(parts) - 1)
    return sum((0.2 * gain * part for gain, part in zip(louder, parts, strict=True)), 0.003 * torch.randn(SAMPLES))


def squares(numbers: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
    """A picture with a square a class, and (classes seen, side, side) where each is."""
    picture, masks = 0.1 * torch.randn(3, SIDE, SIDE), torch.zeros(len(numbers), SIDE, SIDE)
    for row, (number, place) in enumerate(zip(numbers, torch.randperm(9).tolist(), strict=False)):
        y, x = 4 * (place // 3), 4 * (place % 3)
        picture[:, y : y + 4, x : x + 4] += COLOURS[number].view(3, 1, 1)
        masks[row, y : y + 4, x : x + 4] = 1
    return picture, masks


def scenes(seen: Sequence[Sequence[int]], heard: Sequence[Sequence[int]], first: int = 0, ratio_db: float = 0.0):
    """A batch of them, and where what is seen is."""
    pictures, masks = zip(*(squares(numbers) for numbers in seen), strict=True)
    waves = torch.stack([tone(numbers, ratio_db) for numbers in heard])
    names = ("red", "green", "blue")
    batch = Batch(
        image=torch.stack(pictures),
        audio=SPECTROGRAMS["logmel"](waves, RATE),
        clip_ids=tuple(str(first + row) for row in range(len(seen))),
        labels=tuple(tuple(names[number] for number in numbers) for numbers in heard),
        extra={"waveform": waves},
    )
    return batch, torch.stack(masks)


def learn(method: InterferenceEraser, batches: Sequence[Batch], epochs: int, rate: float = 1e-2) -> None:
    """What the training loop does, without files."""
    optimizer = torch.optim.Adam([p for p in method.parameters() if p.requires_grad], lr=rate)
    for epoch in range(epochs):
        method.train().before_epoch(epoch)
        if method.surveys(epoch):
            method.eval()
            with torch.no_grad():
                method.survey(batches)
        method.train()
        for row in torch.randperm(len(batches)).tolist():
            optimizer.zero_grad()
            torch.stack(list(method.loss(batches[row]).values())).sum().backward()
            optimizer.step()
    method.eval()
    method.tune(batches)


def next_stage(method: InterferenceEraser, stage: str, **options: object) -> InterferenceEraser:
    following = InterferenceEraser(**{**method.options, "stage": stage, **options})
    following.load_state_dict(method.state_dict())
    return following


def test_all_stages_hear_both_of_two_tones_and_show_only_what_sounds(toy) -> None:
    torch.manual_seed(1)
    numbers = torch.randint(3, (4, 12)).tolist()
    solos = [scenes([[n] for n in row], [[n] for n in row], first=12 * i)[0] for i, row in enumerate(numbers)]
    torch.manual_seed(0)
    method = InterferenceEraser(**toy, stage="prototypes")
    learn(method, solos, 25)
    assert sorted(method.class_of_cluster.tolist()) == [0, 1, 2], "a cluster a colour"
    labels = [method.class_of_cluster[method.labels[name]].item() for batch in solos for name in batch.clip_ids]
    assert labels == [number for row in numbers for number in row]

    method = next_stage(method, "identifier")
    learn(method, solos, 20)
    told(method)
    wild = []
    for first in range(4):
        seen = [sorted(torch.randperm(3)[:2].tolist()) for _ in range(12)]
        heard = [[both[0]] if row % 2 else [both[1], 3 - sum(both)] for row, both in enumerate(seen)]
        wild.append(scenes(seen, heard, first=12 * first)[0])
    method = next_stage(method, "referrer")
    learn(method, wild, 5, rate=1e-3)
    assert len(method.heard_first) == 48
    told(method)


@torch.no_grad()
def told(method: InterferenceEraser) -> None:
    """Two of three squares sound, at any ratio: both are heard, both are shown, the third is not."""
    for ratio_db in (-12.0, 0.0, 12.0):
        for sounding in ([0, 1], [1, 2], [2, 0]):
            batch, masks = scenes([[0, 1, 2]] * 8, [sounding] * 8, ratio_db=ratio_db)
            silent = 3 - sum(sounding)
            heard = method.hear(batch).mean(dim=0)
            assert heard[sounding].min() > 0.6, (ratio_db, sounding, heard)
            assert heard[silent] < 0.4, (ratio_db, sounding, heard)
            maps = method.localize(batch)
            at = torch.einsum("bkhw,bshw->ks", maps, masks) / masks.sum() * 3  # a class's map at each class's square
            assert at.diagonal()[sounding].min() > 0.7, at
            assert at[silent, silent] < 0.35, at
            assert (at[sounding, silent] < 0.5).all(), at


def test_ablations_change_what_they_say(toy) -> None:
    torch.manual_seed(0)
    batch, _ = scenes([[n % 3] for n in range(12)], [[n % 3] for n in range(12)])
    steps = InterferenceEraser(**toy, stage="identifier")
    with torch.no_grad():
        steps.steps.weight.normal_()
    plain = next_stage(steps, "identifier", identifier="none")
    audio = steps.audio(batch.audio)
    own, odds = steps.listen(audio)
    assert not torch.allclose(own[:, 0], own[:, 1]), "a step differs from class to class"
    one, head = plain.listen(audio)
    torch.testing.assert_close(one[:, 0], one[:, 1])
    torch.testing.assert_close(head, plain.class_head(plain.sound(audio)))
    assert not torch.allclose(odds, head)
    assert {name for name, value in plain.named_parameters() if not value.requires_grad} == {
        "steps.weight", "steps.bias"
    }  # fmt: skip
    assert {name for name, value in steps.named_parameters() if not value.requires_grad} == {
        "class_head.weight", "class_head.bias"
    }  # fmt: skip
    gradual = InterferenceEraser(**toy, stage="identifier", mix_epochs=5)
    at_once = InterferenceEraser(**toy, stage="identifier", mix_epochs=5, curriculum=False)
    for method in (gradual, at_once):
        method.clustered.fill_(True)
        method.before_epoch(0)
    assert gradual.level == (0.0, 2)
    assert at_once.level == (0.75, 4)
    gradual.before_epoch(4)
    assert gradual.level == at_once.level


def test_a_step_a_class_by_hand(toy) -> None:
    method = InterferenceEraser(**toy, stage="identifier").eval()
    torch.nn.init.normal_(method.steps.weight)
    audio = torch.rand(2, 32, 1, 5)
    own, odds = method.listen(audio)
    plain = F.normalize(method.audio_head(audio.amax(dim=(2, 3))), dim=1)
    means = torch.cat([audio.amax(dim=(2, 3)), audio.mean(dim=(2, 3))], dim=1)
    torch.testing.assert_close(pooled(audio), means)
    for number in range(3):
        step = means @ method.steps.weight[16 * number : 16 * number + 16].T
        expected = F.normalize(plain + step, dim=1)
        torch.testing.assert_close(own[:, number], expected)
        cosine = F.cosine_similarity(expected, method.sound_centres[number][None])
        torch.testing.assert_close(odds[:, number], cosine / 0.1)


def test_maps_and_shares_by_hand(toy) -> None:
    method = InterferenceEraser(**{**toy, "dim": 2, "clusters": 2, "classes": ""}).eval()
    method.centres.copy_(torch.eye(2))
    cells = torch.tensor([[1.0, 0.0], [0.6, 0.8], [-1.0, 0.0], [0.0, 1.0]]).T.reshape(1, 2, 2, 2)
    features = torch.tensor([[[1.0, 0.0], [0.0, -1.0]]])  # the second class is silent
    seen = method.in_view(cells)
    torch.testing.assert_close(seen[0], torch.tensor([[[1.0, 0.6], [0.0, 0.0]], [[0.0, 0.8], [0.0, 1.0]]]))
    maps = method.class_maps(cells, features)
    torch.testing.assert_close(maps[0], torch.tensor([[[1.0, 0.36], [0.0, 0.0]], [[0.0, -0.64], [0.0, -1.0]]]))
    odds = torch.tensor([[3.0, -2.0]])
    by_sight, by_ear = shares(seen, maps, odds, threshold=0.7, temperature=0.5)
    # in view above 0.7: one place of four, and two; the larger is the measure
    torch.testing.assert_close(by_sight, torch.tensor([[0.25 / 0.25, -0.41 / 0.25]]).log_softmax(dim=1))
    torch.testing.assert_close(by_ear, torch.tensor([[3.0 / 2, -2.0]]).log_softmax(dim=1))
    nothing = shares(seen, maps, odds, threshold=2.0, temperature=0.5)
    assert all(part.isfinite().all() for part in nothing)
    torch.testing.assert_close(nothing[1].exp(), torch.tensor([[0.5, 0.5]]))


def test_distillation_goes_both_ways_and_the_teacher_is_held_fixed() -> None:
    logits = [torch.tensor([[2.0, 0.0, -1.0]], requires_grad=True), torch.tensor([[0.0, 1.0, 0.5]], requires_grad=True)]
    by_sight, by_ear = (each.log_softmax(dim=1) for each in logits)
    terms = distillation_terms(by_sight, by_ear)
    p, q = by_sight.exp(), by_ear.exp()
    torch.testing.assert_close(terms["sight_from_ear"], (q * (by_ear - by_sight)).sum())
    torch.testing.assert_close(terms["ear_from_sight"], (p * (by_sight - by_ear)).sum())
    gradients = torch.autograd.grad(terms["sight_from_ear"], logits, allow_unused=True)
    assert gradients[1] is None
    torch.testing.assert_close(gradients[0], (p - q).detach())
    assert all(term == 0 for term in distillation_terms(p.log(), p.log()).values())


def test_what_the_referrer_keeps_of_what_it_heard(toy) -> None:
    torch.manual_seed(0)
    batch, _ = scenes([[0]] * 3, [[0], [1], [2]])
    method = InterferenceEraser(**toy, stage="referrer").eval()
    torch.nn.init.normal_(method.steps.weight)
    assert "kept" not in method.loss(batch), "no survey has heard these"
    with torch.no_grad():
        method.survey([batch])
    assert method.loss(batch)["kept"].item() == pytest.approx(0, abs=1e-6)
    assert not method.labels, "clusters are found in solos alone"
    method.temperature = 0.05
    assert method.loss(batch)["kept"].item() > 0.01
    other = InterferenceEraser(**toy, stage="referrer").eval()
    other.recall(method.memory())
    assert other.heard_first.keys() == method.heard_first.keys() == set(batch.clip_ids)
    for name, odds in method.heard_first.items():
        torch.testing.assert_close(other.heard_first[name], odds)


def test_shapes_and_ranges(toy) -> None:
    torch.manual_seed(0)
    batch, _ = scenes([[0, 1]] * 4, [[0], [1], [2], [0, 1]])
    for stage in InterferenceEraser.stages:
        for identifier in ("steps", "none"):
            method = InterferenceEraser(**{**toy, "clusters": 5}, stage=stage, identifier=identifier).eval()
            for matched in (False, True):
                if matched:
                    method.class_of_cluster.copy_(torch.tensor([0, 1, 2, 0, -1]))
                with torch.no_grad():
                    maps, seen, heard = method.localize(batch), method.see(batch), method.hear(batch)
                count = 3 if matched else 5
                assert len(method.class_names) == len(method.tag_names) == count
                assert maps.shape == seen.shape == (4, count, SIDE, SIDE)
                assert heard.shape == (4, count)
                assert all(0 <= values.min() <= values.max() <= 1 for values in (maps, seen, heard))
    one = InterferenceEraser(**{**method.options, "output": "one"}).eval()
    one.load_state_dict(method.state_dict())
    with torch.no_grad():
        single = one.localize(batch)
        image, audio = method.features(batch)
        every = method.class_maps(method.look(image), method.listen(audio)[0])
    torch.testing.assert_close(single, every.amax(dim=1).clamp_min(0))
    assert one.class_names == ()


def test_the_correspondence_pools_as_told(toy) -> None:
    torch.manual_seed(0)
    batch, _ = scenes([[0], [1], [2]], [[0], [1], [2]])
    for pool, reduce in (("mean", torch.mean), ("max", torch.amax)):
        method = InterferenceEraser(**toy, stage="prototypes", pool=pool).eval()
        method.before_epoch(0)
        terms = method.loss(batch)
        assert terms.keys() == {"positive", "negative"}
        cells, sounds = method.embed(batch)[0], method.embed(batch)[1]
        assert cells.shape == sounds.shape == (3, 16)
        image, _ = method.features(batch)
        maps = ops.similarity(method.look(image), sounds)
        odds = method.scale * reduce(maps, dim=(2, 3))
        expected = pair_terms(odds.diagonal(), torch.stack([odds[1, 0], odds[2, 1], odds[0, 2]]))
        torch.testing.assert_close(terms, expected)
        method.before_epoch(17)
        apart = InterferenceEraser(**toy, stage="prototypes", pool=pool, aligned=False)
        apart.before_epoch(17)
        assert apart.loss(batch).keys() == {"positive", "negative", "seen", "heard"}
        assert method.loss(batch).keys() == {*apart.loss(batch), "seen_as_heard", "heard_as_seen"}


def test_aligned_prototypes_are_compared_across(toy) -> None:
    torch.manual_seed(0)
    batch, _ = scenes([[0], [1], [2]], [[0], [1], [2]])
    method = InterferenceEraser(**toy, stage="prototypes").eval()
    method.labels = {"0": 2, "1": 0, "2": 1}
    method.before_epoch(17)
    method.sound_centres.copy_(method.centres)
    method.image_head, method.audio_head = method.heads(16)
    terms = method.loss(batch)
    torch.testing.assert_close(terms["seen"], terms["seen_as_heard"])
    torch.testing.assert_close(terms["heard"], terms["heard_as_seen"])
    logits = method.sound(method.features(batch)[1]) @ method.centres.T / method.temperature
    torch.testing.assert_close(terms["heard_as_seen"], F.cross_entropy(logits, torch.tensor([2, 0, 1])))


def test_what_is_heard_of_a_mixture_must_be_near_the_prototypes_seen(toy) -> None:
    batch, _ = scenes([[0], [1], [2]], [[0], [1], [2]])
    wanted = {"positive", "negative", "identity", "identity_seen"}
    for options, lacking in (
        ({}, set()),
        ({"aligned": False}, {"identity_seen"}),
        ({"identifier": "none"}, {"identity_seen"}),
    ):
        method = InterferenceEraser(**toy, stage="identifier", **options).eval()
        method.labels = {"0": 0, "1": 1, "2": 2}
        assert method.loss(batch).keys() == wanted - lacking
    torch.manual_seed(0)
    method = InterferenceEraser(**toy, stage="identifier").eval()
    method.labels = {"0": 0, "1": 1, "2": 2}
    method.sound_centres.copy_(method.centres)
    terms = method.loss(batch)
    torch.testing.assert_close(terms["identity"], terms["identity_seen"])


def test_the_referrer_cannot_learn_to_see_nothing(toy) -> None:
    method = InterferenceEraser(**toy, stage="referrer")
    learned = {name for name, parameter in method.named_parameters() if parameter.requires_grad}
    assert not any(name.startswith("image_head") for name in learned)
    assert {"steps.weight", "audio_head.weight"} <= learned
    seen = torch.tensor([[[[0.9, 0.3]], [[0.2, 0.8]]]])
    maps, odds = torch.tensor([[[[0.5, 0.1]], [[0.1, 0.4]]]]), torch.zeros(1, 2)
    elsewhere = maps + torch.tensor([[[[0.0, 0.7]], [[0.7, 0.0]]]])
    for one, other in zip(shares(seen, maps, odds, 0.5, 0.1), shares(seen, elsewhere, odds, 0.5, 0.1), strict=True):
        torch.testing.assert_close(one, other)  # where a class is not in view its map does not count


def test_stages_must_follow_each_other_and_wrong_options_say_what_to_do(toy, make_batch) -> None:
    for stage, before in (("identifier", "prototypes"), ("referrer", "identifier")):
        with pytest.raises(UserError, match=f"expected the weights of stage {before} to start stage {stage}"):
            InterferenceEraser(**toy, stage=stage).before_epoch(0)
    with pytest.raises(UserError, match="did you mean 'steps'"):
        InterferenceEraser(**toy, identifier="step")
    with pytest.raises(UserError, match="expected mix_most of 2 or more"):
        InterferenceEraser(**toy, mix_most=1)
    with pytest.raises(UserError, match="expected one sample_rate for sounds that are mixed"):
        InterferenceEraser(**toy, stage="identifier", sample_rate=0)
    with pytest.raises(UserError, match=r'expected batch.extra\["waveform"\]'):
        InterferenceEraser(**toy, stage="identifier").loss(make_batch(size=2, image=(4, 4), audio=(64, 9)))
    assert InterferenceEraser(**toy, stage="identifier").inputs.waveform
    assert not InterferenceEraser(**toy, stage="referrer").inputs.waveform


def test_a_round_trip_keeps_maps_sounds_and_options(toy, tmp_path) -> None:
    torch.manual_seed(0)
    batch, _ = scenes([[0]] * 2, [[0], [1]])
    method = InterferenceEraser(**toy, stage="identifier", identifier="none").eval()
    loaded = weights.load(weights.save(method, tmp_path / "ier.safetensors"))
    assert loaded.options == method.options
    with torch.no_grad():
        for one, other in ((loaded.localize, method.localize), (loaded.see, method.see), (loaded.hear, method.hear)):
            torch.testing.assert_close(one(batch), other(batch), rtol=0, atol=0)


RECIPE = Recipe(
    "ier_squares",
    "interference_eraser",
    data=DataSpec("folder", split="train"),
    epochs=2,
    batch_size=4,
    learning_rate=1e-3,
    num_workers=0,
    log_steps=1,
)


def test_every_stage_goes_on_to_the_same_bits_after_a_stop(toy, tmp_path: Path) -> None:
    root = make_scenes(tmp_path / "squares", ["visible"] * 8, split="train", size=SIDE)
    options = {name: value for name, value in toy.items() if name != "classes"} | {"first_epochs": 1, "mix_epochs": 2}
    init = None
    for stage in InterferenceEraser.stages:
        recipe = replace(RECIPE, options={**options, "stage": stage})
        whole = train(recipe, root=root, out=tmp_path / stage, init=init, progress=False)
        train(recipe, root=root, out=tmp_path / "parts" / stage, init=init, progress=False, max_steps=3)
        parts = train(recipe, root=root, out=tmp_path / "parts" / stage, init=init, progress=False, resume=True)
        left, right = (checkpoint.read_newest(result.out).state.tensors for result in (whole, parts))
        assert left.keys() == right.keys()
        assert any(name.startswith("memory/") for name in left)
        assert all(torch.equal(tensor, right[name]) for name, tensor in left.items()), stage
        init = whole.weights
    assert "loss_kept" in whole.summary["last_losses"]
