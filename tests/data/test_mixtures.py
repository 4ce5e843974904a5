"""Mixtures: ratios as stated, nothing clips, boxes and masks where the pictures went, and the same from a seed."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soundspot.data.arrangements import Seen, Single, View, composite, mosaic, side_by_side
from soundspot.data.mixtures import (
    PEAK,
    Component,
    Mixture,
    Wanted,
    draw,
    make,
    mix,
    mixture,
    sweep,
)
from soundspot.media.sound import rms_db
from soundspot.types import UserError

LABELS = ("bell", "drum", "flute", "gong", "horn")
SIZE = 32
RNG = np.random.default_rng(0)


def noise(seed: int, count: int = 4000) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, count).astype(np.float32)


def single(number: int, *, also: str | None = None, box: tuple[int, int, int, int] = (8, 4, 20, 16)) -> Single:
    """A grey picture of one value with a square of another, and perhaps a silent object in the corner below right."""
    image = np.full((SIZE, SIZE, 3), 20 * number, np.uint8)
    x0, y0, x1, y1 = box
    image[y0:y1, x0:x1] = 200 + number
    mask = np.zeros((SIZE, SIZE), bool)
    mask[y0:y1, x0:x1] = True
    label = LABELS[number]
    objects = [Seen(label, tuple(np.array(box) / SIZE), mask, True, f"clip{number}")]
    if also:
        corner = np.zeros((SIZE, SIZE), bool)
        corner[24:, 24:] = True
        objects.append(Seen(also, (0.75, 0.75, 1.0, 1.0), corner, False, f"clip{number}"))
    return Single(View(image, tuple(objects)), label, noise(number), f"clip{number}")


@given(ratios=st.lists(st.floats(-30, 30), min_size=1, max_size=4), level=st.floats(-40, -3), seed=st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_sounds_stand_at_their_ratios_and_never_clip(ratios: list[float], level: float, seed: int) -> None:
    rows = mix([noise(seed + i) * 10.0**-i for i in range(len(ratios))], ratios, level_db=level)
    levels = [rms_db(row) for row in rows]
    assert np.diff(levels) == pytest.approx(np.diff(ratios), abs=0.01)
    whole = rows.sum(axis=0)
    peak = float(np.abs(whole).max())
    assert peak <= PEAK + 1e-5
    reached = abs(rms_db(whole) - level) < 0.01
    assert reached or (rms_db(whole) < level and peak == pytest.approx(PEAK, abs=1e-4))


@pytest.mark.parametrize(
    ("waveforms", "ratios", "message"),
    [
        ([noise(0), np.zeros(4000, np.float32)], [0, 0], "got silence as number 1"),
        ([noise(0), noise(1, 3999)], [0, 0], r"got lengths \[3999, 4000\]"),
        ([noise(0)], [0, 0], "of 1 waveforms and 2 ratios"),
        ([noise(0), -noise(0)], [0, 0], "cancel each other"),
    ],
)
def test_sounds_that_cannot_be_mixed(waveforms: list, ratios: list, message: str) -> None:
    with pytest.raises(UserError, match=message):
        mix(waveforms, ratios)


def test_a_mosaic_shows_each_clip_in_its_quarter() -> None:
    view = mosaic([single(1), single(2, also="gong").hushed(), single(3), single(4)], 2 * SIZE, RNG)
    assert view.image.shape == (2 * SIZE, 2 * SIZE, 3)
    assert [view.image[y, x, 0] for y in (0, SIZE) for x in (0, SIZE)] == [20, 40, 60, 80]
    assert [seen.label for seen in view.objects] == ["drum", "flute", "gong", "gong", "horn"]
    assert [seen.sounding for seen in view.objects] == [True, False, False, True, True]
    for number, seen in ((1, view.objects[0]), (2, view.objects[1]), (3, view.objects[3]), (4, view.objects[4])):
        assert np.all(view.image[seen.mask] == 200 + number)
        assert seen.mask.sum() == 12 * 12
        ys, xs = np.nonzero(seen.mask)
        found = np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]) / (2 * SIZE)
        assert seen.box == pytest.approx(tuple(found))
    with pytest.raises(UserError, match="mosaic: expected 4 or 9 frames, got 3"):
        mosaic([single(1)] * 3, SIZE, RNG)


def test_side_by_side_keeps_proportions() -> None:
    view = side_by_side([single(1), single(2), single(3)], SIZE, RNG)
    assert view.image.shape == (SIZE, 3 * SIZE, 3)
    assert view.objects[2].box == pytest.approx(((2 + 8 / 32) / 3, 4 / 32, (2 + 20 / 32) / 3, 16 / 32))
    assert np.all(view.image[view.objects[2].mask] == 203)


def test_pictures_of_other_sizes_are_squashed_with_their_masks() -> None:
    view = mosaic([single(i) for i in range(1, 5)], SIZE, RNG)
    first = view.objects[0]
    assert first.mask.shape == (SIZE, SIZE)
    assert first.mask.sum() == 6 * 6
    assert first.box == pytest.approx((4 / 32, 2 / 32, 10 / 32, 8 / 32))


def test_a_composite_pastes_without_hiding() -> None:
    view = composite([single(1), single(2), single(3).hushed()], SIZE, np.random.default_rng(5))
    assert [seen.label for seen in view.objects] == ["drum", "flute", "gong"]
    assert [seen.sounding for seen in view.objects] == [True, True, False]
    assert not np.any(sum(seen.mask.astype(int) for seen in view.objects) > 1)
    for number, seen in enumerate(view.objects, start=1):
        assert np.array_equal(view.image[..., 0] == 200 + number, seen.mask)
    ys, xs = np.nonzero(view.objects[1].mask)
    found = np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]) / SIZE
    assert view.objects[1].box == pytest.approx(tuple(found))


def test_what_cannot_be_pasted() -> None:
    bare = single(2)
    without = replace(bare, view=View(bare.view.image, (replace(bare.view.objects[0], mask=None),)))
    with pytest.raises(UserError, match="clip2: expected one flute and its mask to cut out, got 1 with 0 masks"):
        composite([single(1), without], SIZE, RNG)
    with pytest.raises(UserError, match="clip2: expected room to paste it, got none"):
        composite([single(1, box=(0, 0, SIZE, SIZE)), single(2)], SIZE, RNG)


def test_a_mixture_says_what_is_true_of_it() -> None:
    view = mosaic([single(1), single(2), single(3).hushed(), single(4).hushed()], SIZE, RNG)
    heard = [Component(label, noise(i), 3.0 * i) for i, label in enumerate(("drum", "flute", "bell"))]
    made = mixture(view, [*heard, Component("", noise(9), -40.0, "noise")])
    assert (made.kind, made.labels) == ("visible", ("drum", "flute", "bell"))
    assert [each.label for each in made.offscreen] == ["bell"]
    assert made.mask is not None
    assert np.array_equal(made.mask, view.objects[0].mask | view.objects[1].mask)
    silent = View(view.image, view.objects[2:])
    assert mixture(silent, heard[:1]).kind == "offscreen"
    assert mixture(silent, heard[:1]).mask is None
    assert mixture(silent, [Component("", noise(1))]).kind == "noise"
    with pytest.raises(UserError, match=r"unlike classes, got \['drum', 'drum'\]"):
        mixture(view, [heard[0], heard[0]])
    with pytest.raises(UserError, match=r"sound of every sounding object, got none of \['flute'\]"):
        mixture(view, heard[:1])


def two_of_four() -> Mixture:
    plan = draw(LABELS, [frozenset([name]) for name in LABELS], Wanted(4, 2, 1), seed=3, number=0)
    singles = [single(i) for i in range(5)]
    return make("mosaic", plan, [singles[i] for i in plan.frames], [singles[i] for i in plan.offscreen], SIZE)


def test_a_sweep_varies_the_second_sound_alone() -> None:
    made = two_of_four()
    swept = sweep(made, (-20.0, 0.0, 20.0))
    for each, ratio in zip(swept, (-20.0, 0.0, 20.0), strict=True):
        levels = [rms_db(part.waveform) for part in each.components]
        assert levels[1] - levels[0] == pytest.approx(ratio, abs=0.01)
        assert levels[2] - levels[0] == pytest.approx(made.components[2].ratio_db, abs=0.01)
        assert each.view is made.view
        assert rms_db(each.waveform) == pytest.approx(made.level_db, abs=0.05)
    assert swept[0].labels == made.labels
    with pytest.raises(UserError, match="expected a mixture of two sounds to vary"):
        sweep(mixture(View(made.image, ()), [Component("bell", noise(0))]))


def test_the_whole_is_the_sum_of_its_parts() -> None:
    made = two_of_four()
    assert made.kind == "visible"
    assert len(made.sounding) == 2
    assert len(made.view.objects) == 4
    assert np.allclose(made.waveform, np.sum([each.waveform for each in made.components], axis=0), atol=1e-6)
    assert {seen.label for seen in made.sounding} | {made.offscreen[0].label} == set(made.labels)


@given(seed=st.integers(0, 50), number=st.integers(0, 50), sounding=st.integers(0, 3), offscreen=st.integers(0, 2))
@settings(max_examples=60, deadline=None)
def test_a_plan_follows_from_seed_and_number_and_keeps_the_truth_clear(
    seed: int, number: int, sounding: int, offscreen: int
) -> None:
    labels = [LABELS[i % 5] for i in range(20)]
    seen = [frozenset([label, LABELS[(i // 5) % 5]]) for i, label in enumerate(labels)]
    if sounding + offscreen == 0:
        with pytest.raises(UserError, match="expected some sound"):
            Wanted(3, sounding, offscreen)
        return
    wanted = Wanted(3, sounding, offscreen, ratio_db=(-10, 10))
    plan = draw(labels, seen, wanted, seed=seed, number=number)
    draw(labels, seen, wanted, seed=seed, number=number + 1)
    assert plan == draw(labels, seen, wanted, seed=seed, number=number)
    assert sum(plan.sounding) == sounding
    assert len({labels[i] for i in (*plan.frames, *plan.offscreen)}) == 3 + offscreen
    heard = {labels[i] for i, on in zip(plan.frames, plan.sounding, strict=True) if on}
    heard |= {labels[i] for i in plan.offscreen}
    for i, on in zip(plan.frames, plan.sounding, strict=True):
        assert not (seen[i] - ({labels[i]} if on else set())) & heard
    assert plan.ratios_db[0] == 0
    assert all(-10 <= ratio <= 10 and round(ratio, 1) == ratio for ratio in plan.ratios_db)
    assert len(plan.ratios_db) == sounding + offscreen


def test_seeds_and_numbers_differ() -> None:
    seen = [frozenset([name]) for name in LABELS]
    plans = [draw(LABELS, seen, Wanted(), seed=0, number=number) for number in range(20)]
    assert sum(one.frames != two.frames for one, two in pairwise(plans)) > 15
    assert plans[3] != draw(LABELS, seen, Wanted(), seed=1, number=3)


@pytest.mark.parametrize(
    ("wanted", "labels", "message"),
    [
        (Wanted(4, 2), "ab", r"expected clips of 4 classes for a mixture, got \['a', 'b'\]"),
        (Wanted(2, 2), "ab", "nothing silent is of a class that others make heard, got too few"),
    ],
)
def test_clips_that_do_not_allow_it(wanted: Wanted, labels: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        draw(labels, [frozenset("ab")] * 2, wanted, seed=0, number=0)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"frames": 2, "sounding": 3}, "got 3 sounding of 2 frames and 0 off screen"),
        ({"ratio_db": (5, -5)}, "expected ratio_db from low to high, got 5 to -5"),
    ],
)
def test_wishes_that_make_no_sense(words: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Wanted(**words)


def test_an_unknown_arrangement_is_told_the_nearest() -> None:
    plan = draw(LABELS, [frozenset([name]) for name in LABELS], Wanted(), seed=0, number=0)
    with pytest.raises(UserError, match="did you mean 'mosaic'"):
        make("mosaik", plan, [single(i) for i in plan.frames])
