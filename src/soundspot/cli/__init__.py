"""The command line: each verb parses its words, calls one function, and prints what that gave.

Results go to stdout, progress and errors to stderr. Exit 0: done; 1: done, and the answer is no; 2: the input's fault.
"""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, NoReturn

import typer

from soundspot import __version__
from soundspot.cli import (
    data,
    export,
    live,
    media,
    page,
    recognition,
    results,
    retrieval,
    scoring,
    separation,
    training,
    verifying,
)
from soundspot.cli.samples import samples_app
from soundspot.media.files import is_disk_full
from soundspot.types import UserError

app = typer.Typer(
    name="soundspot",
    help="Visual sound localization: where a sound comes from in a picture or a film, and how sure.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
weights_app = typer.Typer(
    help="The encoders of the default localizer: package files, by exact version and sha256.", no_args_is_help=True
)
annotations_app = typer.Typer(
    help="Annotation files of the benchmarks: from their authors, by exact sha256.", no_args_is_help=True
)
VERBS: tuple[Callable[..., None], ...] = (
    media.localize,
    media.probe,
    live.live,
    page.page,
    separation.separate,
    training.train,
    training.neighbours,
    training.calibrate,
    scoring.predict,
    results.score,
    results.report,
    verifying.verify,
    data.check,
    data.extract,
    data.pack,
    training.convert,
    scoring.fuse,
    retrieval.embed,
    retrieval.retrieve,
    recognition.recognise,
    export.export,
)
"""In the order of --help."""
for verb in VERBS:
    app.command()(verb)
app.command("list")(scoring.list_)
app.add_typer(samples_app, name="samples")
app.add_typer(weights_app, name="weights")
app.add_typer(annotations_app, name="annotations")
annotations_app.command("fetch")(data.annotations_fetch)
annotations_app.command("list")(data.annotations_list)
weights_app.command("fetch")(training.weights_fetch)
weights_app.command("list")(training.weights_list)


def main() -> None:
    """Run the command line; a user's mistake is one line and exit code 2."""
    for stream in (sys.stdout, sys.stderr):  # a file's name may hold bytes that are no text
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    terminated: list[int] = []
    try:
        with _ending_on_sigterm(terminated):
            code = app(standalone_mode=False, prog_name="soundspot")
    except UserError as error:
        _stop(str(error))
    except _USAGE_ERROR as error:
        _stop(_usage(error))
    except typer.Abort:
        code = _INTERRUPTED
    except OSError as error:
        if is_disk_full(error):
            where = "" if error.filename is None else f" for {error.filename}"
            _stop(
                f"expected room on the disk{where}, got '{error.strerror}'; free some, or choose another place for"
                " results"
            )
        if error.filename is None:
            raise
        _stop(
            f"expected to be able to use {error.filename}, got '{error.strerror}'; check the path and its permissions"
        )
    if code == _INTERRUPTED:  # typer says nothing of it
        print("soundspot: stopped; the same words again go on, with --resume where a verb has it", file=sys.stderr)
        raise SystemExit(128 + signal.SIGTERM if terminated else _INTERRUPTED)
    raise SystemExit(code if isinstance(code, int) else 0)


_INTERRUPTED = 128 + signal.SIGINT
"""What typer makes of KeyboardInterrupt."""


@contextmanager
def _ending_on_sigterm(came: list[int]) -> Iterator[None]:
    """End on SIGTERM, which is then noted in `came`, as on Ctrl-C: else the process would end where it stands.

    Not where somebody else handles it, nor under `torchrun`: a rank that waits for one that is no more would come to
    it only after that.
    """
    handled = signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL or "TORCHELASTIC_RUN_ID" in os.environ
    if handled or threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, _: object) -> NoReturn:
        came.append(number)
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


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
