"""Tables of `multisource.py`'s runs: means and spread over seeds, and intervals of the differences that matter.

    python docs/results/multisource_tables.py OUT [--seeds 0 1 2]

Writes OUT/table.md. A difference's interval is a paired bootstrap over the test scenes: each scene brings the mean over
the seeds of what both methods reach on it; of what is no mean (NMI, precision, recall, mAP) the scenes are drawn anew
and all seeds measured again on them.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from multisource_settings import SETTINGS, VIEWS
from study import percent, table

from soundspot.metrics.intervals import NUM_RANK_RESAMPLES, interval
from soundspot.metrics.overlap import auc_shares, successes
from soundspot.metrics.paired import compare
from soundspot.metrics.recognition import multi_map, multi_precision, multi_recall, nmi

Floats = npt.NDArray[np.float64]
SHOWN = {
    "solo": {"ciou@0.5": "IoU@.5", "auc": "AUC"},
    **{view: {"class_ciou@0.3": "CIoU@.3", "class_auc": "AUC", "nsa": "NSA"} for view in list(VIEWS)[1:]},
}
HEARD = {
    "nmi": "NMI", "precision": "precision", "recall": "recall", "precision tuned": "precision, bound",
    "recall tuned": "recall, bound", "map": "mAP",
}  # fmt: skip
CHOSEN = ["map factor", "nothing", "heard from", "NMI of clusters", "CIoU@.3, %"]
PAIRS = (
    ("identifier helps", "ier", "ier_no_identifier"),
    ("curriculum helps", "ier", "ier_no_curriculum"),
    ("referrer helps", "ier", "ier_identifier"),
    ("IEr over DSOL", "ier", "dsol"),
    ("IEr over its prototypes", "ier", "ier_prototypes"),
)
VALUES: dict[str, tuple[str, Callable[[Floats], Floats]]] = {
    "IoU@.5": ("ciou", lambda values: np.asarray(successes(values, 0.5), dtype=np.float64)),
    "CIoU@.3": ("class_ciou", lambda values: np.asarray(successes(values, 0.3), dtype=np.float64)),
    "AUC": ("class_ciou", lambda values: np.asarray(auc_shares(values), dtype=np.float64)),
    "NSA": ("silent_share", lambda values: values),
}
"""What a difference is of: a column of the arrays, and what of it counts."""


class Runs:
    """The accounts and arrays under OUT/results."""

    def __init__(self, out: Path, seeds: Sequence[int]) -> None:
        self.folder, self.seeds = out / "results", seeds

    def rows(self, name: str) -> list[dict[str, Any]]:
        """A row a seed that is there."""
        paths = [self.folder / f"{name}_{seed}.json" for seed in self.seeds]
        return [json.loads(path.read_text()) for path in paths if path.is_file()]

    def floors(self) -> dict[str, dict[str, Any]]:
        """Priors by title."""
        paths = sorted(self.folder.glob("floor *.json"))
        return {path.stem.removeprefix("floor "): json.loads(path.read_text()) for path in paths}

    def both(self, first: str, second: str) -> Runs:
        """The same with the seeds alone that both rows have."""
        there = [s for s in self.seeds if all((self.folder / f"{n}_{s}.json").is_file() for n in (first, second))]
        return Runs(self.folder.parent, there)

    def arrays(self, name: str, key: str) -> list[npt.NDArray[Any]]:
        """An array a seed."""
        found = []
        for seed in self.seeds:
            with np.load(self.folder / f"{name}_{seed}.npz") as file:
                found.append(file[key])
        return found

    def scenes(self, name: str, view: str, value: str) -> Floats:
        """(N,) a scene's value, the mean over seeds; NaN where there is nothing to measure."""
        column, reach = VALUES[value]
        values = np.stack(self.arrays(name, f"{view}/{column}"))
        return np.where(np.isnan(values), np.nan, np.stack([reach(np.nan_to_num(each)) for each in values])).mean(
            axis=0
        )


def place_cells(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Of each of SHOWN the mean and spread over seeds, empty where a row has none."""
    made = []
    for view, keys in SHOWN.items():
        for key in keys:
            known = [row["scores"][view][key] for row in rows if key in row["scores"][view]]
            made.append(percent(known) if known else "")
    return made


def tables(runs: Runs) -> str:
    """Where; what is heard; differences."""
    titles = {name: setting.title for name, setting in SETTINGS.items() if runs.rows(name)}
    marked = {name: title + _lacking(runs, name) for name, title in titles.items()}
    places = {marked[name]: place_cells(runs.rows(name)) for name in titles}
    places |= {title: place_cells([row]) for title, row in runs.floors().items()}
    columns = [f"{view} {shown}" for view, keys in SHOWN.items() for shown in keys.values()]
    heard = {
        marked[name]: [percent([row["recognition"][key] for row in runs.rows(name)]) for key in HEARD]
        for name in titles
        if runs.rows(name)[0]["recognition"]
    }
    tuned = {
        marked[name]: [
            ", ".join(f"{row['tuned']['map_factor']:.2g}" for row in runs.rows(name)),
            ", ".join(f"{row['tuned']['nothing']:.2g}" for row in runs.rows(name)),
            ", ".join(f"{row['tuned']['heard_from']:.2f}" for row in runs.rows(name)),
            ", ".join(f"{row['tuned']['nmi_of_clusters']:.2f}" for row in runs.rows(name)),
            ", ".join(f"{100 * max(row['tuned']['tried'].values()):.0f}" for row in runs.rows(name)),
        ]
        for name in heard_names(runs, titles)
    }
    parts = [
        table("where, %", columns, places),
        table("heard, %", list(HEARD.values()), heard),
        table(
            "chosen on calibration, a seed each",
            ["map factor", "nothing", "heard from", "NMI of clusters", "CIoU@.3, %"],
            tuned,
        ),
        differences(runs),
    ]
    return "\n\n".join(parts) + "\n"


def heard_names(runs: Runs, names: Sequence[str] | dict[str, str]) -> list[str]:
    """Those that tell classes apart."""
    return [name for name in names if "tuned" in runs.rows(name)[0]]


def _lacking(runs: Runs, name: str) -> str:
    count = len(runs.rows(name))
    return "" if count == len(runs.seeds) else f" ({count} of {len(runs.seeds)} seeds)"


def differences(runs: Runs) -> str:
    """A row a pair of PAIRS and view, percentage points, over the seeds that both have."""
    lines: dict[str, list[str]] = {}
    heard: dict[str, list[str]] = {}
    for title, first, second in PAIRS:
        shared = runs.both(first, second)
        if not shared.seeds:
            continue
        marked = title if len(shared.seeds) == len(runs.seeds) else f"{title} ({len(shared.seeds)} seeds)"
        for view in SHOWN:
            values = ("IoU@.5",) if view == "solo" else ("CIoU@.3", "AUC", "NSA")
            cells = [_difference(shared, first, second, view, value) for value in values]
            lines[f"{marked}: {view}"] = cells + [""] * (3 - len(cells))
        heard[marked] = [_of_sounds(shared, first, second, key) for key in METRICS]
    where = table("difference, points [95 %]", ["CIoU@.3 (solo: IoU@.5)", "AUC", "NSA"], lines)
    return f"{where}\n\n{table('difference heard, points [95 %]', [HEARD[key] for key in METRICS], heard)}"


def _difference(runs: Runs, first: str, second: str, view: str, value: str) -> str:
    one, other = (runs.scenes(name, view, value) for name in (first, second))
    both = ~(np.isnan(one) | np.isnan(other))
    units = [str(number) for number in np.flatnonzero(both)]
    found = compare(one[both], other[both], units)
    return _shown(found.mean, found.low, found.high)


def _of_sounds(runs: Runs, first: str, second: str, key: str) -> str:
    part = "solo" if key == "nmi" else "mixed"
    measured: list[list[float]] = []
    pairs = [
        list(zip(runs.arrays(n, f"{part}/heard"), runs.arrays(n, f"{part}/truth"), strict=True))
        for n in (first, second)
    ]
    count = len(pairs[0][0][0])
    generator = np.random.default_rng(0)
    draws = [np.arange(count), *(generator.integers(0, count, count) for _ in range(NUM_RANK_RESAMPLES))]
    for some in draws:
        measured.append(
            [float(np.mean([METRICS[key](heard[some], truth[some]) for heard, truth in runs_of])) for runs_of in pairs]
        )
    values = np.array(measured)[:, 0] - np.array(measured)[:, 1]
    return _shown(float(values[0]), *interval(values[1:]))


METRICS: dict[str, Callable[[npt.NDArray[Any], npt.NDArray[Any]], float]] = {
    "nmi": lambda heard, truth: nmi(heard.argmax(axis=1), truth.argmax(axis=1)),
    "precision": multi_precision,
    "recall": multi_recall,
    "map": multi_map,
}


def _shown(mean: float, low: float, high: float) -> str:
    return f"{100 * mean:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    given = parser.parse_args()
    text = tables(Runs(given.out, given.seeds))
    (given.out / "table.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
