"""A benchmark as the words of a command name it, the predictions scored on it, and the words kept in the result."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from soundspot.cli.words import chosen_of
from soundspot.lookup import find, unknown
from soundspot.types import UserError

if TYPE_CHECKING:
    from soundspot.benchmarks import Protocol, Result
    from soundspot.benchmarks.report.evidence import Evidence
    from soundspot.predictions import Predictions
    from soundspot.types import Clip, Missing, Target


@dataclass(frozen=True)
class Words:
    """Which benchmark, from where, and under which rules: the options of `score`."""

    benchmark: str
    annotations: Path | None = None
    root: Path | None = None
    protocol: str | None = None
    truth: Literal["boxes", "mask"] | None = None
    split: str | None = None
    negatives: Path | None = None
    ids: Path | None = None
    train_ids: tuple[Path, ...] = ()

    def plain(self) -> dict[str, Any]:
        """As JSON, with whole paths."""
        return {
            name: [str(each.resolve()) for each in value]
            if isinstance(value, tuple)
            else str(value.resolve())
            if isinstance(value, Path)
            else value
            for name, value in asdict(self).items()
        }

    @staticmethod
    def of(plain: Mapping[str, Any]) -> Words:
        """What `plain` gave."""
        places = {name: plain.get(name) for name in ("annotations", "root", "negatives", "ids")}
        return Words(
            str(plain["benchmark"]),
            protocol=plain.get("protocol") and str(plain["protocol"]),
            truth=plain.get("truth"),
            split=plain.get("split"),
            train_ids=tuple(map(Path, plain.get("train_ids", ()))),
            **{name: None if place is None else Path(place) for name, place in places.items()},
        )

    def moved(self, place_of: Callable[[str, Path | None], Path | None]) -> Words:
        """The same, each path where `place_of` its option's name and itself says."""
        return replace(
            self,
            annotations=place_of("annotations", self.annotations),
            root=place_of("root", self.root),
            negatives=place_of("negatives", self.negatives),
            ids=place_of("ids", self.ids),
            train_ids=tuple(place_of("train_ids", path) or path for path in self.train_ids),
        )

    def files(self) -> dict[str, Path]:
        """What is read to know the truth, by the option that names it; folders of samples are their own annotations."""
        named = {"annotations": self.annotations or self.root, "negatives": self.negatives, "ids": self.ids}
        named |= {f"train-ids {path.name}": path for path in self.train_ids}
        return {name: path for name, path in named.items() if path is not None}


class Scene:
    """A benchmark read as the words say, and the predictions scored on it."""

    def __init__(self, words: Words) -> None:
        from soundspot.benchmarks import PROTOCOLS, find_benchmark
        from soundspot.data.lists import read_ids

        self.words = words
        found = find_benchmark(words.benchmark)
        self.floors = found.floors
        rules = find(PROTOCOLS, words.protocol or found.protocol, "protocol")
        self.rules: Protocol = rules
        if words.truth is not None and words.truth != rules.truth:
            self.rules = replace(rules, truth=words.truth, name=f"{rules.name}, {words.truth}")
        chosen = chosen_of(words.benchmark, words.annotations, words.root, words.split, words.ids, words.negatives)
        self.pairs: list[tuple[Clip, Target]] = chosen[0]
        self.without_truth: list[Missing] = chosen[1]
        self.clip_list: dict[str, str] = chosen[2]
        self.train_ids = {path.name: read_ids(path) for path in words.train_ids}
        # published rows are of the benchmark as it is, so that an extended or a shortened one has another name
        title = words.benchmark if words.negatives is None else f"{words.benchmark} with {words.negatives.stem}"
        self.title = title if words.ids is None else f"{title}, clips of {words.ids.name}"
        self.predictions: dict[str, Predictions] = {}

    @property
    def targets(self) -> list[Target]:
        """The truth of every clip."""
        return [target for _, target in self.pairs]

    def score(self, names: Sequence[str], device: str) -> list[Result]:
        """The results of predictions files and priors, each with what it takes to make it again."""
        common = self._common(device)
        return [
            self._with_origin(self.score_one(self._maps(name), label, device), name, label, common)
            for name, label in labels_of(names).items()
        ]

    def score_one(self, maps: Predictions, label: str, device: str) -> Result:
        """The result of these predictions, called `label` in tables."""
        from soundspot.benchmarks import score as run

        self.predictions[label] = maps
        result = run(
            maps,
            self.targets,
            self.rules,
            name=label,
            benchmark=self.title,
            without_truth=self.without_truth,
            floors=self.floors,
            device=device,
            train_ids=self.train_ids,
        )
        return replace(result, provenance={**result.provenance, **self.clip_list})

    def prior(self, name: str) -> Predictions:
        """A prior's maps for this truth."""
        from soundspot.benchmarks import prior

        return prior(name, self.targets, self.rules)

    def _maps(self, name: str) -> Predictions:
        from soundspot.benchmarks import PRIORS
        from soundspot.predictions import Predictions

        is_file = Path(name).is_file()
        if not is_file and "." not in name and name not in PRIORS:
            raise unknown(PRIORS, name, "prior")
        return Predictions.load(Path(name)) if is_file or name not in PRIORS else self.prior(name)

    def _common(self, device: str) -> dict[str, Any]:
        """What it takes to make any result of this scene again."""
        from soundspot.benchmarks.origin import SCORING, taken_down, truth_sha256, versions
        from soundspot.metrics.intervals import NUM_RANK_RESAMPLES, NUM_RESAMPLES, SEED

        return {
            "words": self.words.plain(),
            "device": device,
            "files": {name: taken_down(path) for name, path in self.words.files().items()},
            "truth_sha256": truth_sha256(self.targets),
            "intervals": {"seed": SEED, "resamples": NUM_RESAMPLES, "resamples_of_ranks": NUM_RANK_RESAMPLES},
            "versions": versions(SCORING),
        }

    def _with_origin(self, result: Result, name: str, label: str, common: Mapping[str, Any]) -> Result:
        from soundspot.benchmarks.origin import taken_down

        is_file = Path(name).is_file()
        maps = {"file": taken_down(Path(name)), "made": self.predictions[label].made} if is_file else {"prior": name}
        return replace(result, provenance={**result.provenance, "again": {**common, "maps": maps}})

    def evidence(self) -> Evidence:
        """What the report shows of it."""
        from soundspot.benchmarks.report.evidence import Evidence

        return Evidence(self.pairs, self.predictions, self.rules)


def labels_of(names: Sequence[str]) -> dict[str, str]:
    """What tables call each: a prior by its name, a file by its stem, with its folders where stems are the same.

    UserError where a file or a prior is named twice.
    """
    places = {name: Path(name).resolve() if Path(name).is_file() else Path(name) for name in names}
    for number, name in enumerate(names):
        if places[name] in [places[other] for other in names[:number]]:
            raise UserError(f"expected each predictions file or prior once, got {name} again; leave it out")
    return {name: _label(place, set(places.values()) - {place}) for name, place in places.items()}


def _label(place: Path, others: Collection[Path]) -> str:
    """The fewest last parts of a path that tell it from the others."""
    if not place.is_absolute():
        return str(place)
    for depth in range(1, len(place.parts)):
        parts = place.with_suffix("").parts[-depth:]
        if all(other.with_suffix("").parts[-depth:] != parts for other in others):
            return "/".join(parts)
    return "/".join(place.parts[-2:])  # files that differ in their ending alone
