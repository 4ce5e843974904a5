"""Verbs about vectors: embed a benchmark's pictures and sounds, and let one find the other."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

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
    console_of,
    must_hold_any,
    must_hold_media,
    options_of,
    pairs_of,
    tell_missing,
)
from soundspot.types import UserError

if TYPE_CHECKING:  # `soundspot --help` stays instant
    from soundspot.composition import Composed
    from soundspot.embeddings import Embeddings


def embed(
    weights: Annotated[str, typer.Argument(help="'default', or a weights file.")],
    benchmark: Annotated[str, typer.Argument(help="A name of `soundspot list benchmarks`.")],
    out: Annotated[Path, typer.Option(help="The embeddings file to write.")],
    root: Root = None,
    annotations: Annotations = None,
    split: Split = None,
    ids: Ids = None,
    space: Annotated[
        Literal["projected", "backbone"] | None,
        typer.Option(help="Where vectors live: behind the method's own heads, or before. The method's own, if none."),
    ] = None,
    batch_size: BatchSize = 16,
    workers: Workers = None,
    settings: OptionsSet = None,
    device: Device = "cpu",
) -> None:
    """Write a vector for each picture and each sound of a benchmark's clips whose source is in view."""
    from soundspot.embed import embed as run
    from soundspot.weights import find_weights, load

    pairs, without_truth, clip_list = chosen_of(benchmark, annotations, root, split, ids)
    clips = [
        replace(clip, group=clip.group or target.group, labels=clip.labels or target.labels)
        for clip, target in pairs
        if target.kind == "visible"
    ]
    if not clips:
        raise UserError(f"{benchmark}: expected clips whose source is in view, got none; embed another benchmark")
    must_hold_media(benchmark, clips, root)
    method = load(find_weights(weights), device=device, options=options_of(settings or []))
    made = run(method, clips, space=space, batch_size=batch_size, num_workers=workers, device=device)
    must_hold_any(benchmark, len(made), made.missing)
    tell_missing(made.missing)
    origin = {**made.provenance, **clip_list, "benchmark": benchmark}
    if split is not None:
        origin["split"] = split
    if len(clips) < len(pairs):
        origin["left_out"] = f"{len(pairs) - len(clips)} clips whose source is not in view: no true pairs"
    missing = {**{entry.clip_id: f"without truth: {entry.reason}" for entry in without_truth}, **made.missing}
    made = replace(made, provenance=origin, missing=missing)
    made.save(out)
    print(f"{out}\t{len(made)} of {len(made) + len(missing)} clips, {len(missing)} missing\t{origin['space']}")


def retrieve(
    embeddings: Annotated[Path, typer.Argument(help="An embeddings file.")],
    right: Annotated[
        Literal["own", "group"],
        typer.Option(help="Which answers are right: the query's own, or any of the clips that share its picture."),
    ] = "own",
    compose: Annotated[
        str | None, typer.Option(help="Id of the clip whose picture asks, together with --sound.")
    ] = None,
    sound: Annotated[list[str] | None, typer.Option(help="Id of a clip whose sound asks too; may be repeated.")] = None,
    share: Annotated[float, typer.Option(help="The picture's share of a composed query, 0..1.")] = 0.5,
    top: Annotated[int, typer.Option(min=1, help="How many pictures a composed query is to find.")] = 5,
    out: Annotated[
        Path | None, typer.Option(help="A picture file to show a composed query and its answers in.")
    ] = None,
    root: Root = None,
    annotations: Annotations = None,
    as_json: Json = False,
) -> None:
    """Sounds find pictures and pictures sounds: recalls, gap, alignment; or a picture and sounds find pictures."""
    from soundspot.embeddings import Embeddings

    made = Embeddings.load(embeddings)
    if compose is None:
        if sound or out is not None:
            raise UserError("expected --compose beside --sound and --out, got none; name the clip whose picture asks")
        _print_recalls(made, embeddings.stem, right, as_json)
        return
    from soundspot.composition import compose_and_find

    if not sound:
        raise UserError("expected --sound beside --compose, got none; name the clip whose sound asks")
    composed = compose_and_find(made, compose, sound, share=share, count=top)
    if out is not None:
        _draw(composed, made, out, root, annotations)
    if as_json:
        print(json.dumps({**vars(composed), "sheet": str(out) if out else None}, indent=1, ensure_ascii=False))
        return
    for number, (clip_id, cosine) in enumerate(composed.found, start=1):
        print(f"{number}\t{clip_id}\t{cosine:.4f}\t{', '.join(composed.labels[clip_id])}")


def _print_recalls(made: Embeddings, name: str, right: str, as_json: bool) -> None:
    from soundspot.benchmarks.retrieval import notes, score_retrieval, table

    result = score_retrieval(made, name=name, right=right)
    if as_json:
        print(json.dumps(json.loads(result.to_json(records=False)), indent=1))
        return
    console = console_of()
    console.print(table(result))
    for note in notes(result):
        console.print(note, style="dim", markup=False)


def _draw(composed: Composed, made: Embeddings, out: Path, root: Path | None, annotations: Path | None) -> None:
    """The contact sheet, with media of the benchmark that the embeddings are of."""
    from soundspot.composition import sheet
    from soundspot.media.image import write_image

    benchmark = made.provenance.get("benchmark")
    if benchmark is None or root is None:
        got = "no --root" if benchmark else "embeddings that name no benchmark"
        raise UserError(f"--out: expected a benchmark's media to draw, got {got}; give --root, or embed again")
    clips = {clip.id: clip for clip, _ in pairs_of(benchmark, annotations, root, made.provenance.get("split"))}
    gone = [name for name in composed.labels if name not in clips]
    if gone:
        raise UserError(f"{root}: expected the clips of the embeddings, got none called {gone[0]}; give their --root")
    write_image(out, sheet(composed, clips))
