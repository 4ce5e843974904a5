"""Hostile files: each target takes its valid ones, everything found before, and a bounded time of spoilt ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from fuzz.mutations import MUTATIONS, spoilt
from fuzz.targets import TARGETS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

FOUND = Path(__file__).resolve().parents[2] / "fuzz" / "found"
"""A folder a target, with small files that once did what they must not."""
READ = frozenset({
    "changelog/cut", "changelog/damaged", "changelog/no-gzip", "checkpoint/name-of-two-lines",
    "checkpoint/state-is-a-list", "done/deep", "list-csv/one-short-row", "list-csv/second-of-many-digits",
    "looks/deep", "looks/time-is-a-list", "music_solo-json/long-name",
    "music_synthetic-npy/header-of-python-2", "onnx/cut", "options/many-digits", "published/protocol-233",
})  # fmt: skip
"""Of these, those that are no harm: what is damaged is begun anew, passed over, or not looked at; a long name's media
are missing. All others must be refused."""
EXAMPLES = 40
SLOW = {"weights-load": 4}
"""Fewer examples, since each builds a network."""
WAYS = st.lists(st.tuples(st.sampled_from(sorted(MUTATIONS)), st.integers(0, 2**32 - 1)), min_size=1, max_size=3)


@pytest.mark.parametrize("name", TARGETS)
def test_valid_files_are_read(name: str) -> None:
    aim = TARGETS[name]
    assert [aim(example) for example in aim.examples()] == ["value"] * len(aim.examples())


@pytest.mark.parametrize("name", TARGETS)
def test_spoilt_files_are_read_or_refused(name: str) -> None:
    aim = TARGETS[name]
    examples = list(aim.examples())

    @settings(
        max_examples=SLOW.get(name, EXAMPLES), deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(st.sampled_from(examples), WAYS, st.none() | st.binary(max_size=64))
    def spoil(example: bytes, ways: list[tuple[str, int]], raw: bytes | None) -> None:
        aim(spoilt(example, ways) if raw is None or len(raw) % 4 else raw)

    spoil()


@pytest.mark.parametrize("path", sorted(FOUND.glob("*/*")), ids=lambda path: f"{path.parent.name}-{path.name}")
def test_what_was_found_before_stays_mended(path: Path) -> None:
    wanted = "value" if f"{path.parent.name}/{path.name}" in READ else "refused"
    assert TARGETS[path.parent.name](path.read_bytes()) == wanted
