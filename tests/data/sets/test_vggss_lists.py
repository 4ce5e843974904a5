"""The lists of VGG-SS clips that papers score on: spelled as published, all of them in vggss.json."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from layouts import LAYOUTS
from layouts.vggss import CLIPS
from soundspot.benchmarks import BENCHMARKS
from soundspot.data.sets.vggss import LISTS

FOLDERS = {
    "vggss_heard": "stoneMo+EZ-VSL/metadata",
    "vggss_unheard": "stoneMo+EZ-VSL/metadata",
    "vggss_4911": "jinxiang-liu+SSL-TIE/metadata",
    "vggss_4692": "zjsong+SSPL/metadata",
    "vggss_4670": "denfed+heartheflow/metadata",
    "vggss_4655": "kaistmm+SSLalignment/metadata",
    "vggss_openset_heard": "jinxiang-liu+SSL-TIE/metadata/openset",
    "vggss_openset_unheard": "jinxiang-liu+SSL-TIE/metadata/openset",
}


@pytest.mark.parametrize("name", LISTS)
def test_the_list_chooses_whatever_its_spelling(tmp_path: Path, name: str) -> None:
    pairs = BENCHMARKS[name].load(*LAYOUTS[name](tmp_path))
    first, _, third = CLIPS
    assert [clip.id for clip, _ in pairs] == [first, third]
    assert all(clip.image and clip.image.is_file() and clip.audio and clip.audio.is_file() for clip, _ in pairs)
    assert BENCHMARKS[name].missing(tmp_path) == []


def test_missing_ids_are_named_as_the_list_spells_them(tmp_path: Path) -> None:
    LAYOUTS["vggss_4655"](tmp_path)
    with (tmp_path / "ours_vggss.txt").open("a") as file:
        file.write("zzzzzzzzzzz_30000_40000\n")
    (lost,) = BENCHMARKS["vggss_4655"].missing(tmp_path)
    assert lost.clip_id == "zzzzzzzzzzz_30000_40000"


@pytest.fixture(scope="module")
def beside(annotations: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """vggss.json with all real lists in one folder."""
    folder = tmp_path_factory.mktemp("lists")
    (folder / "vggss.json").symlink_to(annotations / "stoneMo+EZ-VSL/metadata/vggss.json")
    for name, (file, _, _) in LISTS.items():
        (folder / file).symlink_to(annotations / FOLDERS[name] / file)
    return folder


@pytest.mark.shared
@pytest.mark.parametrize("name", LISTS)
def test_all_of_a_real_list_is_in_vggss(beside: Path, name: str) -> None:
    benchmark = BENCHMARKS[name]
    assert len(benchmark.load(beside)) == LISTS[name][1]
    assert benchmark.missing(beside) == []
    assert f"{LISTS[name][1]} clips" in benchmark.title


@pytest.mark.shared
def test_heard_and_unheard_classes_of_two_papers(beside: Path) -> None:
    """110 classes each and none in common; but SSL-TIE's are not EZ-VSL's."""
    classes = {
        name: {clip.labels for clip, _ in BENCHMARKS[name].load(beside)}
        for name in ("vggss_heard", "vggss_unheard", "vggss_openset_heard", "vggss_openset_unheard")
    }
    assert {len(each) for each in classes.values()} == {110}
    assert not classes["vggss_heard"] & classes["vggss_unheard"]
    assert not classes["vggss_openset_heard"] & classes["vggss_openset_unheard"]
    assert classes["vggss_heard"] & classes["vggss_openset_unheard"]
    assert len(json.loads((beside / "vggss.json").read_text())) == 5158
