"""Every target by name: `TARGETS[name](data)` puts the bytes where soundspot's reader looks and calls it.

It gives "value" or "refused", and raises `fuzz.oracle.Finding` for everything else.
"""

from __future__ import annotations

from fuzz import annotations, containers, texts
from fuzz.aim import Aim

TARGETS: dict[str, Aim] = {**annotations.AIMS, **containers.AIMS, **texts.AIMS}
