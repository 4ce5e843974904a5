"""VGG-SS as it is: every row, defects kept, media where EZ-VSL's layout has them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from soundspot.benchmarks import BENCHMARKS
from soundspot.data.sets.vggss import missing_vggss, read_vggss
from soundspot.types import UserError

ROWS = [
    {"file": "first______0_000001", "class": "dog", "bbox": [[0.1, 0.2, 0.5, 0.6], [-0.1, 0, 0.3, 1.2]]},
    {"file": "second_____0_000002", "class": "cat", "bbox": [[0.5, 0.5, -2.8823037615171176e16, 0.9]]},
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "vggss.json").write_text(json.dumps(ROWS))
    return tmp_path


def test_rows_in_order_with_boxes_as_they_are(folder: Path) -> None:
    pairs = read_vggss(folder)
    assert [clip.id for clip, _ in pairs] == ["first______0_000001", "second_____0_000002"]
    assert pairs[0][1].boxes == ((0.1, 0.2, 0.5, 0.6), (-0.1, 0, 0.3, 1.2))
    assert pairs[1][1].boxes[0][2] < -1e16
    assert pairs[0][0].labels == pairs[0][1].labels == ("dog",)
    assert pairs[0][0].image is None
    assert read_vggss(folder / "vggss.json") == pairs


def test_media_where_the_layout_has_them(folder: Path, tmp_path: Path) -> None:
    clip, _ = read_vggss(folder, tmp_path / "root")[0]
    assert clip.image == tmp_path / "root/frames/first______0_000001.jpg"
    assert clip.audio == tmp_path / "root/audio/first______0_000001.wav"


def test_list_chooses_and_names_what_is_missing(folder: Path) -> None:
    (folder / "vggss_heard_test.csv").write_text("second_____0_000002\nlost_______0_000003\n")
    heard = BENCHMARKS["vggss_heard"]
    assert [clip.id for clip, _ in heard.load(folder)] == ["second_____0_000002"]
    (lost,) = heard.missing(folder)
    assert lost.clip_id == "lost_______0_000003"
    assert missing_vggss(folder, folder / "vggss_heard_test.csv") == [lost]


def test_wrong_files_are_named(folder: Path) -> None:
    with pytest.raises(UserError, match=r"expected vggss\.json for vggss, got nothing there"):
        BENCHMARKS["vggss"].load(folder / "nowhere")
    (folder / "empty").mkdir()
    with pytest.raises(UserError, match=r"expected vggss\.json or a folder that holds it"):
        read_vggss(folder / "empty")
    for text, problem in (("[1]", "something else"), ("{", "no JSON"), ("[]", "something else")):
        (folder / "vggss.json").write_text(text)
        with pytest.raises(UserError, match=problem):
            read_vggss(folder)
    (folder / "vggss.json").write_text(json.dumps([{**ROWS[0], "bbox": [[1, 2, 3]]}]))
    with pytest.raises(UserError, match="expected a box of four numbers"):
        read_vggss(folder)


@pytest.mark.shared
def test_the_real_file_and_its_parts(annotations: Path) -> None:
    metadata = annotations / "stoneMo+EZ-VSL/metadata"
    pairs = BENCHMARKS["vggss"].load(metadata)
    assert len(pairs) == len({clip.id for clip, _ in pairs}) == 5158
    assert len({clip.labels for clip, _ in pairs}) == 221
    counts = [sum(len(target.boxes) == number for _, target in pairs) for number in range(1, 8)]
    assert counts == [4619, 385, 94, 37, 18, 3, 2]
    for name, size in (("vggss_heard", 2564), ("vggss_unheard", 2575)):
        assert len(BENCHMARKS[name].load(metadata)) == size
        assert BENCHMARKS[name].missing(metadata) == []
