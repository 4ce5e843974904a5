"""`python -m torture WHAT --out FOLDER [--seed 0] ...`: run one of the torture sets; `WHAT --help` says more."""

from __future__ import annotations

import importlib
import sys

SETS = {"corpus": "torture.run_corpus", "kills": "torture.kills", "mutants": "torture.mutants"}
"""Module by name; each has `main(argv)`, whose number is the exit code."""


def main(argv: list[str]) -> int:
    """Hand the words on to the set that is named first."""
    if not argv or argv[0] not in SETS:
        print(f"expected one of {', '.join(SETS)}, got {argv[0] if argv else 'nothing'}", file=sys.stderr)
        return 2
    return int(importlib.import_module(SETS[argv[0]]).main(argv[1:]) or 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
