"""The verb that scores what a method hears, wherever it comes from."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from soundspot.cli.words import (
    Annotations,
    BatchSize,
    Device,
    Ids,
    Json,
    OptionsSet,
    Root,
    Split,
    Workers,
    chosen_of,
    must_hold_any,
    must_hold_media,
    options_of,
    print_rows,
    tell_missing,
)
from soundspot.types import UserError


def recognise(
    weights: Annotated[str, typer.Argument(help="A weights file of a method that names what it hears.")],
    benchmark: Annotated[str, typer.Argument(help="A name of `soundspot list benchmarks`.")],
    root: Root = None,
    annotations: Annotations = None,
    split: Split = None,
    ids: Ids = None,
    claimed: Annotated[float, typer.Option(help="The probability from which a class is claimed, 0..1.")] = 0.5,
    batch_size: BatchSize = 16,
    workers: Workers = None,
    settings: OptionsSet = None,
    out: Annotated[Path | None, typer.Option(help="A JSON file of every clip's probabilities to write.")] = None,
    device: Device = "cpu",
    as_json: Json = False,
) -> None:
    """Score the classes that a method hears in clips: NMI, precision, recall, mAP; in view or not is all the same."""
    from soundspot.media.files import written_aside
    from soundspot.recognition import recognise as run
    from soundspot.weights import find_weights, load

    if not 0 <= claimed <= 1:
        raise UserError(f"expected --claimed in 0..1, got {claimed:g}; 0.5 is usual")
    pairs, without_truth, _ = chosen_of(benchmark, annotations, root, split, ids)
    clips = [replace(clip, labels=_sounding(clip.labels or target.labels, target.kind)) for clip, target in pairs]
    if not any(clip.labels for clip in clips):
        raise UserError(f"{benchmark}: expected clips with class labels, got none; take another benchmark or split")
    must_hold_media(benchmark, clips, root)
    method = load(find_weights(weights), device=device, options=options_of(settings or []))
    heard = run(method, clips, batch_size=batch_size, num_workers=workers, device=device)
    must_hold_any(benchmark, len(clips) - len(heard.missing), heard.missing)
    tell_missing(heard.missing)
    counts = {"missing": len(heard.missing), "without_truth": len(without_truth)}
    values = {key: None if math.isnan(value) else value for key, value in {**heard.values(claimed), **counts}.items()}
    if out is not None:
        rows = {
            clip.id: {"labels": clip.labels, "heard": dict(zip(heard.names, row.tolist(), strict=True))}
            for clip, row in zip(clips, heard.probabilities, strict=True)
            if clip.id not in heard.missing
        }
        with written_aside(out) as aside:
            aside.write_text(json.dumps({"clips": rows, "missing": dict(heard.missing), "values": values}, indent=1))
    if as_json:
        print(json.dumps(values, indent=1))
        return
    print_rows([{"measure": key, "value": _text(value)} for key, value in values.items()], False)


def _sounding(labels: tuple[str, ...], kind: str) -> tuple[str, ...]:
    """Of noise and silence no class sounds, whatever is in view."""
    return labels if kind in ("visible", "offscreen") else ()


def _text(value: float | None) -> str:
    if value is None:
        return "nothing to measure"
    return str(value) if isinstance(value, int) else f"{value:.3f}"
