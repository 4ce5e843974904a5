"""`python -m torture NAME ...` runs the trial of that name."""

from __future__ import annotations

import importlib
import sys

TRIALS = ("mutants",)


def main() -> None:
    """Hand the words after the trial's name to its own `main`."""
    if len(sys.argv) < 2 or sys.argv[1] not in TRIALS:
        got = sys.argv[1] if len(sys.argv) > 1 else "nothing"
        sys.exit(f"expected the name of a trial ({', '.join(TRIALS)}), got {got}; python -m torture mutants --help")
    sys.exit(importlib.import_module(f"torture.{sys.argv[1]}").main(sys.argv[2:]))


if __name__ == "__main__":
    main()
