"""Spot, the default localizer, on its real encoders: what is learned, what is kept, and what its file holds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from make_scenes import LABELS, make_scenes
from soundspot import weights
from soundspot.data.decoding import AREAS
from soundspot.data.features import KeptFeatures
from soundspot.data.folder import read_folder
from soundspot.data.loader import Stack, load_clip, stack, to_batch
from soundspot.data.training import Plan, TrainingSet
from soundspot.methods import build
from soundspot.methods.spot import NO_MATCH, PERSON_LABEL, Look, Spot
from soundspot.nets.bridge import PERSON_INDEX
from soundspot.nets.proposals import find_regions
from soundspot.types import Batch, Clip, Target

pytestmark = pytest.mark.usefixtures("encoders")

KINDS = ("visible", "visible", "offscreen", "visible")
SIZE = 416
CELLS = SIZE // 8


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Clip, Target]]:
    return read_folder(make_scenes(tmp_path_factory.mktemp("scenes"), KINDS, size=SIZE, seconds=3.0))


@pytest.fixture(scope="module")
def loaded(pairs: list[tuple[Clip, Target]], encoders: dict[str, Path]) -> Spot:
    """With its encoders in memory; tests must not move it."""
    method = spot()
    method.encoders()
    return method


@pytest.fixture(scope="module")
def batch(pairs: list[tuple[Clip, Target]], loaded: Spot) -> Batch:
    """All scenes with their truth."""
    items = []
    for clip, target in pairs:
        item = load_clip(clip, loaded.inputs)
        # As training keeps sounds: pure tones leave bands so empty that rounding shows in the features.
        item.samples = np.round(item.samples * 32767).astype(np.int16).astype(np.float32) / np.float32(32767)
        item.areas = {name: AREAS[name](clip, target, (SIZE, SIZE)) for name in AREAS}
        items.append((clip, item))
    (stacked,) = stack(items)
    assert isinstance(stacked, Stack)
    return to_batch(stacked, loaded.inputs, "cpu")


@pytest.fixture(scope="module")
def frozen(loaded: Spot, batch: Batch) -> dict[str, Tensor]:
    return loaded.frozen(batch)


def spot(loaded: Spot | None = None) -> Spot:
    """A fresh method in evaluation mode, with the encoders of another, which are always the same."""
    torch.manual_seed(0)
    method = build("spot")
    assert isinstance(method, Spot)
    method._encoders = loaded._encoders if loaded is not None else None
    return method.eval()


def with_features(batch: Batch, frozen: dict[str, Tensor]) -> Batch:
    return replace(batch, extra={**batch.extra, **frozen})


def test_maps_are_log_odds_at_stride_8_whatever_the_mode(loaded: Spot, batch: Batch) -> None:
    with torch.no_grad():
        maps = loaded.localize(batch)
        again = loaded.localize(batch)
    assert maps.shape == (4, CELLS, CELLS)
    assert torch.isfinite(maps).all()
    assert torch.equal(maps, again)
    assert maps.std() > 0


def test_a_scene_is_localized_the_same_alone_and_in_company(loaded: Spot, batch: Batch) -> None:
    alone = replace(
        batch, image=batch.image[1:2], audio=batch.audio[1:2], clip_ids=batch.clip_ids[1:2], mask=None, extra={}
    )
    with torch.no_grad():
        assert torch.allclose(loaded.localize(alone)[0], loaded.localize(batch)[1], atol=1e-3)


def test_what_is_heard_are_probabilities_of_audiosets_classes(loaded: Spot, batch: Batch) -> None:
    heard = loaded.hear(batch)
    assert heard.shape == (4, len(loaded.tag_names)) == (4, 521)
    assert 0 <= heard.min() <= heard.max() <= 1
    tones = {"Sine wave", "Beep, bleep", "Tuning fork", "Dial tone", "Telephone", "Chirp tone", "Busy signal", "Music"}
    best = {loaded.tag_names[int(row.argmax())] for row in heard}
    assert best & tones, best


def test_pauses_do_not_change_what_is_heard(loaded: Spot, batch: Batch) -> None:
    paused = batch.audio.clone()
    paused[..., 192:] = batch.audio.min()  # a third of the sound and more is cut
    silence = loaded.encoders()[1].patches(paused).exp().mean(dim=(2, 3, 4))
    assert (silence[:, -1] < 0.1 * silence.amax(dim=1)).all()
    full, cut = (loaded.hear(replace(batch, audio=audio)) for audio in (batch.audio, paused))
    assert (full.argmax(dim=1) == cut.argmax(dim=1)).all()


def test_the_file_holds_the_heads_alone(loaded: Spot, tmp_path: Path) -> None:
    path = weights.save(loaded, tmp_path / "spot.safetensors")
    assert path.stat().st_size < 4_000_000
    heads = ("decoder.", "sound_head.", "scale", "offset", "person", "fusion")
    assert all(name.startswith(heads) for name in loaded.state_dict())
    assert sum(parameter.numel() for parameter in loaded.parameters()) < 1_000_000


def test_weights_come_back_to_the_same_maps(loaded: Spot, batch: Batch, tmp_path: Path) -> None:
    method = spot(loaded)
    with torch.no_grad():
        for tensor in method.state_dict().values():
            if tensor.is_floating_point():
                tensor.add_(torch.rand_like(tensor) * 0.01)
    path = weights.save(method, tmp_path / "spot.safetensors")
    again = weights.load(path)
    assert isinstance(again, Spot)
    with torch.no_grad():
        assert torch.equal(again.localize(batch), method.localize(batch)), "with encoders that it loaded by itself"
    assert again.provenance["method"] == "spot"


def test_every_parameter_learns(loaded: Spot, batch: Batch, frozen: dict[str, Tensor]) -> None:
    method = spot(loaded).train()
    terms = method.loss(with_features(batch, frozen))
    assert terms.keys() >= {"where", "overlap", "objectness"}
    torch.stack(list(terms.values())).sum().backward()
    for name, parameter in method.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name
    encoder, sound, _ = method.encoders()
    assert not any(parameter.requires_grad for parameter in [*encoder.parameters(), *sound.parameters()])
    assert not encoder.training


def test_the_loss_falls_and_the_sounding_square_wins(loaded: Spot, batch: Batch, frozen: dict[str, Tensor]) -> None:
    method = spot(loaded).train()
    given = with_features(batch, frozen)
    optimizer = torch.optim.AdamW(method.parameters(), lr=3e-3)
    values = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = torch.stack(list(method.loss(given).values())).sum()
        loss.backward()
        optimizer.step()
        values.append(float(loss.detach()))
    assert sum(values[-5:]) < 0.5 * sum(values[:5])
    method.eval()
    with torch.no_grad():
        objectness, cells = method._seen(frozen)
        learned = method._learned(cells, frozen["sound"])
    assert batch.mask is not None
    truth = torch.nn.functional.adaptive_avg_pool2d(batch.mask, CELLS)[:, 0] > 0.5
    objects = torch.nn.functional.adaptive_avg_pool2d(batch.extra["objects"], CELLS)[:, 0] > 0.5
    for number, kind in enumerate(KINDS):
        assert objectness[number][objects[number]].mean() > objectness[number][~objects[number]].mean()
        if kind == "visible":
            assert learned[number][truth[number]].mean() > learned[number][~truth[number]].mean() + 1


def test_kept_features_are_computed_features(
    pairs: list[tuple[Clip, Target]], loaded: Spot, batch: Batch, frozen: dict[str, Tensor]
) -> None:
    training = TrainingSet(pairs, loaded.inputs, seed=0, areas=sorted(AREAS))
    kept = KeptFeatures(training, loaded, "cpu")
    for name, value in frozen.items():
        assert kept.features[name].dtype == torch.float16
        worst = (kept.features[name].float() - value).abs().max() / value.abs().max()
        assert worst < 1e-3, name
    (((stacks, missing)),) = kept.batches(Plan(4, 4), 1, 0, 0)
    assert missing == []
    from_kept = stacks[0].to_batch(loaded.inputs, "cpu")
    order = [batch.clip_ids.index(name) for name in from_kept.clip_ids]
    assert batch.mask is not None
    assert from_kept.mask is not None
    assert torch.equal(from_kept.mask, batch.mask[order])
    sorted_batch = replace(
        batch, mask=batch.mask[order], extra={"objects": batch.extra["objects"][order]},
        image=batch.image[order], audio=batch.audio[order], clip_ids=from_kept.clip_ids,
    )  # fmt: skip
    losses = []
    for given in (from_kept, sorted_batch):
        torch.manual_seed(3)
        with torch.no_grad():
            losses.append({name: float(value) for name, value in loaded.loss(given).items()})
    assert losses[0] == pytest.approx(losses[1], rel=2e-3)


def test_the_bridge_looks_at_regions_and_only_there(loaded: Spot, batch: Batch) -> None:
    objectness = torch.full((4, CELLS, CELLS), -3.0)
    objectness[0, 4:12, 4:12] = 9.0
    asked = torch.zeros(4, 1001)
    asked[:, :1000] = 1.0  # whatever a region shows is asked for
    regions = find_regions(objectness)
    cells, class_map = torch.zeros(4, 64, CELLS, CELLS), loaded.encode(batch.image)["class_map"]
    seen = Look(objectness, cells, regions, loaded._classes(batch.image, regions), class_map)
    match = loaded.match(seen, asked)
    assert match[0, 4:12, 4:12].unique().tolist() == pytest.approx([0.0], abs=0.01)
    outside = match.clone()
    outside[0, 4:12, 4:12] = NO_MATCH
    assert (outside == NO_MATCH).all()
    nothing = loaded.match(seen, torch.zeros(4, 1001))
    assert nothing.max() == pytest.approx(NO_MATCH, abs=1e-3)


def test_the_bridge_asks_every_cell_too(loaded: Spot, batch: Batch) -> None:
    with torch.no_grad():
        seen = loaded.look(batch.image, loaded.encode(batch.image))
        assert seen.class_map.shape == (4, 1000, SIZE // 32, SIZE // 32)
        truth = torch.zeros_like(seen.class_map)
        beagle = 162  # "beagle" in ImageNet's order
        truth[1, beagle, 2, 7] = 30.0
        tags = torch.zeros(4, len(loaded.tag_names))
        tags[:, loaded.tag_names.index("Bark")] = 0.9
        terms = loaded.bridge_terms(seen._replace(class_map=truth), tags)
        assert terms.shape == (4, CELLS, CELLS, 4)
        row, column = divmod(int(terms[1, ..., 1].argmax()), CELLS)
        assert (row // 4, column // 4) == (2, 7)
        assert terms[0, ..., 1].unique().numel() == 1, "no beagle, no preference"
        assert (terms[..., 3] == 1).all()
        glance = loaded.look(batch.image, loaded.frozen(batch))
        assert not loaded.bridge_terms(glance, tags)[..., 1].any()


def test_tuning_fits_the_fusion_and_what_people_sound_like(loaded: Spot, batch: Batch) -> None:
    method = spot(loaded)
    before = {name: value.clone() for name, value in method.state_dict().items()}
    with torch.no_grad():
        dict(method.named_parameters())["decoder.objectness.bias"].add_(1.0)  # so that there are regions to look at
    method.tune([replace(batch, labels=((PERSON_LABEL,), ("red",), (PERSON_LABEL,), ("blue",)))])
    assert not torch.equal(method.fusion, before["fusion"])
    assert torch.isfinite(method.fusion).all()
    assert torch.allclose(method.person, method.heard(batch)[0][[0, 2]].mean(dim=0), atol=1e-6)
    changed = {name for name, value in method.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"fusion", "person", "decoder.objectness.bias"}
    untold = spot(loaded)
    untold.tune([replace(batch, labels=tuple((label,) for label in (*LABELS, "red")))])
    assert untold.person.abs().max() == 0, "no person among the labels"
    assert PERSON_INDEX == 1000


def test_embeddings_are_unit_vectors(loaded: Spot, batch: Batch) -> None:
    with torch.no_grad():
        pictures, sounds = loaded.embed(batch)
    assert pictures.shape == sounds.shape == (4, 64)
    assert torch.allclose(pictures.norm(dim=1), torch.ones(4), atol=1e-5)
    assert torch.allclose(sounds.norm(dim=1), torch.ones(4), atol=1e-5)


def test_hearing_beside_localizing_changes_neither(loaded: Spot, batch: Batch) -> None:
    maps, heard = loaded.localize_and_hear(batch)
    assert torch.equal(heard, loaded.hear(batch))
    assert torch.equal(maps, loaded.localize(batch))


def test_compiled_encoders_give_the_same_maps(loaded: Spot, batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    with torch.no_grad():
        compiled = loaded.localize(batch)
        monkeypatch.setattr(loaded, "compiles", False)
        plain = loaded.localize(batch)
    assert not torch.equal(plain, compiled)
    assert torch.allclose(plain, compiled, atol=1e-4)
