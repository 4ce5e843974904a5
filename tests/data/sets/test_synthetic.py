"""MUSIC-Synthetic and its kin: boxes from .npy, sounds beside pictures, pickles never opened."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from layouts import LAYOUTS
from soundspot.benchmarks import BENCHMARKS, score
from soundspot.benchmarks.priors import prior
from soundspot.benchmarks.protocols import PROTOCOLS
from soundspot.data.check import check
from soundspot.data.sets.synthetic import read_synthetic
from soundspot.methods import build
from soundspot.predict import predict
from soundspot.types import UserError

NAMES = {
    "music_synthetic": ("accordion", "violin"),
    "realistic_music": ("accordion", "violin"),
    "vggsound_synthetic": ("bird", "category 11"),
    "dailylife": ("bird", "category 11"),
}


@pytest.mark.parametrize("name", NAMES)
def test_items_with_corner_boxes_and_classes(name: str, tmp_path: Path) -> None:
    tree = LAYOUTS[name](tmp_path)
    pairs = BENCHMARKS[name].load(*tree)
    assert [clip.id for clip, _ in pairs] == ["0", "1"]
    target = pairs[0][1]
    assert np.allclose(target.boxes, [(0.05, 0.05, 0.45, 0.45), (0.55, 0.55, 0.95, 0.95)])
    assert check(pairs).fine
    assert pairs[1][1].box_labels == NAMES[name]


def test_categories_without_a_table_keep_their_numbers(tmp_path: Path) -> None:
    tree = LAYOUTS["music_synthetic"](tmp_path)
    assert read_synthetic(tree.annotations / "box")[0][1].box_labels == ("category 1", "category 3")
    (tmp_path / "categories.json").write_text("[]")
    with pytest.raises(UserError, match="expected a JSON object of class names"):
        read_synthetic(tree.annotations)


def test_a_sound_of_which_there_is_only_a_pickle_is_missing_and_says_what_to_do(tmp_path: Path) -> None:
    tree = LAYOUTS["music_synthetic"](tmp_path)
    (tree.root / "audio" / "0.wav").unlink()
    pairs = BENCHMARKS["music_synthetic"].load(*tree)
    towers = {"image_backbone": "resnet10t", "audio_backbone": "resnet10t", "init_image": "", "init_audio": ""}
    made = predict(build("ez_vsl", **towers, image_size=64, seconds=1), [clip for clip, _ in pairs], progress=False)
    assert list(made.maps) == ["1"]
    assert "only 0.pkl there, a pickle, which is never loaded" in made.missing["0"]
    assert "write 0.wav beside it" in made.missing["0"]


class Bomb:
    """Would run code if its pickle were loaded."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("raise SystemExit('a pickle was loaded')",)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (np.zeros((2, 4)), r"got float64 \(2, 4\)"),
        (np.zeros(5), r"got float64 \(5,\)"),
        (np.array([["a"] * 5]), "expected an"),
    ],
)
def test_other_arrays_are_refused(tmp_path: Path, content: np.ndarray, problem: str) -> None:
    np.save(tmp_path / "a.npy", content)
    with pytest.raises(UserError, match=problem):
        read_synthetic(tmp_path)


def test_pickled_arrays_and_files_are_refused_unread(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([Bomb()] * 5), allow_pickle=True)
    with pytest.raises(UserError, match=r"expected an .* array of x, y, width, height, category, got no such file"):
        read_synthetic(tmp_path)
    (tmp_path / "a.npy").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(UserError, match="fetch it again"):
        read_synthetic(tmp_path)
    (tmp_path / "a.npy").unlink()
    with pytest.raises(UserError, match=r"expected boxes as box/<id>\.npy, got none"):
        read_synthetic(tmp_path)


def test_no_box_at_all_is_offscreen(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((0, 5)))
    ((clip, target),) = read_synthetic(tmp_path)
    assert (clip.id, target.kind, target.boxes) == ("a", "offscreen", ())


def test_the_four_quadrants_hit_both_sources_of_a_mosaic_and_claim_half_the_picture(tmp_path: Path) -> None:
    targets = [target for _, target in BENCHMARKS["music_synthetic"].load(*LAYOUTS["music_synthetic"](tmp_path))]
    rules = PROTOCOLS["rcgrad"]
    shares = {
        name: score(prior(name, targets, rules), targets, rules, intervals=False, beside=False)
        .summary["mean_iou"]
        .value
        for name in ("quadrants", "square")
    }
    # Each truth is 89 or 90 cells wide and holds its square of 78: two of four squares are wrong.
    assert shares["quadrants"] == pytest.approx(2 * 78**2 / (2 * 89.5**2 + 2 * 78**2), abs=0.01)
    assert shares["quadrants"] > shares["square"] + 0.1
