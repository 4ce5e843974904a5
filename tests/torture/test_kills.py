"""Eight kills -9 by seed, two a verb: `python -m torture kills` does a hundred."""

from __future__ import annotations

import pytest
from torture.kill_verbs import VERBS
from torture.kills import Kill, Trial, plan, table, trials

SEED = 0
KILLS = 8


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> list[Trial]:
    return list(trials(SEED, KILLS, tmp_path_factory.mktemp("kills"), []))


@pytest.mark.parametrize("verb", VERBS)
def test_what_was_killed_finishes_and_is_equal_to_what_was_not(verb: str, tried: list[Trial]) -> None:
    mine = [trial for trial in tried if trial.verb == verb]
    assert sum(len(trial.kills) for trial in mine) == KILLS // len(VERBS)
    assert {trial.number: trial.wrong for trial in mine if trial.wrong} == {}


def test_the_table_counts_kills_and_names_what_is_wrong(tried: list[Trial]) -> None:
    bad = Trial("pack", 7, False, [Kill(0.95, "operations")], [0.97], 2, 1.0, ["out/shard-000001.tar"])
    text = table([*tried, bad], SEED, "abc")
    assert "| pack | 3 |" in text
    assert "- pack 7: out/shard-000001.tar" in text


def test_a_seed_gives_the_same_kills_that_reach_to_the_very_end() -> None:
    plans = [plan(3, "train", number, 12) for number in range(12)]
    assert plans == [plan(3, "train", number, 12) for number in range(12)]
    assert plans != [plan(4, "train", number, 12) for number in range(12)]
    firsts = [kills[0].share for kills in plans]
    assert all(number / 12 <= share < (number + 1) / 12 for number, share in enumerate(firsts))
    assert {kill.by for kills in plans for kill in kills} == {"seconds", "operations"}
    assert {len(kills) for kills in plans} == {1, 2, 3}


def test_a_difference_is_seen(tried: list[Trial], tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = next(tmp_path_factory.getbasetemp().glob("kills*")) / "pack-undisturbed-one"
    before = VERBS["pack"].results(folder)
    left = folder / "out/.left.partial-0"
    left.touch()
    assert VERBS["pack"].results(folder).keys() - before.keys() == {"out/.left.partial-0"}
    left.unlink()
    shard = folder / "out/shard-000000.tar"
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-1] + b"x")
    assert VERBS["pack"].results(folder) != before
    shard.write_bytes(whole)
