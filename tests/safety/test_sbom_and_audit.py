"""The bill of materials names what is installed; the audit is red for a vulnerability and honest where it can't ask."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def names_in(requirements: list[str]) -> list[str]:
    return [plain(re.split(r"[<>=\[ ]", each)[0]) for each in requirements]


def test_the_bill_names_soundspot_and_all_it_needs_with_versions(tmp_path: Path) -> None:
    written = []
    for name in ("a.json", "b.json"):
        line = [sys.executable, ROOT / "tools/sbom.py", tmp_path / "out" / name]
        done = subprocess.run(line, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        written.append((tmp_path / "out" / name).read_bytes())
    assert written[0] == written[1], "nothing in it changes from run to run"
    bill = json.loads(written[0])
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert bill["metadata"]["component"]["name"] == "soundspot"
    assert bill["metadata"]["component"]["version"] == PROJECT["version"]
    listed = {plain(each["name"]): each["version"] for each in bill["components"]}
    for name in names_in(PROJECT["dependencies"]):
        assert listed[name] == importlib.metadata.version(name)
    assert not {"timestamp", "serialNumber"} & {*bill, *bill["metadata"]}
    assert b"file:" not in written[0]
    assert str(Path.home()).encode() not in written[0] or str(Path.home()) == "/"


def audited(folder: Path, trial: Any, report: Any) -> subprocess.CompletedProcess[str]:
    """tools/audit.py with a pip-audit that answers thus: first when tried, then for what is installed."""
    fake = folder / "pip_audit"
    fake.mkdir()
    (fake / "__init__.py").touch()
    (fake / "__main__.py").write_text(
        f"import sys\nprint({trial!r} if '--requirement' in sys.argv else {report!r})\nsys.exit(1)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run([sys.executable, ROOT / "tools/audit.py"], capture_output=True, text=True, env=environment)


def answer(*packages: dict[str, Any]) -> str:
    return json.dumps({"dependencies": list(packages), "fixes": []})


BAD = {"name": "gradio", "version": "4.19.1", "vulns": [{"id": "CVE-2024-1728", "fix_versions": ["4.19.2"]}]}
UNKNOWN = {"name": "gradio", "skip_reason": "Dependency not found on PyPI and could not be audited: gradio (4.19.1)"}
FINE = {"name": "numpy", "version": "2.0.0", "vulns": []}


@pytest.mark.parametrize(
    ("trial", "report", "code", "says"),
    [
        (answer(BAD), answer(FINE, BAD), 1, "gradio 4.19.1: CVE-2024-1728, fixed in 4.19.2; NOT EXPLAINED"),
        (answer(BAD), answer(FINE), 0, "audit: 1 packages, 0 known vulnerabilities"),
        (answer(BAD), answer(FINE, UNKNOWN), 0, "0 known vulnerabilities; not audited: gradio"),
        (answer(UNKNOWN), answer(FINE), 0, "NOT DONE"),
        ("no network", answer(FINE), 0, "NOT DONE"),
        (answer(BAD), "connection lost", 0, "NOT DONE"),
    ],
)
def test_the_audit_is_red_for_a_vulnerability_and_says_where_nobody_was_asked(
    tmp_path: Path, trial: str, report: str, code: int, says: str
) -> None:
    done = audited(tmp_path, trial, report)
    assert done.returncode == code, done.stderr
    assert says in done.stdout
    assert ("NOT DONE" in done.stdout) == (says == "NOT DONE")


# Of each package, the version from which on the vulnerabilities that we know of are mended: see SECURITY.md.
MENDED = {"torch": (2, 10), "gradio": (6, 16)}


@pytest.mark.parametrize("name", MENDED)
def test_neither_floor_nor_pinned_version_has_a_vulnerability_that_we_know_of(name: str) -> None:
    asked = [*PROJECT["dependencies"], *(each for extra in PROJECT["optional-dependencies"].values() for each in extra)]
    floors = [each.split(">=")[1] for each in asked if each.startswith(f"{name}>=")]
    pinned = re.findall(rf"^{name}==([\d.]+)", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert floors
    assert len(pinned) == 1
    for version in (*floors, *pinned):
        assert tuple(map(int, version.split(".")))[:2] >= MENDED[name]
