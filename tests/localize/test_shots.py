"""Cuts: found where one picture gives way to another, and nowhere else."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from make_media import make_film, tone
from soundspot.localize.localizer import Localizer
from soundspot.localize.shots import change, glance_of, shots_of
from soundspot.localize.source import open_source
from soundspot.methods import build

Picture = np.ndarray
KNOWN_TO_CHANGE = {
    "D1NO38P8vqI_284000_294000.mp4": [7.0],  # the picture is turned away and sheet music comes
    "nasa_13013.mp4": [5.5, 8.5],  # a dissolve, a cut
    "video_00323.mp4": [8.0],  # one shot: the camera rushes at the anvil
}
"""All that is found in the real films, looked at one by one; no other has a cut."""


def scene(seed: int, size: tuple[int, int] = (96, 128)) -> Picture:
    """A made picture of a dozen coloured blocks before a shaded ground."""
    draw = np.random.default_rng(seed)
    height, width = size
    shade = np.linspace(draw.uniform(20, 90), draw.uniform(120, 220), width)
    image = np.repeat(np.broadcast_to(shade, (height, width))[..., None], 3, axis=2) * draw.uniform(0.4, 1, 3)
    for _ in range(12):
        top, left = draw.integers(0, height - 20), draw.integers(0, width - 20)
        image[top : top + draw.integers(8, 40), left : left + draw.integers(8, 40)] = draw.integers(0, 256, 3)
    return image[:, :: 1 if draw.random() < 0.5 else -1].clip(0, 255).astype(np.uint8)


def cuts(pictures: Iterable[Picture]) -> list[int]:
    glances = [glance_of(picture) for picture in pictures]
    shots = shots_of([0.0, *(change(one, other) for one, other in itertools.pairwise(glances))])
    return [index for index in range(1, len(shots)) if shots[index] != shots[index - 1]]


def noisy(picture: Picture, seed: int, amount: float = 4.0) -> Picture:
    noise = np.random.default_rng(seed).normal(0, amount, picture.shape)
    return (picture + noise).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("seed", range(8))
def test_hard_cuts_between_made_scenes(seed: int) -> None:
    film = [noisy(scene(10 * seed + index // 6), index) for index in range(18)]
    assert cuts(film) == [6, 12]


def test_a_shot_of_one_look_is_a_shot() -> None:
    assert cuts([scene(0)] * 5 + [scene(1)] + [scene(2)] * 5) == [5, 6]


@pytest.mark.parametrize("seed", range(4))
def test_a_pan_is_no_cut(seed: int) -> None:
    wide = scene(seed, (96, 600))
    assert cuts(wide[:, left : left + 128] for left in range(0, 470, 12)) == []


@pytest.mark.parametrize("seed", range(4))
def test_fades_and_flicker_are_no_cuts(seed: int) -> None:
    picture = scene(seed).astype(np.float64)
    fade = [*np.linspace(1, 0, 8), *np.linspace(0, 1, 8)]
    assert cuts(noisy(picture * share, index, 1.0) for index, share in enumerate(fade)) == []
    lamp = [1.0, 0.4, 1.0, 0.4, 1.0, 1.0, 0.4, 1.0, 1.0, 1.0]
    assert cuts(noisy(picture * share, index, 1.0) for index, share in enumerate(lamp)) == []


def test_one_lamp_or_a_thing_that_enters_is_no_cut() -> None:
    picture = scene(5)
    entered = picture.copy()
    entered[40:80, 20:60] = 250, 30, 30
    assert cuts([picture] * 6 + [entered] * 6 + [picture // 2] * 6) == []


def test_the_same_picture_has_nothing_new_and_two_flat_ones_only_colour() -> None:
    white, black = (np.full((48, 64, 3), value, np.uint8) for value in (255, 0))
    assert change(glance_of(scene(1)), glance_of(scene(1))) == 0
    assert change(glance_of(white), glance_of(black)) == 1
    assert change(glance_of(scene(1)), glance_of(scene(2))) > 0.25
    tiny = np.zeros((1, 1, 3), np.uint8)
    assert change(glance_of(tiny), glance_of(tiny)) == 0


@given(st.lists(st.floats(0, 1), max_size=30))
def test_shots_are_counted_from_0_and_never_go_back(changes: list[float]) -> None:
    shots = shots_of(changes)
    assert len(shots) == len(changes)
    assert shots[:1] in ([], [0])
    assert all(after - before in (0, 1) for before, after in itertools.pairwise(shots))


@given(st.floats(0.01, 1.0))
def test_steady_motion_however_strong_is_no_cut(amount: float) -> None:
    assert set(shots_of([0.0] + [amount] * 20)) == {0}


def test_moments_of_a_film_know_their_shot(tmp_path: Path) -> None:
    pictures = [scene(seed, (48, 64)) for seed in (1, 2, 3)]
    film = make_film(
        tmp_path / "f.mp4", num_frames=60, rate=10, size=(64, 48), picture=lambda n: pictures[n // 20],
        samples=tone(300, 6, 16000), sample_rate=16000,
    )  # fmt: skip
    localizer = Localizer(build("ogl", image_backbone="resnet10t", image_size=64))
    assert [moment.shot for moment in localizer.video(film).known] == [0] * 4 + [1] * 4 + [2] * 4


@pytest.mark.shared
def test_real_films_have_the_cuts_that_eyes_see(shared: Path) -> None:
    films = sorted((shared / "data" / "media" / "films").glob("*.mp4"))
    assert len(films) > 10
    found = {}
    for film in films:
        if indices := cuts(picture for _, picture in open_source(film).frames(2.0)):
            found[film.name] = [index / 2 for index in indices]
    assert found == KNOWN_TO_CHANGE


@pytest.mark.shared
def test_where_real_films_are_joined_there_is_a_cut(shared: Path) -> None:
    films = sorted((shared / "data" / "media" / "films").glob("*.mp4"))
    parts = [
        [picture for _, picture in open_source(film).between(0, 3).frames(2.0)]
        for film in films
        if film.name not in KNOWN_TO_CHANGE
    ]
    found = total = 0
    for one, other in itertools.permutations(parts[:12], 2):
        at = cuts([*one, *other])
        found += len(one) in at
        total += 1
        assert len(at) <= 2
    assert total == 132
    assert found / total > 0.95, f"{found} of {total}"
