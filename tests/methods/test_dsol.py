"""DSOL against numbers of the published code, its stages, and a run that is stopped and goes on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from make_scenes import make_scenes
from soundspot import ops, weights
from soundspot.methods.avol import pair_terms
from soundspot.methods.dsol import DSOL, divergence, quadrant_terms
from soundspot.methods.prototypes import dilated, object_vectors
from soundspot.train import checkpoint
from soundspot.train.loop import train
from soundspot.train.recipe import DataSpec, Recipe
from soundspot.types import Batch, UserError


def published(arrays, towers, **options) -> DSOL:
    """A method with the published weights, whose towers' features are given by hand."""
    method = DSOL(**towers, dim=12, clusters=11, head_rate=1.0, **options)
    names = {
        f"{head}_head.{layer}.{kind}": f"{own}_{number}_{kind}"
        for head, own in (("image", "conv_v"), ("audio", "fc_a"))
        for layer, number in ((0, 1), (2, 2))
        for kind in ("weight", "bias")
    }
    names |= {"scale": "conv_av_weight", "object_scale": "obj_conv_weight", "object_offset": "obj_conv_bias"}
    for head, own in (("image", "v"), ("sound", "a")):
        names |= {f"{head}_classes.{kind}": f"{own}_class_layer_{kind}" for kind in ("weight", "bias")}
    wanted = method.state_dict()
    tensors = {
        ours: torch.tensor(arrays[f"par_w_{theirs}"]).reshape(wanted[ours].shape)
        for ours, theirs in names.items()
        if f"par_w_{theirs}" in arrays
    }
    assert not method.load_state_dict(tensors, strict=False).unexpected_keys
    return method.eval()


def features(arrays) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Positive and negative pictures' features and pooled sounds'."""
    pictures = (torch.tensor(arrays[f"in_img_feat_{sign}"]) for sign in ("pos", "neg"))
    return *pictures, ops.max_pool(torch.tensor(arrays["in_aud_featmap"]))


def interleaved(own: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    return torch.stack([own, other], dim=1).flatten(0, 1)


@pytest.fixture
def solo(golden, tiny_towers):
    arrays = golden("dsol_stage1__a")
    return arrays, published(arrays, tiny_towers, stage="solo"), *features(arrays)


def test_map_score_and_loss_of_the_published_first_stage(solo, close) -> None:
    arrays, method, own, other, sounds = solo
    odds = [method.odds(*method.project(pictures, sounds)) for pictures in (own, other)]
    close(interleaved(*odds).sigmoid(), arrays["out_map"])
    close(ops.max_pool(interleaved(*odds)).sigmoid(), arrays["out_score"])
    close(sum(pair_terms(*map(ops.max_pool, odds)).values()), arrays["out_loss"])


def test_class_logits_of_the_published_first_stage(solo, close) -> None:
    arrays, method, own, other, sounds = solo
    close(method.image_classes(ops.mean_pool(interleaved(own, other))), arrays["out_v_logits"])
    close(method.sound_classes(interleaved(sounds, sounds)), arrays["out_a_logits"])
    close(ops.mean_pool(own), arrays["out_img_feat_mean"])


def test_object_vectors_of_the_published_first_stage(solo, close) -> None:
    arrays, method, own, _, sounds = solo
    maps = method.odds(*method.project(own, sounds)).sigmoid()
    for mark in ("", "2"):
        threshold = float(arrays[f"par_mask_thr{mark}"])
        close(object_vectors(own, maps, threshold), arrays["out_obj_feat" + ("_thr2" if mark else "")])
    grown = dilated((maps > float(arrays["par_mask_thr2"])).float())
    assert torch.equal(grown.to(torch.uint8), torch.tensor(arrays["out_dilated_thr2"]))
    by_mask = object_vectors(own, maps, threshold, "mask")
    torch.testing.assert_close(ops.unit(by_mask), ops.unit(object_vectors(own, maps, threshold)))
    assert not torch.allclose(by_mask, object_vectors(own, maps, threshold))


@pytest.fixture
def cocktail(golden, tiny_towers):
    arrays = golden("dsol_stage2__a")
    method = published(arrays, tiny_towers, stage="cocktail")
    method.dictionary.copy_(torch.tensor(arrays["in_dictionary"]))
    method.teacher_head.load_state_dict(
        {"weight": torch.tensor(arrays["par_teacher_a_class_w"]), "bias": torch.tensor(arrays["par_teacher_a_class_b"])}
    )
    return arrays, method, *features(arrays)


def test_class_maps_and_what_is_shown_of_the_published_second_stage(cocktail, close) -> None:
    arrays, method, own, other, sounds = cocktail
    gates = [method.odds(*method.project(pictures, sounds)).sigmoid() for pictures in (own, other)]
    close(interleaved(*gates), arrays["out_av_map"])
    maps = [method.class_maps(pictures, gate) for pictures, gate in zip((own, other), gates, strict=True)]
    close(interleaved(*maps), arrays["out_class_maps"])
    close(method.class_maps(interleaved(own, other)), arrays["out_class_maps_nogate"])
    close(ops.mean_pool(interleaved(*maps)), arrays["out_class_scores"])
    close((method.map_factor * maps[0]).softmax(dim=1), arrays["out_infer_maps"])


def test_losses_of_the_published_second_stage(cocktail, close) -> None:
    arrays, method, own, other, sounds = cocktail
    odds = [method.odds(*method.project(pictures, sounds)) for pictures in (own, other)]
    close(ops.max_pool(odds[0]).sigmoid(), arrays["out_pos"])
    close(torch.nn.functional.adaptive_max_pool2d(odds[1][:, None], 2).sigmoid().flatten(), arrays["out_neg"])
    places = sum(quadrant_terms(*odds).values())
    close(places, arrays["out_loss_loc"])
    teacher = method.teacher_head(sounds)
    close(interleaved(teacher, teacher), arrays["out_teacher_logits"])
    scores = ops.mean_pool(method.class_maps(own, odds[0].sigmoid()))
    classes = divergence(scores, teacher)
    close(classes, arrays["out_loss_kl"])
    close(classes + float(arrays["par_weight"]) * places, arrays["out_loss"])
    torch.testing.assert_close(divergence(scores, teacher, "batch"), 11 * classes)


def test_the_whole_second_loss_and_maps_of_the_published_code(cocktail, close, monkeypatch, make_batch) -> None:
    """The towers give the published features, and the next clip's picture is the published negative."""
    arrays, method, own, other, _ = cocktail
    audio = torch.tensor(arrays["in_aud_featmap"])
    method.taught.fill_(True)
    monkeypatch.setattr(method, "through_frozen", lambda batch: {"image": own, "audio": audio})
    for tower in (method.image, method.audio, method.teacher_tower):
        monkeypatch.setattr(tower, "rest", lambda maps: maps)
    negative = method.project(other, ops.max_pool(audio))[0]
    monkeypatch.setattr(ops, "next_clips", lambda cells: negative)
    batch = make_batch(size=3)
    terms = method.loss(batch)
    assert terms.keys() == {"positive", "negative", "classes"}
    close(sum(terms.values()), arrays["out_loss"])
    with torch.no_grad():
        close(method.localize(batch), arrays["out_infer_maps"])
        monkeypatch.setattr(method, "frozen_sound", lambda batch: audio)
        close(method.hear(batch), torch.tensor(arrays["out_teacher_logits"])[::2].softmax(dim=1).numpy())


def test_quadrants_of_an_odd_map_overlap_and_one_clip_has_no_negative() -> None:
    other = torch.full((1, 3, 3), -20.0)
    other[0, 1, 1] = 20.0
    terms = quadrant_terms(torch.full((1, 3, 3), 20.0), other)
    assert terms["negative"].item() == pytest.approx(10.0, abs=1e-3), "the middle lies in all four"
    assert quadrant_terms(other, other[:0])["negative"].item() == 0


@pytest.fixture
def batch(make_batch) -> Batch:
    return replace(make_batch(size=4, image=(8, 8), audio=(6, 1)), labels=(("a",), ("b",)) * 2)


def test_each_phase_has_its_terms(tiny_towers, batch) -> None:
    method = DSOL(**tiny_towers, stage="solo", clusters=3)
    assert method.loss(batch).keys() == {"positive", "negative", "seen", "heard"}, "outside of a run: all"
    method.before_epoch(0)
    assert method.loss(batch).keys() == {"positive", "negative"}
    method.before_epoch(2)
    assert method.loss(batch).keys() == {"seen", "heard"}


def test_shapes_and_ranges(tiny_towers, batch) -> None:
    torch.manual_seed(0)
    for stage in DSOL.stages:
        method = DSOL(**tiny_towers, stage=stage, clusters=5, classes="a,b").eval()
        method.class_of_cluster.copy_(torch.tensor([0, 1, 1, 0, -1]))
        with torch.no_grad():
            maps, seen, heard = method.localize(batch), method.see(batch), method.hear(batch)
        assert maps.shape == seen.shape == (4, 2, 8, 8)
        assert heard.shape == (4, 2)
        for values in (maps, seen, heard):
            assert 0 <= values.min() <= values.max() <= 1
        assert (maps.sum(dim=1) < 1).all(), "one cluster belongs to no class"
        method.class_of_cluster.fill_(-1)
        with torch.no_grad():
            torch.testing.assert_close(method.localize(batch).sum(dim=1), torch.ones(4, 8, 8))
            torch.testing.assert_close(method.hear(batch).sum(dim=1), torch.ones(4))


def test_a_survey_clusters_and_starts_the_heads_anew(tiny_towers, batch) -> None:
    torch.manual_seed(0)
    method = DSOL(**tiny_towers, stage="solo", clusters=2).eval()
    before = method.sound_classes.weight.clone()
    with torch.no_grad():
        method.survey([batch])
        vectors = method.vectors(batch)
    assert set(method.labels) == set(batch.clip_ids)
    assert not torch.equal(method.sound_classes.weight, before)
    labels = torch.tensor([method.labels[name] for name in batch.clip_ids])
    for number in range(2):
        torch.testing.assert_close(method.dictionary[number], vectors[labels == number].mean(dim=0))
        torch.testing.assert_close(method.centres[number], ops.unit(vectors)[labels == number].mean(dim=0))
    assert method.clusters_of(batch).tolist() == labels.tolist()


def test_the_second_stage_keeps_the_first_as_its_teacher(tiny_towers, batch, tmp_path) -> None:
    torch.manual_seed(0)
    solo = DSOL(**tiny_towers, stage="solo", clusters=2).eval()
    with torch.no_grad():
        solo.survey([batch])
        heard = solo.hear(batch)
    method = weights.load(weights.save(solo, tmp_path / "solo.safetensors"), options={"stage": "cocktail"})
    assert isinstance(method, DSOL)
    method.before_epoch(0)
    optimizer = torch.optim.Adam([p for p in method.parameters() if p.requires_grad], lr=1e-2)
    for _ in range(3):
        optimizer.zero_grad()
        torch.stack(list(method.train().loss(batch).values())).sum().backward()
        optimizer.step()
    method.before_epoch(0)  # as when a run goes on within its first epoch
    loaded = weights.load(weights.save(method, tmp_path / "cocktail.safetensors"))
    assert not torch.equal(loaded.audio.net[0].weight, solo.audio.net[0].weight)
    with torch.no_grad():
        torch.testing.assert_close(loaded.hear(batch), heard, rtol=0, atol=0)
        torch.testing.assert_close(loaded.localize(batch), method.eval().localize(batch), rtol=0, atol=0)
    with pytest.raises(UserError, match="expected the weights of stage solo"):
        DSOL(**tiny_towers).before_epoch(0)


def test_wrong_options_say_what_to_do(tiny_towers) -> None:
    with pytest.raises(UserError, match="did you mean 'cocktail'"):
        DSOL(**tiny_towers, stage="coctail")
    with pytest.raises(UserError, match=r"unknown divide_by 'masks'.*did you mean 'mask'"):
        DSOL(**tiny_towers, divide_by="masks")
    with pytest.raises(UserError, match="unknown kl"):
        DSOL(**tiny_towers, kl="sum")
    with pytest.raises(UserError, match="expected dim of at least 1"):
        DSOL(**tiny_towers, dim=0)


SMALL = {
    "image_backbone": "tiny_image",
    "audio_backbone": "tiny_audio",
    "image_size": 16,
    "seconds": 0.5,
    "clusters": 3,
}
RECIPE = Recipe(
    "dsol_squares",
    "dsol",
    options={**SMALL, "stage": "solo", "first_epochs": 1, "class_epochs": 1},
    data=DataSpec("folder", split="train"),
    epochs=3,
    batch_size=4,
    learning_rate=1e-3,
    num_workers=0,
    log_steps=1,
)


@pytest.fixture(scope="module")
def squares(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_scenes(tmp_path_factory.mktemp("squares"), ["visible"] * 12, split="train", size=32)


def test_both_stages_train_and_a_stopped_run_goes_on_to_the_same_bits(
    squares: Path, tmp_path: Path, tiny_towers: dict[str, str]
) -> None:
    whole = train(RECIPE, root=squares, out=tmp_path / "whole", progress=False)
    for stop in (3, 4):  # where clusters are about to be found, and while they are learned
        train(RECIPE, root=squares, out=tmp_path / f"{stop}", progress=False, max_steps=stop)
        parts = train(RECIPE, root=squares, out=tmp_path / f"{stop}", progress=False, resume=True)
        left, right = (checkpoint.read_newest(result.out).state.tensors for result in (whole, parts))
        assert left.keys() == right.keys()
        assert len(left["memory/labels"]) == 12
        assert all(torch.equal(tensor, right[name]) for name, tensor in left.items())
    mixed = replace(RECIPE, options={**SMALL, "stage": "cocktail"}, epochs=1)
    result = train(mixed, root=squares, out=tmp_path / "mixed", init=whole.weights, progress=False)
    assert result.weights is not None
    method = weights.load(result.weights)
    assert method.options["classes"] == "blue;green;red"
    first = weights.load(whole.weights)  # type: ignore[arg-type]
    assert torch.equal(method.dictionary, first.dictionary)
    assert torch.equal(method.teacher_head.weight, first.sound_classes.weight)
