"""The page on which people accept or reject a draft's pictures: one file, no server, nothing fetched."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

TEMPLATE = Path(__file__).with_name("is3_review.html")


def review_page(pictures: Sequence[Mapping[str, Any]], mark: str) -> str:
    """HTML that shows `pictures` (rows of draft.json) from the files beside it, and saves decisions under `mark`."""
    # "<" can't end the script element that holds the data, whatever a class is called
    data = json.dumps({"draft": mark, "pictures": list(pictures)}).replace("<", "\\u003c")
    return TEMPLATE.read_text(encoding="utf-8").replace("__DRAFT__", data)
