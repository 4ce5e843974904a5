"""Predictions as the words of a command name them: whose, of which clips, and what is kept to make them again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from soundspot.cli.words import chosen_of, must_hold_media, options_of, videos_of
from soundspot.types import UserError

if TYPE_CHECKING:  # `soundspot --help` must not import torch
    from soundspot.methods.base import Method
    from soundspot.types import Clip

PACKAGES = ("soundspot", "torch", "numpy", "av", "pillow", "timm", "transformers")
"""Packages that have a hand in maps."""
PLACES = ("root", "annotations", "negatives", "ids")


@dataclass(frozen=True)
class Making:
    """Which weights on which clips: the options of `predict` that decide the maps."""

    weights: str
    benchmark: str
    root: Path | None = None
    annotations: Path | None = None
    split: str | None = None
    negatives: Path | None = None
    ids: Path | None = None
    wrong_sound: bool = False
    settings: tuple[str, ...] = ()
    every: float | None = None

    def plain(self) -> dict[str, Any]:
        """As JSON, with whole paths."""
        places = {name: getattr(self, name) for name in PLACES}
        weights = Path(self.weights)
        return {
            **asdict(self),
            **{name: None if place is None else str(place.resolve()) for name, place in places.items()},
            "weights": str(weights.resolve()) if weights.is_file() else self.weights,
            "settings": list(self.settings),
        }

    @staticmethod
    def of(plain: Mapping[str, Any]) -> Making:
        """What `plain` gave."""
        places = {name: None if plain.get(name) is None else Path(plain[name]) for name in PLACES}
        return Making(
            str(plain["weights"]),
            str(plain["benchmark"]),
            split=plain.get("split"),
            wrong_sound=bool(plain.get("wrong_sound")),
            settings=tuple(map(str, plain.get("settings", ()))),
            every=plain.get("every"),
            **places,
        )

    def moved(self, place_of: Callable[[str, Path | None], Path | None]) -> Making:
        """The same, each path where `place_of` its option's name and itself says."""
        return replace(
            self,
            root=place_of("root", self.root),
            annotations=place_of("annotations", self.annotations),
            negatives=place_of("negatives", self.negatives),
            ids=place_of("ids", self.ids),
        )

    def clips(self) -> tuple[list[Clip], dict[str, str]]:
        """The clips to look at, and what the predictions' provenance says of them; UserError where there are none."""
        from soundspot.predict import replace_sounds

        asked: dict[str, str] = {}
        if self.benchmark == "videos":
            others = {
                "--annotations": self.annotations,
                "--split": self.split,
                "--negatives": self.negatives,
                "--ids": self.ids,
                "--wrong-sound": self.wrong_sound,
            }
            clips = videos_of(self.root, self.every, others)
        elif self.every is not None:
            raise UserError(
                f"{self.benchmark}: expected no --every, got {self.every}; a benchmark names its moments itself"
            )
        else:
            pairs, _, asked = chosen_of(
                self.benchmark, self.annotations, self.root, self.split, self.ids, self.negatives
            )
            clips = [clip for clip, target in pairs if target.kind == "visible" or not self.wrong_sound]
            clips = replace_sounds(clips) if self.wrong_sound else clips
            asked |= {"sounds": "of another class"} if self.wrong_sound else {}
        must_hold_media(self.benchmark, clips, self.root)
        return clips, asked

    def method(self, device: str) -> Method:
        """The method with its weights and these settings."""
        from soundspot.weights import find_weights, load

        return load(find_weights(self.weights), device=device, options=options_of(list(self.settings)))

    def made(self, clips: list[Clip], batch_size: int, workers: int | None, device: str) -> dict[str, Any]:
        """What the predictions file keeps of the run, beside what decides whether a run may go on."""
        import torch

        from soundspot.benchmarks.origin import clips_sha256, versions
        from soundspot.weights import find_weights, sha256

        return {
            "words": self.plain(),
            "weights_sha256": sha256(find_weights(self.weights)),
            "clips": len(clips),
            "clips_sha256": clips_sha256(clips, self.root),
            "batch_size": batch_size,
            "workers": workers,
            "device": device,
            "threads": torch.get_num_threads(),
            "seed": 0 if self.wrong_sound else None,
            "versions": versions(PACKAGES),
        }
