"""Flickr-SoundNet's boxes from both forms; missing ids named; nothing in the XML is obeyed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from soundspot.benchmarks import BENCHMARKS
from soundspot.data.sets.flickr import missing_flickr, parse_xml, read_flickr
from soundspot.types import UserError

BOXES = {"11": [[0, 64, 128, 256], [32, 0, 64, 64]], "22": [[1, 2, 3, 4]], "99": [[0, 0, 1, 1]]}
XML = "<bbox><id>{who}</id><xmin>{0}</xmin><ymin>{1}</ymin><xmax>{2}</xmax><ymax>{3}</ymax></bbox>"


@pytest.fixture
def xml_folder(tmp_path: Path) -> Path:
    (tmp_path / "Annotations").mkdir()
    for clip_id, boxes in BOXES.items():
        inner = "".join(XML.format(*box, who=who) for who, box in enumerate(boxes))
        (tmp_path / "Annotations" / f"{clip_id}.xml").write_text(f"<root><annotators>{inner}</annotators></root>")
    (tmp_path / "flickr_test.csv").write_text("22,202\n11,0\n33,7\n")
    return tmp_path


@pytest.fixture
def json_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "converted"
    folder.mkdir()
    rows = {clip_id: {"boxes_xyxy_256": boxes} for clip_id, boxes in BOXES.items()}
    (folder / "boxes.json").write_text(json.dumps(rows))
    (folder / "flickr_test.csv").write_text("22,202\n11,0\n33,7\n")
    return folder


def test_both_forms_agree(xml_folder: Path, json_folder: Path) -> None:
    pairs = read_flickr(xml_folder)
    assert pairs == read_flickr(json_folder) == read_flickr(json_folder / "boxes.json")
    assert pairs == read_flickr(xml_folder / "Annotations")
    assert [clip.id for clip, _ in pairs] == ["22", "11"]
    assert pairs[1][1].boxes == ((0, 0.25, 0.5, 1), (0.125, 0, 0.25, 0.25))
    assert pairs[1][1].consensus == 2


def test_missing_ids_are_named(xml_folder: Path, json_folder: Path) -> None:
    for folder in (xml_folder, json_folder):
        assert [clip.clip_id for clip in missing_flickr(folder)] == ["33"]
        assert BENCHMARKS["flickr"].missing(folder) == missing_flickr(folder)


def test_wrong_folders_are_named(json_folder: Path) -> None:
    (json_folder / "second.json").write_text("{}")
    with pytest.raises(UserError, match="got 2 JSON files"):
        read_flickr(json_folder)
    with pytest.raises(UserError, match="expected boxes for the listed clips, got none of 3"):
        read_flickr(json_folder / "second.json")
    (json_folder / "second.json").write_text("[]")
    with pytest.raises(UserError, match="got another content"):
        read_flickr(json_folder / "second.json")
    (json_folder / "flickr_test.csv").unlink()
    with pytest.raises(UserError, match=r"expected the list of test clips flickr_test\.csv"):
        read_flickr(json_folder / "boxes.json")


def test_document_types_are_refused() -> None:
    bomb = '<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;">]><a><p><bbox><i/><x>&c;</x></bbox></p></a>'
    for text in (bomb.encode(), bomb.encode("utf-16")):
        with pytest.raises(UserError, match=r"clip 11: .* got a document type declaration"):
            parse_xml(text, "11")


def test_no_kind_of_entity_is_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("12")
    laughs = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 10))
    inner = "<r><p><bbox><i/><x>{}</x><x>1</x><x>1</x><x>1</x></bbox></p></r>"
    texts = (
        f'<!DOCTYPE r [<!ENTITY l0 "1">{laughs}]>' + inner.format("&l9;"),
        f'<!DOCTYPE r [<!ENTITY s SYSTEM "file://{secret}">]>' + inner.format("&s;"),
        f'<!DOCTYPE r [<!ENTITY % s SYSTEM "file://{secret}"> %s;]>' + inner.format("1"),
        f'<!DOCTYPE r SYSTEM "file://{secret}">' + inner.format("1"),
        f'<?xml version="1.0" standalone="no"?>\n<!--x--><!DOCTYPE r PUBLIC "a" "http://127.0.0.1:9/x">{inner.format("1")}',
    )
    for text in texts:
        for encoding in ("utf-8", "utf-16"):
            with pytest.raises(UserError, match="got a document type declaration; remove it"):
                parse_xml(text.encode(encoding), "11")
    with pytest.raises(UserError, match="undefined entity"):
        parse_xml(inner.format("&s;").encode(), "11")
    assert parse_xml(inner.format("&#49;").encode(), "11") == [(1, 1, 1, 1)], "a character by its number is harmless"


def test_broken_xml_is_the_users_to_mend() -> None:
    with pytest.raises(UserError, match="clip 11: expected XML"):
        parse_xml(b"<root><part>", "11")
    with pytest.raises(UserError, match="invalid literal"):
        parse_xml(b"<r><p><bbox><i/><x>a</x><x>1</x><x>1</x><x>1</x></bbox></p></r>", "11")
    with pytest.raises(UserError, match="got fewer numbers"):
        parse_xml(b"<r><p><bbox><i/><x>1</x></bbox></p></r>", "11")
