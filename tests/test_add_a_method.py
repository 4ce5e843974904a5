"""The worked example of docs/add-a-method.md, run as its reader would run it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "add-a-method.md"


def test_the_example_trains_predicts_and_hears(tmp_path: Path) -> None:
    blocks = dict(re.findall(r"`(\w+\.py)`[^`]*?```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S))
    assert blocks.keys() == {"make_scenes.py", "small_towers.py", "run.py"}
    for name, text in blocks.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    surroundings = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path}
    out = ""
    for name in ("make_scenes.py", "run.py"):
        done = subprocess.run(
            [sys.executable, name], cwd=tmp_path, env=surroundings, capture_output=True, text=True, timeout=600
        )
        assert done.returncode == 0, done.stderr[-2000:]
        out = done.stdout
    header = next(line for line in out.splitlines() if "pointing" in line)
    titles = [cell.strip() for cell in header.split("|")]
    name_at, column = titles.index("name"), titles.index("pointing")
    pointing = {}
    for line in out.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) > column and (value := re.match(r"[\d.]+", cells[column])):
            pointing[cells[name_at]] = float(value.group())
    assert pointing["small towers"] > pointing["centre"] + 40
    assert pointing["small towers"] > pointing["wrong sound"] + 20, "it listens"
