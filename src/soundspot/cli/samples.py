"""The verb `samples`: a command for each set that can be made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from soundspot.cli.words import Annotations, Device, Root, Split, pairs_of
from soundspot.types import UserError

samples_app = typer.Typer(
    help="Make test scenes, training scenes, the sample film, or more of a benchmark.", no_args_is_help=True
)
New = Annotated[Path, typer.Option("--root", help="New folder to write it to.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of every random choice.")]
Packages = Annotated[Path | None, typer.Option("--from", help="Folder of the packages, if they are not to be fetched.")]
Cache = Annotated[Path | None, typer.Option(help="Where fetched packages are kept.")]
Sounds = Annotated[list[Path], typer.Option(help="Folder of recordings as <class>/<name>.wav; may be said repeatedly.")]


@samples_app.command()
def stamps(
    root: New,
    source: Packages = None,
    cache: Cache = None,
    scenes: Annotated[int, typer.Option(min=0, help="Scenes a kind.")] = 300,
    seed: Seed = 0,
) -> None:
    """A test set of pasted photos that every machine can make again."""
    from soundspot.samples import packages
    from soundspot.samples import stamps as made

    cache = cache or packages.default_cache()
    print(made.build(root, source=source, cache=cache, scenes_per_kind=scenes, seed=seed))


@samples_app.command()
def paste(
    root: New,
    source: Annotated[Path | None, typer.Option("--from", help="Folder of cut-outs, sounds and backgrounds.")] = None,
    cache: Cache = None,
    moving: Annotated[bool, typer.Option(help="3 s films whose sounding object moves with its sound.")] = False,
    seed: Seed = 0,
) -> None:
    """Scenes to train, calibrate and test on, from your own material."""
    from soundspot.samples import packages, paste_source
    from soundspot.samples import paste as made

    if source is None:
        raise UserError(
            "paste: expected its material, got none; give --from FOLDER in the layout of docs/samples/paste.md"
        )
    kept = cache or packages.default_cache()
    tools = packages.melody_tools(kept) if paste_source.needs_melodies(source) else None
    print(made.build(root, source, seed=seed, moving=moving, packages=tools))


@samples_app.command()
def film(root: New, source: Packages = None, cache: Cache = None, seed: Seed = 0) -> None:
    """The sample film: three things sound in turn, one off screen, then none."""
    from soundspot.samples import film as made
    from soundspot.samples import packages

    print(made.build(root, source=source, cache=cache or packages.default_cache(), seed=seed))


@samples_app.command()
def vpo(
    root: New,
    coco: Annotated[Path, typer.Option(help="Folder of COCO's pictures.")],
    sounds: Sounds,
    annotations: Annotated[
        Path | None, typer.Option(help="instances_*.json; the only one below --coco, if none is named.")
    ] = None,
    mapping: Annotated[
        Path | None, typer.Option(help="JSON: COCO category -> list of sound classes, in place of the built-in table.")
    ] = None,
    leave_out: Annotated[Path | None, typer.Option(help="List of pictures, or of 'picture category'.")] = None,
    seconds: Annotated[float, typer.Option(help="Length of every sound.")] = 3.0,
    min_area: Annotated[float, typer.Option(help="Least share of the picture that a source must cover.")] = 0.01,
    per_class: Annotated[int, typer.Option(min=1, help="At most so many pictures a category.")] = 100,
    takes: Annotated[int, typer.Option(min=1, help="Recordings a picture and category.")] = 1,
    mixtures: Annotated[bool, typer.Option(help="Mix the sounds of pictures with several sources, too.")] = True,
    negatives: Annotated[
        int | None,
        typer.Option(min=0, help="Clips of each kind without a visible source; a third of the visible, if none."),
    ] = None,
    seed: Seed = 0,
) -> None:
    """Real photos whose annotated objects get matching recordings."""
    import json

    from soundspot.samples import vpo as made
    from soundspot.samples.vpo_about import counts_lines

    made.build(
        root, coco, sounds, annotations=annotations, mapping=mapping, leave_out=leave_out, seed=seed, seconds=seconds,
        min_area=min_area, per_class=per_class, takes=takes, mixtures=mixtures, negatives=negatives,
    )  # fmt: skip
    about = json.loads((root / "dataset.json").read_text(encoding="utf-8"))["sources"]
    print("\n".join([str(root), *counts_lines(about)]))


@samples_app.command()
def negatives(
    of: Annotated[str, typer.Option(help="A name of `soundspot list benchmarks`.")],
    out: Annotated[Path, typer.Option(help="New table to write (CSV: video,audio,label,sort).")],
    annotations: Annotations = None,
    root: Root = None,
    split: Split = None,
    manual: Annotated[
        Path | None, typer.Option(help="List of clips that somebody found to have no source in view.")
    ] = None,
    seed: Seed = 0,
) -> None:
    """Extend a labelled benchmark by as many clips without a visible source, as SLAVC did."""
    from soundspot.samples import negatives as made

    found = made.build(out, pairs_of(of, annotations, root, split), seed=seed, manual=manual)
    print("\n".join([str(out), *made.lines(found)]))


@samples_app.command()
def is3(
    root: New,
    sounds: Annotated[
        list[Path] | None, typer.Option(help="To draw: folder of recordings as <class>/<name>.wav; repeatedly.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="To draw: a text-to-image model of diffusers, a folder or a name.")
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="To draw: how many pictures.")] = 100,
    steps: Annotated[int, typer.Option(min=1, help="To draw: denoising steps.")] = 50,
    size: Annotated[
        int | None, typer.Option(min=1, help="To draw: side of the pictures; the model's own, if none.")
    ] = None,
    draft: Annotated[Path | None, typer.Option(help="To finish: the folder that was drawn and reviewed.")] = None,
    decisions: Annotated[Path | None, typer.Option(help="To finish: what the review page saved.")] = None,
    masks: Annotated[
        Path | None, typer.Option(help="To finish: folder of <picture>_<class>.png; the draft's masks, if none.")
    ] = None,
    seed: Seed = 0,
    device: Device = "cpu",
) -> None:
    """More of IS3: draw pictures of two sounding things to review, then make a test set of the accepted ones."""
    from soundspot.samples import is3 as made
    from soundspot.samples.diffusion import diffusion_painter

    drawing: dict[str, Any] = {"--sounds": sounds, "--model": model}
    finishing: dict[str, Any] = {"--draft": draft, "--decisions": decisions}
    if all(drawing.values()) and not any([*finishing.values(), masks]):
        assert sounds is not None
        assert model is not None
        made.check_draft(root, sounds, count=count, seed=seed, model=model)  # a model takes minutes to load
        paint = diffusion_painter(model, seed=seed, device=device, steps=steps, image_size=size)
        made.draft(root, sounds, paint, count=count, seed=seed, model=model)
        print(f"{root / made.PAGE}\topen it, decide, save, then: soundspot samples is3 --draft {root} --decisions ...")
        return
    if all(finishing.values()) and not any(drawing.values()):
        assert draft is not None
        assert decisions is not None
        print("\n".join([str(made.build(root, draft, decisions, masks=masks)), made.counts_line(root)]))
        return
    given = ", ".join(_given({**drawing, **finishing, "--masks": masks})) or "none of them"
    raise UserError(
        f"is3: expected --sounds and --model (to draw), or --draft and --decisions (to finish), got {given}; see --help"
    )


@samples_app.command()
def instruments(
    root: New,
    source: Annotated[
        Path | None, typer.Option("--from", help="Folder of cut-outs and backgrounds, as of paste.")
    ] = None,
    stamps: Annotated[
        Path | None, typer.Option(help="Folder of tuxpaint-stamps-default, if it is not to be fetched.")
    ] = None,
    cache: Cache = None,
    count: Annotated[list[str] | None, typer.Option(help="PART=CLIPS; may be said repeatedly.")] = None,
    seed: Seed = 0,
) -> None:
    """Instruments alone and several at once: solos, duets, 2x2 mosaics, in the wild, and an open set."""
    from soundspot.samples import instruments as made
    from soundspot.samples import instruments_source, packages

    if source is None:
        raise UserError(
            "instruments: expected its material, got none; give --from FOLDER in the layout of docs/samples/paste.md"
        )
    kept, counts = cache or packages.default_cache(), made.check_counts(made.read_counts(count or []))
    tools = packages.melody_tools(kept) if instruments_source.needs_melodies(source) else None
    name = instruments_source.OPEN_PACKAGE
    opened = packages.fetch([name], kept, source=stamps) if counts["test-open"] else None
    print(made.build(root, source, counts=counts, seed=seed, packages=tools, stamps=opened))


@samples_app.command()
def mixtures(
    root: New,
    of: Annotated[Path, typer.Option(help="Folder of clips of one source each, in soundspot's layout.")],
    split: Split = None,
    kind: Annotated[
        Literal["mosaic", "side_by_side", "composite"], typer.Option(help="How the pictures become one.")
    ] = "mosaic",
    frames: Annotated[int, typer.Option(min=1, help="Clips in view: 4 or 9 in a mosaic.")] = 4,
    sounding: Annotated[int, typer.Option(min=0, help="How many of them are heard.")] = 2,
    offscreen: Annotated[int, typer.Option(min=0, help="Sounds of further classes, not in view.")] = 0,
    ratio_db: Annotated[
        str, typer.Option(help="dB of each further sound to the first: one number, or LOW:HIGH to draw from.")
    ] = "0",
    sweep: Annotated[
        str | None, typer.Option(help="LOW:HIGH:STEP in dB: every mixture once a ratio of its second sound.")
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="How many mixtures.")] = 100,
    image_size: Annotated[int, typer.Option(min=1, help="Height of the pictures.")] = 224,
    seed: Seed = 0,
) -> None:
    """Several sounds at once from a folder of single ones: stated ratios, silent objects, off-screen sound."""
    from soundspot.data.mixtures import Wanted
    from soundspot.samples import mixed as made

    low, high = made.read_range(ratio_db)
    wanted = Wanted(frames, sounding, offscreen, ratio_db=(low, high))
    ratios = made.read_sweep(sweep) if sweep else ()
    print(
        made.build(
            root, of, split=split, kind=kind, wanted=wanted, ratios_db=ratios, count=count, seed=seed,
            image_size=image_size,
        )
    )  # fmt: skip


def _given(options: dict[str, Any]) -> Iterator[str]:
    return (name for name, value in options.items() if value)
