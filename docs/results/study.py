"""What the studies on `paste` share: test scenes kept as features of the frozen towers, and tables over seeds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch

from soundspot.benchmarks import score
from soundspot.benchmarks.result import Result
from soundspot.data.features import KeptStack
from soundspot.data.loader import batches
from soundspot.media.files import written_aside
from soundspot.media.image import read_image
from soundspot.methods.base import Method
from soundspot.methods.towers import TwoTowers
from soundspot.predict import provenance, replace_sounds
from soundspot.predictions import Predictions
from soundspot.types import Clip, Target

BATCH_SIZE = 50


class TestScenes:
    """Scenes as what frozen stages say of them: read when first asked for, then scored from memory.

    Methods that share one instance must have the same frozen stages and inputs.
    """

    def __init__(self, pairs: Sequence[tuple[Clip, Target]], device: str = "cpu", num_workers: int = 0) -> None:
        """`device` computes; `num_workers` processes read."""
        self.device, self.num_workers = device, num_workers
        self.clips = {clip.id: clip for clip, _ in pairs}
        self.targets = [  # masks would be read anew every time
            replace(target, mask=read_image(target.mask).max(axis=2) > 0) if isinstance(target.mask, Path) else target
            for _, target in pairs
        ]
        self.missing: dict[str, str] = {}
        self.stacks: list[KeptStack] = []

    def predictions(self, method: Method, *, wrong_sound: bool = False) -> Predictions:
        """The maps of a method in evaluation mode; `wrong_sound`: every labelled scene hears one of another class."""
        method.eval().to(self.device)
        stacks = self.stacks or self.read(method)
        maps: dict[str, Any] = {}
        with torch.no_grad():
            for kept in self._with_wrong_sounds(stacks) if wrong_sound else stacks:
                scores = method.localize(kept.to_batch(method.inputs, self.device)).cpu().numpy()
                maps.update(zip((clip.id for clip in kept.clips), scores, strict=True))
        return Predictions(maps, self.missing, provenance(method))

    def read(self, method: Method) -> list[KeptStack]:
        """Let the frozen stages of a method see and hear them."""
        assert isinstance(method, TwoTowers)
        with torch.no_grad():
            read = batches(
                list(self.clips.values()),
                method.inputs,
                batch_size=BATCH_SIZE,
                device=self.device,
                num_workers=self.num_workers,
            )
            for batch, missing in read:
                self.missing.update({entry.clip_id: entry.reason for entry in missing})
                if batch is not None:
                    features = {name: value.half().cpu() for name, value in method.through_frozen(batch).items()}
                    self.stacks.append(KeptStack(features, tuple(self.clips[name] for name in batch.clip_ids)))
        return self.stacks

    def _with_wrong_sounds(self, stacks: Sequence[KeptStack]) -> list[KeptStack]:
        sounds = {
            clip.audio: row for kept in stacks for clip, row in zip(kept.clips, kept.features["audio"], strict=True)
        }
        clips = replace_sounds([clip for clip in self.clips.values() if clip.labels])
        wrong = {clip.id: sounds[clip.audio] for clip in clips if clip.audio in sounds}
        return [
            KeptStack(
                {
                    **kept.features,
                    "audio": torch.stack(
                        [wrong.get(clip.id, own) for clip, own in zip(kept.clips, kept.features["audio"], strict=True)]
                    ),
                },
                kept.clips,
            )
            for kept in stacks
        ]

    def score(self, predictions: Predictions, protocol: str = "strict", *, name: str = "") -> Result:
        """Without intervals: the spread over seeds is what tables show."""
        return score(predictions, self.targets, protocol, name=name, intervals=False, beside=False)


def numbers(result: Result) -> dict[str, float]:
    """Of a result's summary, the values alone."""
    return {key: value.value for key, value in result.summary.items()}


def write(path: Path, row: Mapping[str, Any]) -> None:
    """As JSON, whole or not at all: what is there is not made again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_aside(path) as aside:
        aside.write_text(json.dumps(row, indent=1))


def percent(values: Sequence[float]) -> str:
    """The mean, and the standard deviation over seeds where there are several."""
    return f"{100 * mean(values):.1f}" + (f" ± {100 * stdev(values):.1f}" if len(values) > 1 else "")


def table(heading: str, columns: Sequence[str], rows: Mapping[str, Sequence[str]]) -> str:
    """Markdown, a row a title."""
    lines = [f"| {heading} | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    return "\n".join([*lines, *(f"| {title} | {' | '.join(cells)} |" for title, cells in rows.items())])
