"""Ask pip-audit for known vulnerabilities in what is installed, and say plainly where nobody could be asked.

    python tools/audit.py

pip-audit itself reports "no known vulnerabilities" where its service cannot be reached through a mirror. So it is asked
first for a version that is known to have one. Exit 1: a vulnerability that EXPLAINED does not explain; else 0.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

KNOWN_BAD = "gradio==4.19.1"
"""Has CVE-2024-1728; a service that does not say so knows nothing."""
EXPLAINED: dict[str, str] = {}
"""A vulnerability's id -> why it does not touch soundspot."""
MOST_SECONDS = 300


def main() -> int:
    """Print the finding in a few lines."""
    with tempfile.TemporaryDirectory() as folder:
        asked = Path(folder) / "known-bad.txt"
        asked.write_text(KNOWN_BAD + "\n")
        trial = pip_audit("--requirement", str(asked), "--no-deps", "--disable-pip")
    if not vulnerabilities(trial):
        print(f"audit: NOT DONE: the vulnerability service did not name that of {KNOWN_BAD}; is it within reach?")
        return 0
    report = pip_audit("--skip-editable")
    if report is None:
        print("audit: NOT DONE: the vulnerability service stopped answering; run it again")
        return 0
    found = vulnerabilities(report)
    for name, number, fixed in found:
        print(
            f"audit: {name}: {number}, fixed in {fixed or 'no version yet'}; {EXPLAINED.get(number, 'NOT EXPLAINED')}"
        )
    skipped = [each["name"] for each in report["dependencies"] if "skip_reason" in each]
    told = f"; not audited: {', '.join(skipped)}" if skipped else ""
    print(f"audit: {len(report['dependencies'])} packages, {len(found)} known vulnerabilities{told}")
    return int(any(number not in EXPLAINED for _, number, _ in found))


def pip_audit(*words: str) -> dict[str, Any] | None:
    """Its report; None where it gave none."""
    command = [sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off", *words]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=MOST_SECONDS)
        report = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, json.JSONDecodeError):
        return None
    return report if isinstance(report, dict) and "dependencies" in report else None


def vulnerabilities(report: dict[str, Any] | None) -> list[tuple[str, str, str]]:
    """Package with its version, the vulnerability's id, and the versions that mend it."""
    return [
        (
            f"{package['name']} {package['version']}",
            next((each_id for each_id in (each["id"], *each.get("aliases", ())) if each_id in EXPLAINED), each["id"]),
            ", ".join(each.get("fix_versions", ())),
        )
        for package in (report or {}).get("dependencies", ())
        for each in package.get("vulns", ())
    ]


if __name__ == "__main__":
    sys.exit(main())
