"""What there is, by name: a row an entry, for `soundspot list`."""

from __future__ import annotations

import importlib
from collections.abc import Callable

Rows = list[dict[str, str]]


def catalogue(what: str) -> Rows:
    """The rows of one kind of thing."""
    return _KINDS[what]()


def _first_line(doc: str | None) -> str:
    return (doc or "").strip().splitlines()[0] if doc else ""


def _methods() -> Rows:
    from soundspot.methods import METHODS

    modules = {name: importlib.import_module(place.partition(":")[0]) for name, place in METHODS.items()}
    return [{"name": name, "method": _first_line(module.__doc__)} for name, module in modules.items()]


def _weights() -> Rows:
    from soundspot.weights import BUILT_IN, find_weights, read_header

    headers = {name: read_header(find_weights(name)) for name in BUILT_IN}
    return [
        {
            "name": name,
            "method": header["method"],
            "licence": header.get("licence", ""),
            "source": header.get("source", ""),
        }
        for name, header in headers.items()
    ]


def _benchmarks() -> Rows:
    from soundspot.benchmarks import BENCHMARKS

    return [
        {"name": b.name, "title": b.title, "needs": b.needs, "protocol": b.protocol, "sound": b.settings}
        for b in BENCHMARKS.values()
    ]


def _recipes() -> Rows:
    from soundspot.recipes import RECIPES, recipe

    built = [recipe(name) for name in RECIPES]
    return [{"name": r.name, "method": r.method, "epochs": str(r.epochs), "batch": str(r.batch_size)} for r in built]


def _protocols() -> Rows:
    from soundspot.benchmarks import PROTOCOLS

    return [{"name": p.name, "source": p.source, "rules": p.description} for p in PROTOCOLS.values()]


def _priors() -> Rows:
    from soundspot.benchmarks import PRIORS

    return [{"name": name, "what": _first_line(make.__doc__)} for name, make in PRIORS.items()]


def _spectrograms() -> Rows:
    from soundspot.media.audio import SPECTROGRAMS

    return [
        {"name": name, "what": _first_line(getattr(make, "func", make).__doc__)} for name, make in SPECTROGRAMS.items()
    ]


_KINDS: dict[str, Callable[[], Rows]] = {
    "methods": _methods,
    "weights": _weights,
    "benchmarks": _benchmarks,
    "recipes": _recipes,
    "protocols": _protocols,
    "priors": _priors,
    "spectrograms": _spectrograms,
}
