"""Names that are not known: the nearest is offered, and a long table does not flood the screen."""

from __future__ import annotations

from soundspot.lookup import SHOWN, unknown


def test_a_long_table_shows_the_nearest_and_how_many_there_are() -> None:
    names = [f"method{number}_vggsound" for number in range(90)] + ["ez_vsl_paste"]
    said = str(unknown(names, "ez_vsl_past", "recipe"))
    assert said.startswith("unknown recipe 'ez_vsl_past': expected one of 91, such as ez_vsl_paste, ")
    assert said.endswith("; did you mean 'ez_vsl_paste'?")
    assert said.count(",") < SHOWN
    assert "such as" in str(unknown(names, "???", "recipe"))


def test_a_short_table_is_shown_whole() -> None:
    assert str(unknown(["b", "a"], "zzz", "rule")) == "unknown rule 'zzz': expected one of a, b; use one of them"
