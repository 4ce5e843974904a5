"""What the readers of texts must get right beyond ending: marks before a text, half characters, entities, one line."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest

from soundspot.data.lists import read_ids
from soundspot.data.sets.flickr import parse_xml
from soundspot.misread import MOST_CHARACTERS, parse_json
from soundspot.textfiles import is_file, read_json, read_table
from soundspot.types import Target, UserError

LAUGHS = b'<!DOCTYPE l [<!ENTITY a "ha">' + b"".join(
    f'<!ENTITY {name} "{f"&{before};" * 10}">'.encode() for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    "begin",
    [
        LAUGHS + b"]>",
        b'<!DOCTYPE a [<!ENTITY i SYSTEM "file:///etc/hostname">]>',
        b'<!DOCTYPE a SYSTEM "http://127.0.0.1:9/">',
    ],
    ids=["billions from one", "a file's contents", "an address"],
)
def test_xml_with_entities_is_refused_before_any_is_opened(begin: bytes) -> None:
    body = b"<a><b><bbox><person>1</person><x>&i;</x></bbox></b></a>"
    with pytest.raises(UserError, match="got a document type declaration; remove it"):
        parse_xml(begin + body, "1")


@pytest.mark.parametrize("name", ["ids.txt", "ids.csv", "ids.json"])
def test_a_mark_before_a_list_is_no_part_of_its_first_id(name: str, tmp_path: Path) -> None:
    text = '["one", "two"]' if name.endswith("json") else "one\ntwo\n"
    (tmp_path / name).write_text(text, encoding="utf-8-sig")
    assert read_ids(tmp_path / name) == ["one", "two"]


def test_a_line_of_json_may_hold_separators_of_lines_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "ids.jsonl").write_text('"one\u2028a"\n{"id": "two\x85"}\n', encoding="utf-8")
    assert read_ids(tmp_path / "ids.jsonl") == ["one\u2028a", "two\x85"]


@pytest.mark.parametrize("text", ['["\\ud800"]', '["\\uDFFF"]', "[" * 100_000, "1" * 5000, b"\xff", "{", ""])
def test_json_that_no_text_can_hold_is_none(text: str | bytes) -> None:
    with pytest.raises(json.JSONDecodeError, match="line 1 column"):
        parse_json(text)


def test_both_halves_of_a_character_are_one() -> None:
    assert parse_json('"\\ud83d\\ude00"') == "\U0001f600"


def test_a_message_is_one_line_that_steers_no_terminal() -> None:
    error = UserError("expected a name,\ngot \x1b[2J" + "n" * 10_000 + "; mend it")
    assert str(error).isprintable()
    assert len(str(error)) < MOST_CHARACTERS + 20
    assert str(error).startswith("expected a name, got \\x1b[2J")
    assert str(error).endswith("; mend it")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


@pytest.mark.parametrize("side", [float("nan"), float("inf")])
def test_no_target_has_a_box_without_an_end(side: float) -> None:
    with pytest.raises(UserError, match="expected boxes of four finite numbers"):
        Target("a", boxes=((0.0, 0.0, 1.0, side),))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,c\n1,2\n", "columns a and b, got no b; mend"),
        ("a,b\n", "got no rows; mend"),
        ("", "got no rows; mend"),
        ("a,b\n1,2\n3\n", "t.csv:3: .* got a row cut short"),
        ('a,b\n"1,2\n3,4\n', "got no table"),
        (b"a,b\n\xe9,1\n", "got no text; mend"),
        ("a,b\n" + "n" * 200_000 + ",1\n", "got no table"),
    ],
)
def test_a_table_is_whole_or_refused(text: str | bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UserError, match=said):
        read_table(tmp_path / "t.csv", ("a", "b"), "mend it")


def test_a_table_may_begin_with_a_mark(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1,2\n", encoding="utf-8-sig")
    assert read_table(tmp_path / "t.csv", ("a", "b")) == [{"a": "1", "b": "2"}]


def test_json_of_another_coding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes('["\u00e9"]'.encode("latin-1"))
    with pytest.raises(UserError, match="expected a list, got no text; fetch it again"):
        read_json(tmp_path / "x.json", "a list")


def test_no_file_has_a_name_that_no_file_can_have(tmp_path: Path) -> None:
    assert not is_file(tmp_path / ("n" * 300))
    assert not is_file(tmp_path / "a\0b")
