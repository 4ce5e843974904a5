"""The table of methods in the docs is what the code says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from soundspot.methods import METHODS
from soundspot.methods.about import ABOUT
from soundspot.recipes import PAPERS, recipe

DOCS = Path(__file__).parents[1] / "docs"


def test_the_page_holds_the_table_that_the_code_makes() -> None:
    done = subprocess.run([sys.executable, DOCS / "methods_table.py", "--check"], timeout=120)
    assert done.returncode == 0, "run python docs/methods_table.py"


def test_every_method_has_a_row_and_every_recipe_its_method() -> None:
    assert set(ABOUT) == set(METHODS)
    for paper, sets in PAPERS.items():
        assert {recipe(f"{paper}_{data}").method for data in sets} == {paper}
