"""The table of protocols in the docs is what the code says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from soundspot.benchmarks import BENCHMARKS

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_holds_the_table_that_the_code_makes() -> None:
    done = subprocess.run([sys.executable, DOCS / "protocols_table.py", "--check"], timeout=120)
    assert done.returncode == 0, "run python docs/protocols_table.py"


def test_the_page_names_every_benchmark() -> None:
    text = (DOCS / "benchmarks.md").read_text(encoding="utf-8")
    assert [name for name in BENCHMARKS if f"`{name}`" not in text] == []
