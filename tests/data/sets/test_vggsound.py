"""Published training lists: how many ids, and how many of them are tested on."""

from __future__ import annotations

from pathlib import Path

import pytest

from soundspot.data.check import leaks
from soundspot.data.lists import read_ids
from soundspot.data.sets.vggsound import TRAINING_LISTS, TrainingList, training_list
from soundspot.recipes import datasets
from soundspot.types import UserError


def test_ids_in_one_spelling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TRAINING_LISTS, "made", TrainingList("made.txt", 3, "nobody/nothing"))
    (tmp_path / "made.txt").write_text("videos/0/1/2615133000.mp4\nzpWuikVorYg_32000_42000\n\nzpWuikVorYg_000050\n")
    assert training_list("made", tmp_path) == ["2615133000", "zpWuikVorYg_000032", "zpWuikVorYg_000050"]


def test_another_list_is_refused(tmp_path: Path) -> None:
    (tmp_path / "vggss_10k.txt").write_text("zpWuikVorYg_000032\n")
    with pytest.raises(UserError, match="expected the 10000 ids of stoneMo/EZ-VSL, got 1"):
        training_list("vggsound_10k", tmp_path)
    with pytest.raises(UserError, match="expected a list of clip ids, got no such file"):
        training_list("vggsound_144k", tmp_path)
    with pytest.raises(UserError, match="unknown training list 'vggsound_10'"):
        training_list("vggsound_10", tmp_path)


def test_recipes_name_the_published_files() -> None:
    specs = {
        "vggsound_144k": datasets.VGGSOUND_144K,
        "vggsound_10k": datasets.VGGSOUND_10K,
        "heard_110": datasets.HEARD_110,
        "flickr_144k": datasets.FLICKR_144K,
        "flickr_10k": datasets.FLICKR_10K,
    }
    files = {name: spec.ids for name, spec in specs.items()}
    assert files == {
        "vggsound_144k": "vggss_144k.txt",
        "vggsound_10k": "vggss_10k.txt",
        "heard_110": "vggss_heard.txt",
        "flickr_144k": "flickr_144k.txt",
        "flickr_10k": "flickr_10k.txt",
    }
    assert {name: TRAINING_LISTS[name].file for name in specs} == files


def folder_of(annotations: Path, known: TrainingList) -> Path:
    (path,) = (annotations / known.source.replace("/", "+")).rglob(known.file)
    return path.parent


@pytest.mark.shared
@pytest.mark.parametrize("name", TRAINING_LISTS)
def test_counts_and_leaks_are_those_of_the_real_lists(annotations: Path, name: str) -> None:
    known = TRAINING_LISTS[name]
    ids = training_list(name, folder_of(annotations, known))
    assert len(set(ids)) == known.count
    tests = {
        "vggss": read_ids(annotations / "stoneMo+EZ-VSL/metadata/vggss.json"),
        "flickr": read_ids(annotations / "stoneMo+SLAVC/metadata/flickr_test.csv"),
    }
    found = {benchmark: len(leaks(ids, test_ids)) for benchmark, test_ids in tests.items()}
    assert {benchmark: count for benchmark, count in found.items() if count} == known.leaks


@pytest.mark.shared
def test_four_lists_are_called_144k(annotations: Path) -> None:
    names = ("vggsound_144k", "fnac_vggsound_144k", "ssl_tie_vggsound_144k", "hear_the_flow_vggsound_144k")
    first, *others = (set(training_list(name, folder_of(annotations, TRAINING_LISTS[name]))) for name in names)
    assert [len(first & other) for other in others] == [129_907, 104_195, 104_130]
