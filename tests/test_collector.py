"""The garbage collector rests where it is told to, and is afterwards as it was."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from soundspot.collector import collector_at_rest


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    was = gc.isenabled()
    yield
    (gc.enable if was else gc.disable)()


@collector_at_rest()
def _fails() -> None:
    assert not gc.isenabled()
    raise ValueError("here")


@pytest.mark.parametrize("at_work", [True, False])
def test_it_rests_and_is_as_it_was_even_after_an_error(at_work: bool) -> None:
    (gc.enable if at_work else gc.disable)()
    for _ in range(2):
        with pytest.raises(ValueError, match="here"):
            _fails()
        assert gc.isenabled() is at_work
