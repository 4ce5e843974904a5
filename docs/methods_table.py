"""Write the table of all methods into docs/methods.md, between its two marks.

    python docs/methods_table.py

`--check` writes nothing and ends with 1 where the page is out of date.
"""

from __future__ import annotations

import sys
from pathlib import Path

from soundspot.methods import METHODS
from soundspot.methods.about import ABOUT
from soundspot.recipes import PAPERS

PAGE = Path(__file__).with_name("methods.md")
BEGIN, END = "<!-- table of methods: made by methods_table.py -->", "<!-- end of table -->"
HEAD = ("name", "paper (arXiv)", "on the common skeleton", "paper and code", "licence of the authors' code", "recipes")


def table() -> str:
    """A row a method of METHODS."""
    rows = [HEAD, ("---",) * len(HEAD)]
    for name in sorted(METHODS):
        about = ABOUT[name]
        recipes = (
            f"`{name}_*` on {', '.join(PAPERS[name])}" if name in PAPERS else ("`spot`" if name == "spot" else "-")
        )
        rows.append((f"`{name}`", about.paper, about.difference, about.paper_and_code, about.licence, recipes))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def page(text: str) -> str:
    """The page with the table as it should be."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"


if __name__ == "__main__":
    old = PAGE.read_text(encoding="utf-8")
    if "--check" in sys.argv:
        raise SystemExit(0 if page(old) == old else 1)
    PAGE.write_text(page(old), encoding="utf-8")
