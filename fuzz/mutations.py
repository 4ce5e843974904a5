"""Ways to spoil a valid file: of its bytes, its JSON, its cells and its XML."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any

Mutation = Callable[[bytes, Random], bytes]
DEEP = 100_000
VALUES = (
    "NaN", "Infinity", "-Infinity", "-1", "0", "1e308", "1e999", "-0.5", "true", "null", "[]", "{}", '""',
    "18446744073709551616", "-9223372036854775809", "4294967296", "1" * 5000, '"x"', '"\\u0000"', '"\\ud800"',
    '"a\\nb"', '"\\u001b[2J"', '"../../etc/passwd"', '"/dev/zero"', '["a"]', "[1e308, 1e308, 1e308, 1e308]",
    "[[]]", '{"path": 1}', f'"{"n" * 300}"', f'"{"n" * 70_000}"', "[" * DEEP, "[" * 5000 + "]" * 5000,
    '{"a":' * 3000 + "1" + "}" * 3000,
)  # fmt: skip
"""JSON texts that stand in for a value; some are none."""
CELLS = (
    b"", b"NaN", b"inf", b"-1", b"1e308", b"1e999", b"9" * 5000, b"x", b'"', b'"a\nb"', b"\0", b"\xff\xfe", b"\xe9",
    b"\x1b[2J", b"n" * 300, b"n" * 200_000, b"../../x", b"/etc/passwd", b",,,,", b"\r\n", b"\xef\xbb\xbf",
)  # fmt: skip
DOCTYPES = (
    b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
    b'<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd">',
    b'<!DOCTYPE l [<!ENTITY a "ha">' + b"".join(
        f'<!ENTITY {name} "{f"&{before};" * 10}">'.encode() for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    ) + b"]>",
)  # fmt: skip
_MARK = "spoilt-value-stands-here"
_HEADER = 8
"""Bytes of a safetensors file's length, before its JSON."""


def flip(data: bytes, random: Random) -> bytes:
    """One bit."""
    spoilt = bytearray(data or b"\0")
    spoilt[random.randrange(len(spoilt))] ^= 1 << random.randrange(8)
    return bytes(spoilt)


def cut(data: bytes, random: Random) -> bytes:
    """The end is missing."""
    return data[: random.randrange(len(data) + 1)]


def leave_out(data: bytes, random: Random) -> bytes:
    """A piece is missing."""
    start, size = _piece(data, random)
    return data[:start] + data[start + size :]


def duplicate(data: bytes, random: Random) -> bytes:
    """A piece stands twice."""
    start, size = _piece(data, random)
    return data[: start + size] + data[start:]


def zero(data: bytes, random: Random) -> bytes:
    """A piece is zeros."""
    start, size = _piece(data, random)
    return data[:start] + bytes(min(size, len(data) - start)) + data[start + size :]


def insert(data: bytes, random: Random) -> bytes:
    """Something stands where it should not."""
    at = random.randrange(len(data) + 1)
    some = random.choice((*CELLS, b"[" * DEEP, b"<", b"]]>", random.randbytes(8)))
    return data[:at] + some + data[at:]


def number(data: bytes, random: Random) -> bytes:
    """Up to eight bytes are a number at the end of its range, as in binary headers."""
    width = random.choice((1, 2, 4, 8))
    at = random.randrange(max(1, len(data) - width + 1))
    value = random.choice((0, 1, 2 ** (8 * width - 1) - 1, 2 ** (8 * width - 1), 2 ** (8 * width) - 1))
    return data[:at] + value.to_bytes(width, random.choice(("little", "big"))) + data[at + width :]


def begin(data: bytes, random: Random) -> bytes:
    """A byte order mark, another coding, or a declaration comes first."""
    head = random.choice((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\0", b"\xe9\n", *DOCTYPES))
    return head + data


def other_ends(data: bytes, random: Random) -> bytes:
    """Lines end otherwise."""
    return data.replace(b"\n", random.choice((b"\r\n", b"\r", b"\0", b"\xc2\x85", b"\xe2\x80\xa8", b"")))


def cell(data: bytes, random: Random) -> bytes:
    """Something else between two commas, ends of lines, tags or blanks."""
    marks = [at for at, byte in enumerate(data) if byte in b',\n<>" =']
    if not marks:
        return random.choice(CELLS)
    at = random.choice(marks) + 1
    end = next((mark for mark in marks if mark >= at), len(data))
    return data[:at] + random.choice(CELLS) + data[end:]


def entity(data: bytes, random: Random) -> bytes:
    """XML that names an entity of its own."""
    at = random.choice([place + 1 for place, byte in enumerate(data) if byte in b">"] or [0])
    return random.choice(DOCTYPES) + data[:at] + random.choice((b"&x;", b"&i;")) + data[at:]


def value(data: bytes, random: Random) -> bytes:
    """Another value in JSON: of the whole file, of a line, or of a safetensors header."""
    return _in_json(data, random, _replace)


def entry(data: bytes, random: Random) -> bytes:
    """An entry of JSON is gone, twice there or under another name."""
    return _in_json(data, random, _rearrange)


MUTATIONS: dict[str, Mutation] = {
    "flip": flip, "cut": cut, "leave_out": leave_out, "duplicate": duplicate, "zero": zero, "insert": insert,
    "number": number, "begin": begin, "other_ends": other_ends, "cell": cell, "entity": entity, "value": value,
    "value_again": value, "entry": entry,
}  # fmt: skip


def spoilt(data: bytes, ways: list[tuple[str, int]]) -> bytes:
    """`data` after each of the ways (a name of MUTATIONS and a seed), in order."""
    for name, seed in ways:
        data = MUTATIONS[name](data, Random(seed))
    return data


def _piece(data: bytes, random: Random) -> tuple[int, int]:
    return random.randrange(len(data) + 1), random.choice((1, 2, 4, 16, 64, 512))


def _in_json(data: bytes, random: Random, change: Callable[[Any, Random], str]) -> bytes:
    """Change the JSON that lies in `data`; a cell where there is none."""
    for before, text, after, measured in _places(data, random):
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            continue
        new = change(found, random).encode("utf-8", "surrogatepass")
        return (len(new).to_bytes(_HEADER, "little") if measured else before) + new + after
    return cell(data, random)


def _places(data: bytes, random: Random) -> list[tuple[bytes, bytes, bytes, bool]]:
    """Where JSON may lie: (before, text, after, whether its length stands before)."""
    length = int.from_bytes(data[:_HEADER], "little")
    lines = data.split(b"\n")
    chosen = random.randrange(len(lines))
    before, after = b"\n".join([*lines[:chosen], b""]), b"\n".join([b"", *lines[chosen + 1 :]])
    line = lines[chosen]
    return [
        (b"", data[_HEADER : _HEADER + length], data[_HEADER + length :], True),
        (b"", data, b"", False),
        (before, line, after, False),
    ]


def _replace(found: Any, random: Random) -> str:
    holders = list(_holders(found))
    if not holders:
        return random.choice(VALUES)
    holder, key = random.choice(holders)
    inner = holder[key]
    if isinstance(inner, str) and inner[:1] in ("{", "[") and random.random() < 0.8:  # JSON within JSON
        try:
            holder[key] = _replace(json.loads(inner), random)
            return json.dumps(found)
        except (ValueError, RecursionError):
            pass
    holder[key] = _MARK
    return json.dumps(found).replace(f'"{_MARK}"', random.choice(VALUES))


def _rearrange(found: Any, random: Random) -> str:
    holders = list(_holders(found))
    if not holders:
        return random.choice(VALUES)
    holder, key = random.choice(holders)
    inner, way = holder[key], random.choice(("gone", "twice", "renamed", "swapped"))
    if way == "swapped":
        other, name = random.choice(holders)
        holder[key], other[name] = json.loads(json.dumps(other[name])), json.loads(json.dumps(inner))
    elif isinstance(holder, list):
        if way == "gone":
            del holder[key]
        else:
            holder.insert(key, inner)
    elif way == "twice":
        holder[_MARK] = inner
        return json.dumps(found).replace(f'"{_MARK}"', json.dumps(key))
    else:
        del holder[key]
        if way == "renamed":
            holder[random.choice(("", "x", "__proto__", "n" * 300, "a/b", "..", "a\nb", "\ud800"))] = inner
    return json.dumps(found)


def _holders(found: Any) -> list[tuple[Any, Any]]:
    """Every place of a tree: (list or object, index or name)."""
    places: list[tuple[Any, Any]] = []
    waiting = [found]
    while waiting:
        each = waiting.pop()
        keys = list(each) if isinstance(each, dict) else range(len(each)) if isinstance(each, list) else ()
        for key in keys:
            places.append((each, key))
            waiting.append(each[key])
    return places
