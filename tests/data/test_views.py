"""Optical flow and further frames: of films, cut as their picture is, and never made up for stills."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from make_media import make_film, number_of, tone
from soundspot.data.decoding import Draws, augment, decode
from soundspot.data.loader import batches, load_clip
from soundspot.data.training import TrainingSet
from soundspot.media.errors import MediaError
from soundspot.media.image import write_image
from soundspot.types import Clip, Inputs, Missing

SIZE, RATE, SPEED = 64, 16000, 2
INPUTS = Inputs(image_size=SIZE, sample_rate=RATE, seconds=1.0, spectrogram="logmel", train_scale=1.0)
FLOWING = replace(INPUTS, views=("flow",))


def moving(number: int) -> np.ndarray:
    """A textured square that goes SPEED pixels to the right each frame, on grey."""
    texture = np.random.default_rng(0).integers(0, 255, (24, 24, 3)).astype(np.uint8)
    texture = np.kron(texture[::4, ::4], np.ones((4, 4, 1), np.uint8))
    picture = np.full((SIZE, SIZE, 3), 128, np.uint8)
    left = 4 + SPEED * (number % 16)
    picture[20:44, left : left + 24] = texture[:, : SIZE - left]
    return picture


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    path = tmp_path_factory.mktemp("views") / "moving.mp4"
    make_film(
        path, num_frames=16, rate=10, size=(SIZE, SIZE), picture=moving, samples=tone(440, 1.6, RATE), sample_rate=RATE
    )
    return Clip("moving", video=path, time_seconds=0.6)


@pytest.fixture(scope="module")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    path = tmp_path_factory.mktemp("views") / "numbers.mp4"
    make_film(path, num_frames=40, rate=10, samples=tone(440, 4, RATE), sample_rate=RATE)
    return Clip("numbers", video=path, time_seconds=2.0)


def test_flow_points_where_the_square_goes(film: Clip) -> None:
    flow = load_clip(film, FLOWING).views["flow"]
    assert flow.shape == (2, SIZE, SIZE)
    assert flow.dtype == np.float32
    inside = flow[:, 26:38, 22:34]
    assert np.median(inside[0]) == pytest.approx(SPEED, abs=0.5)
    assert abs(np.median(inside[1])) < 0.3
    assert np.abs(flow[:, :8]).mean() < 0.2, "nothing moves above it"


def test_a_flipped_picture_has_its_flow_flipped_and_turned_round(film: Clip) -> None:
    decoded = decode((film, None), FLOWING, Draws(0, 0, 0.9, 0))
    plain = augment(decoded, FLOWING, Draws(0, 0, 0.9, 0)).views["flow"]
    flipped = augment(decoded, FLOWING, Draws(0, 0, 0.1, 0)).views["flow"]
    assert np.median(plain[0, 26:38, 22:34]) == pytest.approx(SPEED, abs=0.5)
    assert np.median(flipped[0, 26:38, SIZE - 34 : SIZE - 22]) == pytest.approx(-SPEED, abs=0.5)


def test_the_last_frame_takes_the_motion_that_led_to_it(film: Clip) -> None:
    last = load_clip(replace(film, time_seconds=1.55), FLOWING).views["flow"]
    assert np.median(last[0, 26:38, 40:50]) == pytest.approx(SPEED, abs=0.7)


def test_frames_are_spread_over_the_window_around_the_picture(numbers: Clip) -> None:
    views = load_clip(numbers, replace(INPUTS, views=("frames",), num_frames=5, image_size=96)).views
    assert views["frames"].shape == (5, 96, 96, 3)
    assert [number_of(frame) for frame in views["frames"]] == [15, 17, 19, 21, 23]


def test_batches_bring_views_ready_to_eat(film: Clip) -> None:
    inputs = replace(INPUTS, views=("flow", "frames"), num_frames=4)
    ((batch, missing),) = batches([film], inputs, batch_size=2)
    assert missing == []
    assert batch is not None
    assert batch.extra["flow"].shape == (1, 2, SIZE, SIZE)
    assert batch.extra["frames"].shape == (1, 4, 3, SIZE, SIZE)
    assert abs(float(batch.extra["frames"][0, :, :, 0, 0].mean())) < 0.7, "grey, normalised"


def test_a_still_has_no_motion_to_see(tmp_path: Path, film: Clip) -> None:
    write_image(tmp_path / "still.png", moving(0))
    still = Clip("still", image=tmp_path / "still.png", audio=film.video)
    with pytest.raises(MediaError, match="clip still: expected a film for a method that needs neighbouring frames"):
        load_clip(still, FLOWING)
    training = TrainingSet([(still, None)], FLOWING, seed=0)
    assert isinstance(training[0, 0], Missing)


def test_a_film_too_short_for_its_frames_is_missing(film: Clip) -> None:
    with pytest.raises(MediaError, match=r"clip moving: expected 40 frames in 4.0 s from 0.00 s, got 16"):
        load_clip(film, replace(INPUTS, views=("frames",), num_frames=40, seconds=4.0))
