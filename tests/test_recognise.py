"""What a method hears, scored: by hand, with clips that cannot be read, and through the real command line."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from make_scenes import make_scenes
from soundspot import weights
from soundspot.data.folder import read_folder
from soundspot.methods import build
from soundspot.methods.base import Method
from soundspot.metrics.recognition import multi_map, multi_precision, multi_recall
from soundspot.recognition import Heard, recognise
from soundspot.types import Batch, Clip, Inputs, UserError


class Knows(Method):
    """Hears what it was told that each clip holds."""

    tag_names = ("bell", "dog", "horn")

    def __init__(self, heard: dict[str, tuple[float, float, float]]) -> None:
        super().__init__()
        self.inputs = Inputs(image_size=16, seconds=0.5, spectrogram="logmel", sample_rate=16000)
        self.heard = heard

    def hear(self, batch: Batch) -> Tensor:
        return torch.tensor([self.heard[name] for name in batch.clip_ids])


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_scenes(tmp_path_factory.mktemp("scenes"), ["visible"] * 4)


@pytest.fixture
def clips(root: Path) -> list[Clip]:
    """Two solos, a pair, and one in which nothing sounds."""
    labels = [("bell",), ("dog",), ("bell", "dog"), ()]
    return [replace(clip, labels=own) for (clip, _), own in zip(read_folder(root), labels, strict=True)]


def knowing(clips: list[Clip], *rows: tuple[float, float, float]) -> Knows:
    return Knows(dict(zip((clip.id for clip in clips), rows, strict=True)))


def test_values_by_hand(clips: list[Clip]) -> None:
    method = knowing(clips, (0.9, 0.6, 0), (0.2, 0.8, 0), (0.7, 0.4, 0), (0.1, 0.5, 0.9))
    values = recognise(method, clips, progress=False).values()
    assert values["nmi"] == 1
    assert values["precision"] == pytest.approx((2 / 2 + 1 / 3) / 2)  # the horn never sounds, and does not count
    assert values["recall"] == pytest.approx((2 / 2 + 1 / 2) / 2)
    assert values["map"] == pytest.approx((1 + (1 * 1 / 2 + 2 / 4 * 1 / 2)) / 2)
    assert (values["clips"], values["solos"]) == (4, 2)
    assert recognise(method, clips, progress=False).values(claimed=0.65)["precision"] == pytest.approx(1)


@pytest.mark.parametrize("batch_size", [1, 3])
def test_order_and_batches_do_not_matter(clips: list[Clip], batch_size: int) -> None:
    method = knowing(clips, (0.9, 0.6, 0), (0.2, 0.8, 0), (0.7, 0.4, 0), (0.1, 0.5, 0.9))
    turned = recognise(method, clips[::-1], batch_size=batch_size, progress=False)
    np.testing.assert_array_equal(turned.probabilities[::-1], recognise(method, clips, progress=False).probabilities)


def test_a_clip_that_cannot_be_read_claims_nothing_and_is_counted(clips: list[Clip], tmp_path: Path) -> None:
    method = knowing(clips, (0.9, 0.6, 0), (0.2, 0.8, 0), (0.7, 0.9, 0), (0.1, 0.2, 0.3))
    lost = [clips[0], replace(clips[1], audio=str(tmp_path / "gone.wav")), *clips[2:]]
    heard = recognise(method, lost, progress=False)
    assert list(heard.missing) == [clips[1].id]
    assert not heard.probabilities[1].any()
    assert heard.values()["recall"] == pytest.approx((2 / 2 + 1 / 2) / 2)
    assert heard.values()["clips"] == 4


def test_nothing_to_measure_is_no_number() -> None:
    values = Heard(("bell",), np.ones((2, 1), np.float32), np.zeros((2, 1), bool)).values()
    assert all(math.isnan(values[name]) for name in ("nmi", "precision", "recall", "map"))


def test_refusals(clips: list[Clip]) -> None:
    method = knowing(clips, *[(0.0, 0.0, 0.0)] * 4)
    with pytest.raises(UserError, match=r"unknown label among the method's classes: 'dogs'.*did you mean 'dog'"):
        recognise(method, [replace(clips[0], labels=("dogs",))], progress=False)
    method.tag_names = ()  # type: ignore[assignment]
    with pytest.raises(UserError, match="expected a method that names what it hears"):
        recognise(method, clips, progress=False)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Path:
    """DSOL of random weights whose clusters have the scenes' names."""
    torch.manual_seed(0)
    names = sorted({label for clip, _ in read_folder(root) for label in clip.labels})
    shape = {"image_backbone": "resnet10t", "audio_backbone": "resnet10t", "image_size": 64}
    method = build("dsol", clusters=len(names) + 1, classes=";".join(names), dim=8, **shape)
    method.class_of_cluster.copy_(torch.tensor([*range(len(names)), 0]))
    return weights.save(method, tmp_path_factory.mktemp("weights") / "tiny.safetensors")


def test_the_command_writes_what_it_measures(tiny: Path, root: Path, tmp_path: Path, command: Callable) -> None:
    file = tmp_path / "heard.json"
    ended = command("recognise", tiny, "samples", "--root", root, "--out", file, "--claimed", "0.4", "--json")
    assert ended.code == 0, ended.err
    values, written = json.loads(ended.out), json.loads(file.read_text())
    rows = written["clips"].values()
    names = list(next(iter(rows))["heard"])
    scores = np.array([[row["heard"][name] for name in names] for row in rows])
    truth = np.array([[name in row["labels"] for name in names] for row in rows])
    assert truth.any(axis=1).all()
    assert values["precision"] == pytest.approx(multi_precision(scores, truth, threshold=0.4), nan_ok=True)
    assert values["recall"] == pytest.approx(multi_recall(scores, truth, threshold=0.4))
    assert values["map"] == pytest.approx(multi_map(scores, truth), abs=1e-6)
    assert written["values"] == values
    assert (values["clips"], values["missing"]) == (4, 0)
    assert "precision" in command("recognise", tiny, "samples", "--root", root).out


def test_the_command_says_what_is_wrong(tiny: Path, root: Path, command: Callable) -> None:
    ended = command("recognise", tiny, "samples", "--root", root, "--claimed", "1.5")
    assert (ended.code, ended.err) == (2, "soundspot: expected --claimed in 0..1, got 1.5; 0.5 is usual\n")
    assert "got nothing there; check the path" in command("recognise", tiny, "samples", "--root", root / "none").err
