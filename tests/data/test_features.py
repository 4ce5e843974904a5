"""Kept features: training on them is training on the clips themselves, wherever the frozen part sees the same."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from make_scenes import make_scenes
from soundspot import ops
from soundspot.data.decoding import AREAS
from soundspot.data.features import KeptFeatures
from soundspot.data.training import Plan, TrainingSet
from soundspot.media.audio import write_wav
from soundspot.media.image import read_image, write_image
from soundspot.methods.base import Method
from soundspot.train import checkpoint
from soundspot.train.clips import find_clips
from soundspot.train.loop import TrainResult, train
from soundspot.train.recipe import DataSpec, Recipe
from soundspot.types import Batch, Inputs, UserError

ALL_KINDS = ("visible", "visible", "offscreen", "visible", "silent")


class HalfFrozen(Method):
    """A frozen part of coarse cells and bands, exact in half precision, and a linear head on each."""

    needs = frozenset({"mask", "objects"})

    def __init__(self, freezes: bool = True, sample_rate: int = 16000) -> None:
        super().__init__()
        self.inputs = Inputs(
            image_size=32, seconds=1.0, sample_rate=sample_rate or None, spectrogram="logmel", train_scale=1.0
        )
        self.freezes = freezes
        self.seen, self.heard = nn.Conv2d(3, 4, 1), nn.Linear(64, 4)
        self.passes = 0

    def frozen(self, batch: Batch) -> dict[str, Tensor]:
        if not self.freezes:
            return {}
        assert not self.training, "a frozen part is evaluated"
        self.passes += len(batch)
        return self._fixed(batch)

    @staticmethod
    def _fixed(batch: Batch) -> dict[str, Tensor]:
        with torch.no_grad():
            cells, bands = F.adaptive_avg_pool2d(batch.image, 4), batch.audio.mean(dim=(1, 3))
            # Rounded coarsely: neither half precision nor the batch they came in can move them.
            return {"cells": (cells * 16).round() / 16, "bands": (bands * 64).round() / 64}

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        fixed = batch.extra if "cells" in batch.extra else self._fixed(batch)
        assert batch.mask is not None
        scores = ops.own_similarity(self.seen(fixed["cells"]), self.heard(fixed["bands"]))
        truth, objects = (F.adaptive_avg_pool2d(a, 4)[:, 0] for a in (batch.mask, batch.extra["objects"]))
        return {"where": F.binary_cross_entropy_with_logits(scores, truth), "any": (scores * objects).mean().square()}

    def localize(self, batch: Batch) -> Tensor:
        fixed = self._fixed(batch)
        return ops.own_similarity(self.seen(fixed["cells"]), self.heard(fixed["bands"]))


RECIPE = Recipe(
    "half",
    "test_features:HalfFrozen",
    data=DataSpec("folder", split="train"),
    epochs=3,
    batch_size=4,
    learning_rate=1e-2,
    num_workers=0,
    log_steps=1,
    cache="features",
)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """18 scenes of 32 x 32, each its own mirror image: training's flip, which features do not see, moves nothing."""
    root = make_scenes(tmp_path_factory.mktemp("scenes"), ALL_KINDS * 3 + ALL_KINDS[:3], size=32, split="train")
    for folder in ("image", "mask", "objects"):
        for path in (root / folder).iterdir():
            picture = read_image(path)
            picture = np.maximum(picture, picture[:, ::-1])
            write_image(path, picture[..., 0] if folder == "objects" else picture)
    return root


def run(recipe: Recipe, root: Path, out: Path, **more: Any) -> TrainResult:
    return train(recipe, root=root, out=out, progress=False, **more)


def state_of(result: TrainResult) -> dict[str, Tensor]:
    return checkpoint.read_newest(result.out).state.tensors


def losses(result: TrainResult) -> list[dict[str, float]]:
    rows = map(json.loads, result.metrics.read_text().splitlines())
    return [{key: row[key] for key in row if key.startswith("loss")} for row in rows]


def assert_same(one: TrainResult, other: TrainResult) -> None:
    left, right = state_of(one), state_of(other)
    assert left.keys() == right.keys()
    for name, tensor in left.items():
        assert torch.equal(tensor, right[name]), name
    assert losses(one) == losses(other)


def kept(root: Path, method: HalfFrozen, **settings: Any) -> KeptFeatures:
    clips = find_clips(replace(RECIPE, **settings), root)
    training = TrainingSet(clips.training, method.inputs, seed=0, areas=sorted(method.needs & AREAS.keys()))
    training.settle_sample_rate()
    return KeptFeatures(training, method, "cpu")


def test_training_from_kept_features_equals_training_from_clips(scenes: Path, tmp_path: Path) -> None:
    whole = run(replace(RECIPE, cache="off"), scenes, tmp_path / "off")
    features = run(RECIPE, scenes, tmp_path / "features")
    assert_same(features, whole)
    rows = losses(features)
    assert len(rows) == 12
    assert rows[-1]["loss"] < rows[0]["loss"]


def test_features_beyond_half_precision_are_refused(scenes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    method = HalfFrozen()
    monkeypatch.setattr(method, "_fixed", lambda batch: {"cells": torch.full((len(batch), 4), 7e4)})
    with pytest.raises(UserError, match="got 'cells' with values up to 70000; train with cache=memory or off"):
        kept(scenes, method)


@pytest.mark.parametrize("stop", [2, 4, 7])
def test_a_stopped_run_goes_on_to_the_same_bits(stop: int, scenes: Path, tmp_path: Path) -> None:
    whole = run(RECIPE, scenes, tmp_path / "whole")
    run(RECIPE, scenes, tmp_path / "cut", max_steps=stop)
    assert_same(run(RECIPE, scenes, tmp_path / "cut", resume=True), whole)


def test_every_clip_passes_the_frozen_part_once(scenes: Path) -> None:
    method = HalfFrozen().train()
    features = kept(scenes, method)
    assert method.training, "the method comes back as it was"
    plan = Plan(18, 4, seed=1)
    batches = list(features.batches(plan, 5, 0, 0))
    assert method.passes == 18
    assert len(batches) == 5 * 4
    assert (features.features["cells"].dtype, features.features["mask"].dtype) == (torch.float16, torch.uint8)


def test_batches_follow_the_plan_with_each_clips_own_features(scenes: Path) -> None:
    method = HalfFrozen()
    features = kept(scenes, method)
    plan = Plan(18, 4, accumulate=2, seed=3)
    given = list(features.batches(plan, 2, 1, 1))
    expected = [batch for step in plan.steps(1)[1:] for batch in step]
    assert len(given) == len(expected)
    for (stacks, missing), indices in zip(given, expected, strict=True):
        assert missing == []
        batch = stacks[0].to_batch(method.inputs, "cpu")
        assert batch.clip_ids == tuple(f"train{index:03d}" for index in indices)
        for row, index in enumerate(indices):
            mask = features.features["mask"][index] / 255
            assert batch.mask is not None
            assert torch.equal(batch.mask[row], mask)
            assert (mask.max() > 0) == (ALL_KINDS[index % 5] == "visible")
        assert stacks[0].first(1).to_batch(method.inputs, "cpu").clip_ids == batch.clip_ids[:1]


def test_an_unreadable_clip_is_counted_and_none_takes_its_place(scenes: Path, tmp_path: Path) -> None:
    root = make_scenes(tmp_path / "bad", ALL_KINDS * 4, size=32, split="train")
    (root / "audio/train003.wav").write_bytes(b"not a sound")
    (root / "audio/train017.wav").write_bytes(b"")
    results = [
        run(replace(RECIPE, cache=cache, drop_last=False), root, tmp_path / cache) for cache in ("off", "features")
    ]
    for result in results:
        rows = [json.loads(line) for line in (result.out / "missing.jsonl").read_text().splitlines()]
        assert [row["id"] for row in rows] == ["train003", "train017"]
        assert "expected" in rows[0]["reason"]
        counts = {key: result.summary[key] for key in ("clips_listed", "clips_used", "clips_missing")}
        assert counts == {"clips_listed": 20, "clips_used": 18, "clips_missing": 2}
    accounts = [(result.out / "missing.jsonl").read_text() for result in results]
    assert accounts[0] == accounts[1]


def test_a_sound_of_another_rate_is_missing_as_it_is_without_features(tmp_path: Path) -> None:
    root = make_scenes(tmp_path / "odd", ALL_KINDS, size=32, split="train")
    write_wav(root / "audio/train002.wav", np.ones((1, 8000), np.float32) * 0.1, 8000)
    accounts = []
    for cache in ("off", "features"):
        recipe = replace(RECIPE, cache=cache, options={"sample_rate": 0}, drop_last=False)
        result = run(recipe, root, tmp_path / cache)
        assert result.summary["clips_missing"] == 1
        accounts.append((result.out / "missing.jsonl").read_text())
    assert "8000 Hz among sounds at 16000 Hz" in accounts[0]
    assert accounts[0] == accounts[1]


def test_a_method_without_frozen_parts_is_refused(scenes: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="expected cache=memory or off: this method has no frozen parts"):
        run(replace(RECIPE, options={"freezes": False}), scenes, tmp_path)
