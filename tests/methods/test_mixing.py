"""Mixing while training: exact ratios, loudness that does not matter, and a curriculum that only gets harder."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from soundspot.methods.mixing import Curriculum, Level, Plan, draw, mix, union
from soundspot.types import UserError


def tones(*cycles: int, length: int = 512) -> torch.Tensor:
    """Sines that are orthogonal over the window, so that a mixture can be taken apart."""
    return torch.stack([torch.sin(2 * torch.pi * n * torch.arange(length) / length) for n in cycles])


def level_of(whole: torch.Tensor, tone: torch.Tensor) -> torch.Tensor:
    """(B, N), (N,) -> (B,), the root mean square of the tone's part."""
    return (whole @ tone).abs() / tone.norm() / len(tone) ** 0.5


@settings(max_examples=50, deadline=None)
@given(st.floats(-30, 30), st.floats(0.01, 3), st.floats(0.01, 3))
def test_a_ratio_is_exact_whatever_the_gains(ratio: float, one: float, other: float) -> None:
    waves = tones(3, 7) * torch.tensor([[one], [other]])
    whole = mix(waves, Plan(torch.tensor([[0, 1]]), torch.tensor([[0.0, ratio]])))
    found = 20 * torch.log10(level_of(whole, tones(7)[0]) / level_of(whole, tones(3)[0]))
    assert found.item() == pytest.approx(ratio, abs=1e-2)
    assert whole.square().mean().sqrt().item() == pytest.approx(one / 2**0.5, rel=1e-4), "as loud as the clip itself"


@settings(max_examples=20, deadline=None)
@given(st.floats(0.05, 20))
def test_the_others_gain_changes_nothing_and_the_own_one_scales(gain: float) -> None:
    waves, plan = tones(2, 5, 9), Plan(torch.tensor([[1, 0, 2]]), torch.tensor([[0.0, 4.0, -torch.inf]]))
    whole = mix(waves, plan)
    torch.testing.assert_close(mix(waves * torch.tensor([[gain], [1.0], [gain]]), plan), whole, rtol=1e-4, atol=1e-5)
    louder = mix(waves * torch.tensor([[1.0], [gain], [1.0]]), plan)
    torch.testing.assert_close(louder, gain * whole, rtol=1e-4, atol=1e-5)
    assert level_of(whole, waves[2]).item() == pytest.approx(0, abs=1e-5), "left out"


def test_one_alone_stays_as_it_is_and_silence_adds_nothing() -> None:
    waves = torch.stack([0.3 * tones(4)[0], torch.zeros(512)])
    plan = Plan(torch.tensor([[0, 1], [1, 0]]), torch.tensor([[0.0, 6.0], [0.0, 0.0]]))
    whole = mix(waves, plan)
    torch.testing.assert_close(whole[0], waves[0])
    assert not whole[1].any()
    assert whole.isfinite().all()
    assert union(torch.tensor([2, 1]), plan, waves, 3).tolist() == [[0, 0, 1], [0, 0, 1]]


def test_the_union_has_the_classes_of_all_members_that_are_mixed() -> None:
    labels = torch.tensor([3, 0, 0, 2])
    plan = Plan(torch.tensor([[0, 1, 3], [1, 2, 3]]), torch.tensor([[0.0, -5.0, -torch.inf], [0.0, 1.0, 2.0]]))
    assert union(labels, plan, tones(1, 2, 3, 4), 4).tolist() == [[1, 0, 0, 1], [1, 0, 1, 0]]


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 9), st.floats(0, 1), st.integers(2, 5), st.integers(0, 1000))
def test_what_is_drawn(count: int, share: float, most: int, seed: int) -> None:
    torch.manual_seed(seed)
    members, ratios = draw(count, Level(share, most), 10.0)
    torch.manual_seed(seed)
    again = draw(count, Level(share, most), 10.0)
    assert torch.equal(members, again.members)
    assert torch.equal(ratios, again.ratios_db)
    assert members[:, 0].tolist() == list(range(count))
    assert not ratios[:, 0].any()
    assert all(len(set(row.tolist())) == len(row) for row in members)
    used = ratios.isfinite()
    assert (ratios[used].abs() <= 10).all()
    assert (used.sum(dim=1) <= most).all()
    if share == 0:
        assert (used.sum(dim=1) == 1).all()
    if share == 1 and count > 1:
        assert (used.sum(dim=1) >= 2).all()


@settings(max_examples=50, deadline=None)
@given(st.floats(0, 1), st.integers(2, 8), st.integers(0, 20))
def test_a_curriculum_only_gets_harder_and_ends_at_its_top(share: float, most: int, epochs: int) -> None:
    curriculum = Curriculum(Level(share, most), epochs)
    levels = [curriculum.at(epoch) for epoch in range(epochs + 3)]
    assert levels[-1] == (share, most)
    assert all(2 <= level.most <= most and 0 <= level.share <= share for level in levels)
    for earlier, later in pairwise(levels):
        assert later.share >= earlier.share
        assert later.most >= earlier.most
    assert levels[0] == ((0.0, 2) if epochs > 1 else (share, most))


def test_plans_that_do_not_fit_say_so() -> None:
    with pytest.raises(UserError, match="expected waveforms"):
        mix(tones(1)[0], Plan(torch.zeros(1, 1, dtype=torch.long), torch.zeros(1, 1)))
