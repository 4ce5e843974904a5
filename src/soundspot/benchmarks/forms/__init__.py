"""What a protocol may measure beside overlaps, one file a form."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from soundspot.benchmarks.forms.classes import by_class
from soundspot.benchmarks.forms.false_area import false_area
from soundspot.benchmarks.forms.segmentation import segmentation
from soundspot.benchmarks.protocols import Form, Protocol
from soundspot.benchmarks.result import Columns, Value
from soundspot.metrics.intervals import Bootstrap
from soundspot.predictions import Predictions
from soundspot.types import Target

Measure = Callable[[Predictions, Sequence[Target], Protocol, Bootstrap | None], tuple[dict[str, Value], Columns]]
"""What is measured of the whole set, and of each clip."""

FORMS: dict[Form, Measure] = {"segmentation": segmentation, "classes": by_class, "false_area": false_area}
"""Each gives nothing where the targets or the maps are not of its kind."""
