"""Write the software bill of materials of what is installed, as CycloneDX JSON: the same bytes for the same packages.

python tools/sbom.py out/sbom.json
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent


def main(out: Path) -> None:
    """Without times, serial numbers, licence texts, or places on this machine."""
    out.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "cyclonedx_py", "environment", "--output-reproducible", "--spec-version", "1.6"]
    # checking against the schema takes half a minute of work, and would check cyclonedx-py alone
    command += ["--no-validate", "--pyproject", str(ROOT / "pyproject.toml"), sys.executable]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stderr)
    bill = json.loads(done.stdout)
    for component in (bill["metadata"]["component"], *bill["components"]):
        _forget_this_machine(component)
    out.write_text(json.dumps(bill, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    print(f"{out}\t{len(bill['components'])} packages")


def _forget_this_machine(component: dict[str, Any]) -> None:
    """An editable install is noted with its folder."""
    links = [each for each in component.get("externalReferences", ()) if not each["url"].startswith("file:")]
    component.pop("externalReferences", None)
    if links:
        component["externalReferences"] = links


if __name__ == "__main__":
    main(Path(sys.argv[1]))
