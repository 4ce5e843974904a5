"""Mined neighbours: exact, resumable, drawn from disk and only among the clips of the run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from make_scenes import make_scenes
from soundspot.data import mining
from soundspot.data.folder import read_folder
from soundspot.data.loader import split_missing, to_batch
from soundspot.data.mining import Neighbours, mine, nearest
from soundspot.data.training import TrainingSet
from soundspot.types import Inputs, Missing, UserError


def clustered(count: int, dim: int = 16, clusters: int = 20) -> np.ndarray:
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(clusters, dim))
    return (centres[np.arange(count) % clusters] + 0.4 * rng.normal(size=(count, dim))).astype(np.float32)


def exactly(vectors: np.ndarray, k: int) -> np.ndarray:
    """By sorting all cosines in double precision."""
    unit = vectors / np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    similar = unit @ unit.T
    np.fill_diagonal(similar, -np.inf)
    return np.argsort(-similar, axis=1, kind="stable")[:, :k]


def names(count: int) -> list[str]:
    return [f"clip{n}" for n in range(count)]


@pytest.mark.parametrize(("count", "k"), [(700, 40), (300, 299), (50, 1)])
def test_neighbours_are_the_exact_ones(count: int, k: int, tmp_path: Path) -> None:
    vectors = clustered(count)
    mined = mine(vectors, names(count), tmp_path, "image", k=k)
    assert (mined.rows, mined.resumed_at) == (count, 0)
    found = np.load(tmp_path / "image_index.npy")
    assert found.dtype == np.int32
    assert (found == exactly(vectors, k)).mean() > 0.999, "but for ties within rounding"
    scores = np.load(tmp_path / "image_score.npy")
    assert scores.dtype == np.float16
    assert (np.diff(scores.astype(np.float32), axis=1) <= 0).all()
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    assert np.allclose((unit[0] @ unit[found[0]].T), scores[0], atol=2e-3)


def test_nearest_are_the_largest_and_equal_ones_stand_in_the_order_of_columns() -> None:
    torch.manual_seed(0)
    similar = torch.randn(60, 4000)
    assert torch.equal(nearest(similar, 200), similar.sort(dim=1, descending=True, stable=True).indices[:, :200])
    tied = torch.zeros(2, 500)
    tied[:, [400, 3, 77]] = 1.0
    tied[:, [499, 8]] = 2.0
    assert nearest(tied, 5).tolist() == [[8, 499, 3, 77, 400]] * 2


def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mining, "ROWS", 16)  # 16 blocks of 16 rows between two notes in the journal
    vectors = clustered(600)
    mine(vectors, names(600), tmp_path / "whole", "audio", k=5)

    def stop(done: int, total: int) -> None:
        if done > 300:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        mine(vectors, names(600), tmp_path / "cut", "audio", k=5, progress=stop)
    with pytest.raises(UserError, match="expected neighbours of all 600 clips, got 256 of 600; run the mining again"):
        Neighbours(tmp_path / "cut", modalities=("audio",))
    assert mine(vectors, names(600), tmp_path / "cut", "audio", k=5).resumed_at == 256
    for name in ("audio_index.npy", "audio_score.npy", "audio_progress.json", "ids.txt"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    other = clustered(600) + 0.1
    assert mine(other, names(600), tmp_path / "cut", "audio", k=5).resumed_at == 0, "other vectors start anew"


def test_draws_follow_the_number_and_stay_among_the_runs_clips(tmp_path: Path) -> None:
    vectors = clustered(100)
    for modality in mining.MODALITIES:
        mine(vectors, names(100), tmp_path, modality, k=10)
    near = exactly(vectors, 10)[7]
    everyone = Neighbours(tmp_path)
    assert [everyone.drawn("image", "clip7", u) for u in (0.0, 0.55, 0.999)] == [f"clip{near[n]}" for n in (0, 5, 9)]
    few = Neighbours(tmp_path, among=[f"clip{near[3]}", f"clip{near[8]}"])
    assert {few.drawn("audio", "clip7", u) for u in np.linspace(0, 0.99, 9)} == {f"clip{near[3]}", f"clip{near[8]}"}
    with pytest.raises(UserError, match="expected a neighbour of clip7 among the training clips, got none in 10"):
        Neighbours(tmp_path, among=["clip7"]).drawn("image", "clip7", 0.0)
    with pytest.raises(UserError, match="expected neighbours of clip new, got none; mine them for this list"):
        everyone.drawn("image", "new", 0.0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"k": 20}, "expected k from 1 to 19"),
        ({"vectors": clustered(19)}, r"expected image vectors \(20, C\), a row an id, got \(19, 16\)"),
        ({"vectors": np.vstack([clustered(19), np.zeros((1, 16))])}, "1 others, such as that of clip19; leave these"),
    ],
)
def test_what_cannot_be_mined_is_refused(change: dict[str, Any], said: str, tmp_path: Path) -> None:
    given: dict[str, Any] = {"vectors": clustered(20), "k": 3, **change}
    with pytest.raises(UserError, match=said):
        mine(given["vectors"], names(20), tmp_path, "image", k=given["k"])


def test_a_folder_of_other_clips_is_refused(tmp_path: Path) -> None:
    mine(clustered(20), names(20), tmp_path, "image", k=3)
    with pytest.raises(UserError, match="expected the same 21 clips in the same order, got others; take another"):
        mine(clustered(21), names(21), tmp_path, "audio", k=3)
    with pytest.raises(UserError, match=r"expected neighbours by audio, got no audio_index.npy; mine them too"):
        Neighbours(tmp_path)
    with pytest.raises(UserError, match="expected mined neighbours"):
        Neighbours(tmp_path / "nowhere")


def test_training_clips_bring_a_neighbours_picture_and_sound(tmp_path: Path) -> None:
    root = make_scenes(tmp_path / "scenes", ["visible"] * 6, size=32, split="train")
    pairs = read_folder(root)
    ids = [clip.id for clip, _ in pairs]
    for modality in mining.MODALITIES:  # three kinds of squares and tones, in turn
        mine(np.eye(3, dtype=np.float32)[np.arange(6) % 3] + 0.01, ids, tmp_path / "near", modality, k=1)
    inputs = Inputs(image_size=32, seconds=1.0, sample_rate=16000, spectrogram="logmel", train_scale=1.0)
    training = TrainingSet(list(pairs), inputs, seed=0, neighbours=Neighbours(tmp_path / "near"))
    items = [training[0, index] for index in range(6)]
    stacks, missing = split_missing(items)
    assert missing == []
    batch = to_batch(stacks[0], inputs, "cpu")
    assert batch.extra["image_neighbour"].shape == batch.image.shape
    assert batch.extra["audio_neighbour"].shape == batch.audio.shape
    far = (batch.extra["audio_neighbour"] - batch.audio).abs().mean(dim=(1, 2, 3))
    others = (batch.audio.roll(1, 0) - batch.audio).abs().mean(dim=(1, 2, 3))
    assert (far < 0.01 * others).all(), "the same tone"
    assert (batch.extra["image_neighbour"] - batch.image).abs().amax() > 0.5, "in another picture"
    assert batch.draws is not None
    assert len(batch.draws.unique()) > 0.99 * batch.draws.numel()


def test_a_neighbour_that_cannot_be_read_makes_the_clip_missing(tmp_path: Path) -> None:
    root = make_scenes(tmp_path / "scenes", ["visible"] * 2, size=32, split="train")
    pairs = read_folder(root)
    for modality in mining.MODALITIES:
        mine(np.ones((2, 3), np.float32), [clip.id for clip, _ in pairs], tmp_path / "near", modality, k=1)
    assert pairs[1][0].image is not None
    pairs[1][0].image.write_bytes(b"no picture")
    inputs = Inputs(image_size=32, seconds=1.0, sample_rate=16000, spectrogram="logmel", train_scale=1.0)
    item = TrainingSet(list(pairs), inputs, seed=0, neighbours=Neighbours(tmp_path / "near"))[0, 0]
    assert isinstance(item, Missing)
    assert item.clip_id == pairs[0][0].id
    assert f"its neighbour {pairs[1][0].id}" in item.reason
    assert json.loads((tmp_path / "near" / "image_progress.json").read_text())["done"] == 2
