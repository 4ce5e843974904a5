"""Which tests a mutant is met by, what is kept of earlier runs, and the table."""

from __future__ import annotations

from pathlib import Path

from torture.mutant_child import Footprint, joined
from torture.mutant_source import lines_run_with
from torture.mutant_table import table

SOURCE = '''"""A module."""
LIMIT = 3


@decorate(1)
def f(a, b=2):
    """What it does."""
    if a > b:
        c = [
            a,
            b + 1,
        ]
    try:
        return c
    except ValueError:
        return 5


class C:
    size: int = 4

    def g(self):
        return 6
'''


def test_a_line_is_run_with_its_statement_a_functions_head_with_its_body_and_a_modules_own_with_none() -> None:
    expected = {2: (0, 0), 5: (7, 17), 6: (7, 17), 8: (8, 9), 11: (9, 13), 14: (14, 15), 15: (15, 16), 20: (0, 0)}
    found = {line: lines_run_with(SOURCE, line) for line in expected}
    assert found == {line: range(*ends) for line, ends in expected.items()}
    assert lines_run_with(SOURCE, 22) == range(23, 24)
    assert lines_run_with(SOURCE, 23) == range(23, 24)


def test_what_tests_run_falls_apart_by_their_files_and_joins(tmp_path: Path) -> None:
    whole = Footprint(
        {"a.py::one": 1.0, "b.py::two": 2.0}, {"s.py": {3: ["a.py::one", "b.py::two"], 4: ["b.py::two"]}}, ["b.py::two"]
    )
    parts = [whole.of("a.py"), whole.of("b.py")]
    assert parts[0].lines == {"s.py": {3: ["a.py::one"]}}
    assert (parts[0].unfit, parts[1].unfit) == ([], ["b.py::two"])
    for number, part in enumerate(parts):
        part.write(tmp_path / f"{number}.json")
    assert joined([Footprint.read(tmp_path / f"{number}.json") for number in range(2)]) == whole


def test_the_table_counts_and_gives_every_survivor_its_reason() -> None:
    def row(outcome: str, after: str) -> dict:
        return {"file": "src/soundspot/a.py", "line": 7, "before": "x | y", "after": after, "outcome": outcome}

    rows = [
        row("killed", "x & y"),
        row("killed: time-out", "x + y"),
        row("survived", "x ^ y"),
        row("survived", "x - y"),
    ]
    why = [{"file": "src/soundspot/a.py", "before": "x | y", "after": "x ^ y", "why": "equivalent: bits never meet"}]
    text, share = table(rows, {"src/soundspot/a.py": 40}, {"src/soundspot/a.py": 9}, why)
    assert share == 0.5
    assert "| a.py | 40 | 9 | 4 | 2 | 2 |" in text
    assert "**50.0%** killed: killed 1, killed: time-out 1, survived 2." in text
    assert "| a.py:7 | `x \\| y` | `x ^ y` | equivalent: bits never meet |" in text
    assert "| a.py:7 | `x \\| y` | `x - y` | not looked at yet |" in text
