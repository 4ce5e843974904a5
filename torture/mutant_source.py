"""Mutants of our source files as cosmic-ray makes them, and a sample of them drawn by seed."""

from __future__ import annotations

import ast
import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

Position = tuple[int, int]
"""A line from 1, a column from 0."""


@dataclass(frozen=True)
class Mutant:
    """One change of one file: the `occurrence`-th place of cosmic-ray's `operator` in it."""

    file: str
    operator: str
    occurrence: int
    start: Position
    end: Position

    @property
    def id(self) -> str:
        """A name that one state of the source has once."""
        return f"{self.file}:{self.start[0]}:{self.start[1]}:{self.operator.split('/')[-1]}:{self.occurrence}"


@dataclass(frozen=True)
class Drawn:
    """A mutant, the file's text with it, and the line before and after."""

    mutant: Mutant
    text: str
    before: str
    after: str


def mutants_of(file: str, text: str) -> list[Mutant]:
    """All that cosmic-ray's operators without arguments can do to the code of `text` that runs."""
    import cosmic_ray.plugins
    from cosmic_ray.ast import ast_nodes, get_ast

    left_out = list(_never_run(ast.parse(text)))
    nodes = list(ast_nodes(get_ast(text)))
    found = []
    for name in sorted(cosmic_ray.plugins.operator_names()):
        operator_class = cosmic_ray.plugins.get_operator(name)
        if operator_class.arguments():
            continue
        operator = operator_class()
        places = (place for node in nodes for place in operator.mutation_positions(node))
        found += [Mutant(file, name, number, *place) for number, place in enumerate(places)]
    found = [mutant for mutant in found if not any(low <= mutant.start < high for low, high in left_out)]
    lines = text.splitlines()
    return [mutant for mutant in found if not _marks_parameters(lines[mutant.start[0] - 1], mutant)]


def _marks_parameters(line: str, mutant: Mutant) -> bool:
    """Whether it is the `*` alone before parameters given by name, which cosmic-ray takes for a product."""
    if line[mutant.start[1]] != "*":
        return False
    before, after = line[: mutant.start[1]].rstrip(), line[mutant.end[1] :].lstrip()
    return before[-1:] in ("", "(", ",") and after.startswith(",")


def draw(root: Path, files: list[str], count: int, seed: int) -> tuple[dict[str, int], dict[str, int], list[Drawn]]:
    """How many mutants and places each of `files` has, and `count` mutants drawn by `seed`.

    Places are drawn, files in proportion to theirs, and then one mutant of each: a `+` has eleven other operators to
    become, nearly all of which any test sees, and would crowd out the rest.
    """
    texts = {file: (root / file).read_text(encoding="utf-8") for file in files}
    mutants = {file: mutants_of(file, text) for file, text in texts.items()}
    places = {file: _by_place(found) for file, found in mutants.items()}
    num_places = {file: len(of_file) for file, of_file in places.items()}
    shares = _shares(num_places, count)
    drawn = []
    for file, share in shares.items():
        numbers = random.Random(f"{seed} {file}")
        of_file = list(places[file].values())
        numbers.shuffle(of_file)
        made = (one for at_place in of_file for one in _first_that_differs(texts[file], at_place, numbers))
        drawn += [one for one, _ in zip(made, range(share), strict=False)]
    return {file: len(found) for file, found in mutants.items()}, num_places, drawn


def _by_place(mutants: list[Mutant]) -> dict[tuple[str, Position, Position], list[Mutant]]:
    places: dict[tuple[str, Position, Position], list[Mutant]] = {}
    for mutant in sorted(mutants, key=lambda mutant: (mutant.start, mutant.end, mutant.operator, mutant.occurrence)):
        kind = mutant.operator.split("/")[-1].split("_")[0]
        places.setdefault((kind, mutant.start, mutant.end), []).append(mutant)
    return places


def _shares(sizes: dict[str, int], count: int) -> dict[str, int]:
    """`count` shared out in proportion to `sizes`, largest remainders first."""
    total = sum(sizes.values())
    count = min(count, total)
    exact = {file: count * size / total for file, size in sizes.items()}
    shares = {file: int(share) for file, share in exact.items()}
    for file in sorted(exact, key=lambda file: (shares[file] - exact[file], file))[: count - sum(shares.values())]:
        shares[file] += 1
    return shares


def _first_that_differs(text: str, at_place: list[Mutant], numbers: random.Random) -> Iterator[Drawn]:
    """One of a place's mutants that compiles to something else than the original, if any does."""
    for mutant in numbers.sample(at_place, len(at_place)):
        try:
            mutated = mutate(text, mutant)
            same = ast.dump(ast.parse(mutated)) == ast.dump(ast.parse(text))
        except (SyntaxError, AttributeError):  # the second is cosmic-ray's, of `except module.Name`
            continue
        if not same:
            number = mutant.start[0] - 1
            yield Drawn(mutant, mutated, text.splitlines()[number].strip(), mutated.splitlines()[number].strip())
            return


def mutate(text: str, mutant: Mutant) -> str:
    """`text` with `mutant` in it."""
    import cosmic_ray.plugins
    from cosmic_ray.mutating import mutate_code

    mutated: str | None = mutate_code(text, cosmic_ray.plugins.get_operator(mutant.operator)(), mutant.occurrence)
    assert mutated is not None
    return mutated


def _never_run(tree: ast.Module) -> Iterator[tuple[Position, Position]]:
    """From where to where annotations and what only type checkers read stand."""
    for node in ast.walk(tree):
        unread: list[ast.AST | None] = []
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            unread = [node.returns]
        elif isinstance(node, ast.arg | ast.AnnAssign):
            unread = [node.annotation]
        elif isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            unread = [node]
        for part in unread:
            if part is not None:
                yield (part.lineno, part.col_offset), (part.end_lineno, part.end_col_offset)  # type: ignore[attr-defined]


@lru_cache(maxsize=64)
def _parsed(text: str) -> ast.Module:
    return ast.parse(text)


def lines_run_with(text: str, line: int) -> range:
    """The lines whose running tells that `line` was used: its statement's, or for a function's head those of its body.

    Empty for a statement of the module itself, which runs once and for all.
    """
    tree = _parsed(text)
    found: ast.AST = tree
    inside = False
    while True:
        within = [node for node in _statements(found) if _first(node) <= line <= (node.end_lineno or 0)]
        if not within:
            break
        inside = inside or isinstance(found, ast.FunctionDef)
        found = within[0]
    if isinstance(found, ast.FunctionDef):
        return range(found.body[0].lineno, (found.end_lineno or 0) + 1)
    if not inside or isinstance(found, ast.Module):
        return range(0)
    body = getattr(found, "body", None)
    last = body[0].lineno - 1 if isinstance(body, list) else found.end_lineno  # type: ignore[attr-defined]
    return range(_first(found), max(last or 0, _first(found)) + 1)


def _statements(node: ast.AST) -> list[ast.stmt | ast.excepthandler | ast.match_case]:
    return [
        child
        for name in ("body", "orelse", "finalbody", "handlers")
        for child in (getattr(node, name, None) or [])
        if isinstance(child, ast.stmt | ast.excepthandler)
    ]


def _first(node: ast.AST) -> int:
    decorators = getattr(node, "decorator_list", [])
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])  # type: ignore[attr-defined]
