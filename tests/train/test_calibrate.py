"""Calibration: the fitted curve, and what `calibrate` writes into the weights' header."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from make_scenes import HERTZ, LABELS, RATE, make_scenes
from soundspot import weights
from soundspot.localize.classes import ClassThresholds
from soundspot.localize.localizer import Localizer
from soundspot.localize.timeline import Calibration
from soundspot.methods import METHODS
from soundspot.methods.base import Method
from soundspot.train.calibrate import best_threshold, calibrate, fit, with_band
from soundspot.types import Batch, Inputs, UserError


def drawn(scale: float, offset: float, size: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Scores, as many of either truth, whose odds at equal shares are scale * score + offset."""
    draw = np.random.default_rng(seed)
    # Two normal distributions of variance 1 / scale, 1 apart: their log-likelihood ratio is exactly that line.
    spread, middle = scale**-0.5, -offset / scale
    visible = np.arange(size) % 2 == 0
    return draw.normal(np.where(visible, middle + 0.5, middle - 0.5), spread), visible


@pytest.mark.parametrize(("scale", "offset"), [(2.0, -1.0), (1.0, 4.0), (6.0, 0.0)])
def test_a_known_curve_is_found_again(scale: float, offset: float) -> None:
    found = fit(*drawn(scale, offset, 40_000))
    assert found.scale == pytest.approx(scale, rel=0.05)
    assert found.offset == pytest.approx(offset, abs=0.1)


@pytest.mark.parametrize(("times", "plus"), [(1e-3, 0.0), (1e3, 0.0), (100.0, 5000.0), (-1.0, 3.0)])
def test_the_units_of_a_score_do_not_matter(times: float, plus: float) -> None:
    scores, visible = drawn(2.0, -1.0, 2000)
    plain, changed = fit(scores, visible), fit(times * scores + plus, visible)
    assert changed.probability(times * scores + plus) == pytest.approx(plain.probability(scores), abs=1e-3)


def test_either_kind_weighs_the_same_however_many_there_are() -> None:
    scores, visible = drawn(2.0, -1.0, 40_000)
    few = visible | (np.arange(len(visible)) % 20 == 1)
    all_of_them, unbalanced = fit(scores, visible), fit(scores[few], visible[few])
    assert unbalanced.scale == pytest.approx(all_of_them.scale, rel=0.1)
    assert unbalanced.offset == pytest.approx(all_of_them.offset, abs=0.15)


def test_scores_that_tell_all_apart_still_have_a_curve_of_finite_slope() -> None:
    scores = np.concatenate([np.linspace(0, 1, 20), np.linspace(3, 4, 20)])
    found = fit(scores, scores > 2)
    assert found.probability([0.5, 2.0, 3.5]) == pytest.approx([0.045, 0.5, 0.955], abs=0.06)


def test_equal_scores_say_nothing() -> None:
    found = fit(np.full(10, 3.0), np.arange(10) < 4)
    assert float(found.probability(3.0)) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("visible", [True, False])
def test_one_kind_alone_is_refused(visible: bool) -> None:
    with pytest.raises(UserError, match="expected scenes with a visible source and scenes without, got one kind only"):
        fit(np.arange(4.0), np.full(4, visible))


def test_the_band_holds_the_stated_share_of_the_scenes_nearest_to_the_even_chance() -> None:
    scores, visible = drawn(2.0, -1.0, 2000)
    curve = fit(scores, visible)
    found = with_band(curve, scores, visible, 0.15)
    assert (found.scale, found.offset) == (curve.scale, curve.offset)
    probabilities = curve.probability(scores)
    verdicts = np.array([found.verdict(float(each)) for each in probabilities])
    unsure = verdicts == "unsure"
    assert unsure.sum() == 300
    assert found.unsure_rate == pytest.approx(0.15)
    assert found.low == pytest.approx(1 - found.high)
    assert np.abs(probabilities[unsure] - 0.5).max() < np.abs(probabilities[~unsure] - 0.5).min()
    wrong = (verdicts == "on-screen") != visible
    assert found.error_rate == pytest.approx(wrong[~unsure].mean())
    without = with_band(curve, scores, visible, 0.0)
    assert (without.low, without.high, without.unsure_rate) == (0.5, 0.5, 0.0)
    assert without.error_rate is not None
    assert found.error_rate is not None
    assert found.error_rate < without.error_rate, "what is left is judged better than all"


def test_either_kind_weighs_the_same_in_the_band_too() -> None:
    curve = Calibration(1.0, 0.0)
    scores = np.concatenate([[-0.1, 2.0], np.full(98, 3.0), np.full(10, -3.0)])
    visible = np.arange(len(scores)) < 100
    found = with_band(curve, scores, visible, 0.006)
    assert found.unsure_rate == pytest.approx(0.5 / 100), "one of a hundred, of a kind that counts half"
    assert found.error_rate == 0
    assert with_band(curve, scores, visible, 0.0).error_rate == pytest.approx(0.005)


def test_scenes_of_one_distance_are_judged_together_and_never_are_all_unsure() -> None:
    curve, visible = Calibration(1.0, 0.0), np.arange(8) % 2 == 0
    found = with_band(curve, np.array([0.2] * 4 + [3.0] * 4), visible, 0.4)
    assert found.unsure_rate == pytest.approx(0.5)
    assert found.verdict(float(curve.probability(0.2))) == "unsure"
    assert found.verdict(float(curve.probability(3.0))) == "on-screen"
    assert with_band(curve, np.ones(8), visible, 0.9).unsure_rate == 0
    with pytest.raises(UserError, match="got one kind only"):
        with_band(curve, np.ones(8), np.ones(8, dtype=bool), 0.1)


class Reddest(Method):
    """Scores how red a place is; `tune` notes what it was given."""

    needs = frozenset({"mask"})

    def __init__(self, image_size: int = 16) -> None:
        super().__init__()
        zero, one = (0.0,) * 3, (1.0,) * 3
        self.inputs = Inputs(
            image_size=image_size, image_mean=zero, image_std=one, sample_rate=16000, seconds=1.0, spectrogram="logmel"
        )
        self.weight = nn.Parameter(torch.ones(()))
        self.tuned: Tensor
        self.register_buffer("tuned", torch.zeros(2))

    def localize(self, batch: Batch) -> Tensor:
        return self.weight * batch.image.sum(dim=1)

    def tune(self, batches: Iterable[Batch]) -> None:
        for batch in batches:
            assert batch.mask is not None
            self.tuned += torch.tensor([float(len(batch)), float((batch.mask.amax(dim=(1, 2, 3)) > 0).sum())])


@pytest.fixture
def reddest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Weights of `Reddest`, with what training and an earlier calibration left in the header."""
    monkeypatch.setitem(METHODS, "reddest", "test_calibrate:Reddest")
    header = {"licence": "CC0-1.0", "epochs": "3", "calibration": '{"scale": 9, "offset": 9}', "other": "old"}
    return weights.save(Reddest(), tmp_path / "in.safetensors", header)


def test_calibrated_weights_carry_the_curve_and_keep_their_origin(reddest: Path, tmp_path: Path) -> None:
    root = make_scenes(tmp_path / "scenes", ["visible", "offscreen", "noise", "silent"] * 4, split="calibration")
    make_scenes(root, ["visible"] * 3, split="test", seed=1)
    fitted = calibrate(reddest, root, tmp_path / "out.safetensors", batch_size=5)
    method = weights.load(tmp_path / "out.safetensors")
    assert Calibration.of(method.provenance) == fitted
    assert method.provenance["licence"] == "CC0-1.0"
    assert method.provenance["epochs"] == "3"
    assert "other" not in method.provenance
    assert method.provenance["calibrated_on"] == "scenes/calibration, 12 of 12 clips"
    assert method.state_dict()["tuned"].tolist() == [16, 4], "tuned on all kinds of this split alone, with masks"
    assert Localizer.from_pretrained(tmp_path / "out.safetensors").calibration == fitted


def test_keeping_changes_the_band_alone(reddest: Path, tmp_path: Path) -> None:
    root = make_scenes(tmp_path / "scenes", ["visible", "offscreen", "noise", "silent"] * 4, split="calibration")
    first = calibrate(reddest, root, tmp_path / "first.safetensors", unsure=0.0)
    assert isinstance(first, Calibration)
    second = calibrate(tmp_path / "first.safetensors", root, tmp_path / "out.safetensors", unsure=0.3, keep=True)
    assert isinstance(second, Calibration)
    assert (second.scale, second.offset) == (first.scale, first.offset)
    assert (first.low, first.high) == (0.5, 0.5)
    assert second.low < 0.5 < second.high
    before, after = (weights.load(tmp_path / f"{name}.safetensors") for name in ("first", "out"))
    assert all(torch.equal(value, after.state_dict()[name]) for name, value in before.state_dict().items())
    assert after.state_dict()["tuned"].tolist() == [16, 4], "not tuned again"
    headers = [weights.read_header(tmp_path / f"{name}.safetensors") for name in ("first", "out")]
    changed = {key for key in headers[0].keys() | headers[1].keys() if headers[0].get(key) != headers[1].get(key)}
    assert changed == {"calibration", "unsure_on"}
    assert headers[1]["unsure_on"] == "scenes/calibration, 12 of 12 clips"


def test_nothing_is_kept_where_nothing_was_fitted(reddest: Path, tmp_path: Path) -> None:
    root = make_scenes(tmp_path / "scenes", ["visible", "offscreen"] * 2, split="calibration")
    plain = weights.save(Reddest(), tmp_path / "plain.safetensors")
    with pytest.raises(UserError, match="expected weights with a calibration to keep, got none"):
        calibrate(plain, root, tmp_path / "out.safetensors", keep=True)
    for share in (-0.1, 1.0):
        with pytest.raises(UserError, match="expected a share of unsure scenes from 0 on and below 1"):
            calibrate(reddest, root, tmp_path / "out.safetensors", unsure=share)
    assert not (tmp_path / "out.safetensors").exists()


def test_the_verb_takes_the_share_and_prints_what_came_out(
    reddest: Path, tmp_path: Path, command: Callable[..., Any]
) -> None:
    root = make_scenes(tmp_path / "scenes", ["visible", "offscreen"] * 6, split="calibration")
    out = tmp_path / "out.safetensors"
    ended = command("calibrate", reddest, root, "--out", out, "--unsure", "0.25")
    fitted = Calibration.of(weights.read_header(out))
    assert fitted is not None
    assert (ended.code, ended.out.split("\t")[0]) == (0, str(out))
    assert f"low {fitted.low:.4f}\thigh {fitted.high:.4f}\tunsure_rate {fitted.unsure_rate:.4f}" in ended.out
    ended = command("calibrate", out, root, "--out", tmp_path / "kept.safetensors", "--keep", "--unsure", "0")
    assert "low 0.5000\thigh 0.5000\tunsure_rate 0.0000" in ended.out
    assert command("calibrate", reddest, root, "--out", out, "--unsure", "2").code == 2


def test_the_shipped_weights_have_a_band() -> None:
    header = weights.read_header(weights.find_weights("default"))
    assert header["calibrated_on"] == "paste/calibration, 800 of 800 clips"
    found = Calibration.of(header)
    assert found is not None
    assert found.unsure_rate == pytest.approx(0.15, abs=0.005)
    assert found.low < 0.5 < found.high
    assert found.error_rate is not None
    assert 0 < found.error_rate < 0.25


def test_options_are_replaced_for_good(reddest: Path, tmp_path: Path) -> None:
    root = make_scenes(tmp_path / "scenes", ["visible", "offscreen"] * 3, split="calibration")
    calibrate(reddest, root, tmp_path / "out.safetensors", options={"image_size": 64})
    assert weights.load(tmp_path / "out.safetensors").inputs.image_size == 64
    with pytest.raises(UserError, match="expected no options where the curve is kept, got image_size"):
        calibrate(reddest, root, tmp_path / "out.safetensors", keep=True, options={"image_size": 64})


def test_unreadable_scenes_are_counted(reddest: Path, tmp_path: Path) -> None:
    root = make_scenes(tmp_path / "scenes", ["visible", "offscreen"] * 3, split="calibration")
    (root / "audio/calibration002.wav").write_bytes(b"")
    calibrate(reddest, root, tmp_path / "out.safetensors")
    header = weights.read_header(tmp_path / "out.safetensors")
    assert header["calibrated_on"] == "scenes/calibration, 5 of 6 clips"
    fields = {"scale", "offset", "low", "high", "unsure_rate", "error_rate"}
    assert json.loads(header["calibration"]).keys() == fields


def test_a_split_of_one_kind_or_of_another_name_is_refused(reddest: Path, tmp_path: Path) -> None:
    root = make_scenes(tmp_path / "scenes", ["visible", "silent"], split="calibration")
    with pytest.raises(UserError, match="got one kind only; add the other"):
        calibrate(reddest, root, tmp_path / "out.safetensors")
    with pytest.raises(UserError, match=r"unknown split 'calibratoin': .*; did you mean 'calibration'"):
        calibrate(reddest, root, tmp_path / "out.safetensors", split="calibratoin")
    assert not (tmp_path / "out.safetensors").exists()


class Namer(Method):
    """Hears the three tones of the scenes, quietly sure of them, and sees their colours."""

    class_names = LABELS
    tag_names = LABELS

    def __init__(self, image_size: int = 16) -> None:
        super().__init__()
        zero, one = (0.0,) * 3, (1.0,) * 3
        self.inputs = Inputs(
            image_size=image_size, image_mean=zero, image_std=one, sample_rate=RATE, seconds=1.0, spectrogram="logmel",
            waveform=True,
        )  # fmt: skip
        self.weight = nn.Parameter(torch.ones(()))
        self.register_buffer("tuned", torch.zeros(()))

    def tune(self, batches: Iterable[Batch]) -> None:
        self.tuned += sum(len(batch) for batch in batches)

    def hear(self, batch: Batch) -> Tensor:
        power = torch.fft.rfft(batch.extra["waveform"]).abs() / RATE
        return torch.stack([power[:, round(hertz)] for hertz in HERTZ], dim=1).clamp(0, 1)  # 0.25 of a tone

    def see(self, batch: Batch) -> Tensor:
        return batch.image * self.weight

    def localize(self, batch: Batch) -> Tensor:
        return self.see(batch) * self.hear(batch)[:, :, None, None]


def test_methods_of_classes_get_bounds_for_heard_and_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METHODS, "namer", "test_calibrate:Namer")
    path = weights.save(Namer(), tmp_path / "in.safetensors")
    root = make_scenes(tmp_path / "scenes", ["visible", "offscreen"] * 6, split="calibration")
    fitted = calibrate(path, root, tmp_path / "out.safetensors")
    assert isinstance(fitted, ClassThresholds)
    assert 0.01 < fitted.heard < 0.25, "between what is not there and a tone that is"
    header = weights.read_header(tmp_path / "out.safetensors")
    assert header["calibrated_on"] == "scenes/calibration, 6 of 6 clips"
    assert ClassThresholds.of(header) == fitted
    assert "calibration" not in header
    assert weights.load(tmp_path / "out.safetensors").state_dict()["tuned"] == 6, "off-screen sounds name no class"
    assert Localizer.from_pretrained(tmp_path / "out.safetensors").thresholds == fitted
    make_scenes(root, ["offscreen"] * 3, split="train")
    with pytest.raises(UserError, match="expected visible scenes of the classes red, green, blue, got none"):
        calibrate(path, root, tmp_path / "other.safetensors", split="train")


def test_the_best_bound_lies_between_both_kinds_and_weighs_them_alike() -> None:
    assert best_threshold(np.array([0.1, 0.2, 0.8]), np.array([False, False, True])) == pytest.approx(0.5)
    many = np.array([0.4] + [0.1] * 50 + [0.5] * 2)
    truth = np.array([True] + [False] * 52)
    assert best_threshold(many, truth) == pytest.approx(0.25), "two wrong of 52 cost less than the only right one"
    assert best_threshold(np.array([0.0, 1.0]), np.array([False, True])) == pytest.approx(0.5)
    for alike in (True, False):
        with pytest.raises(UserError, match="scenes with a class and scenes without it, got one kind only"):
            best_threshold(np.array([0.1, 0.9]), np.full(2, alike))
