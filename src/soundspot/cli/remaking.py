"""Predictions made anew from what their file keeps of the run: the half of `verify` that needs the method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from soundspot.benchmarks.origin import clips_sha256, versions
from soundspot.benchmarks.verify import Check, compare_versions
from soundspot.cli.making import PACKAGES, Making
from soundspot.cli.words import usable_device
from soundspot.misread import why
from soundspot.types import UserError

if TYPE_CHECKING:
    from soundspot.predictions import Predictions


@dataclass(frozen=True)
class Run:
    """How a recorded run of `predict` is to be made again; None is as it was."""

    weights: str | None = None
    batch_size: int | None = None
    workers: int | None = None
    device: str | None = None


@dataclass(frozen=True)
class Made:
    """What a predictions file keeps of the run that made it."""

    making: Making
    weights_sha256: str
    num_clips: int
    clips_sha256: str
    batch_size: int
    workers: int | None
    device: str
    versions: Mapping[str, str]

    @staticmethod
    def of(plain: Mapping[str, Any]) -> Made:
        """From the file's `made`; UserError where that is empty or not whole."""
        if not plain:
            raise UserError("the predictions file does not say how it was made; only `soundspot predict` writes that")
        try:
            return Made(
                Making.of(plain["words"]),
                str(plain["weights_sha256"]),
                int(plain["clips"]),
                str(plain["clips_sha256"]),
                max(1, int(plain["batch_size"])),
                None if plain["workers"] is None else max(0, int(plain["workers"])),
                str(plain["device"]),
                {**plain["versions"]},
            )
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise UserError(
                f"expected all that makes the predictions again, got {why(error)}; predict again"
            ) from error


def remake(made: Made, run: Run, out: Path) -> tuple[Predictions | None, list[Check]]:
    """Predict once more, into `out`: the predictions, if they could be made, and what was checked on the way."""
    from soundspot.predict import predict

    making = replace(made.making, weights=run.weights or made.making.weights)
    checks = [compare_versions(made.versions, versions(PACKAGES), "versions of predict")]
    try:
        checks.append(_weights(making, made))
        clips, asked = making.clips()
        same = clips_sha256(clips, making.root) == made.clips_sha256
        said = f"{len(clips)} clips" if same else f"{made.num_clips} then, {len(clips)} now, or other media or moments"
        checks.append(Check("clips to predict", "ok" if same else "differs", said))
        device = usable_device(run.device or made.device)
        predictions = predict(
            making.method(device),
            clips,
            batch_size=run.batch_size or made.batch_size,
            num_workers=made.workers if run.workers is None else run.workers,
            device=device,
            path=out,
            asked=asked,
        )
    except UserError as error:
        return None, [*checks, Check("predict", "cannot be checked", str(error))]
    return predictions, checks


def _weights(making: Making, made: Made) -> Check:
    from soundspot.weights import find_weights, sha256

    path = find_weights(making.weights)
    now, then = sha256(path), made.weights_sha256
    if now == then:
        return Check("weights", "ok", f"sha256 {now[:12]}")
    return Check("weights", "differs", f"{path}: sha256 {then[:12]} then, {now[:12]} now")
