"""Pictures and sounds in all the forms that people have them in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from make_media import click, make_film, quarters, tone
from soundspot.localize.given import picture_of, sound_of
from soundspot.media.audio import write_wav
from soundspot.media.image import write_image
from soundspot.types import UserError

PIXELS = quarters(96, 64)
RATE = 16000


def test_a_picture_is_the_same_in_every_form(tmp_path: Path) -> None:
    path = tmp_path / "p.png"
    write_image(path, PIXELS)
    grey = Image.fromarray(PIXELS).convert("L")
    forms = {
        "array": PIXELS,
        "not contiguous": np.asfortranarray(PIXELS),
        "PIL": Image.fromarray(PIXELS),
        "PIL with alpha": Image.fromarray(PIXELS).convert("RGBA"),
        "tensor": torch.from_numpy(PIXELS.copy()),
        "channels first": torch.from_numpy(PIXELS.transpose(2, 0, 1).copy()),
        "path": path,
        "text": str(path),
    }
    for name, form in forms.items():
        got = picture_of(form)
        assert np.array_equal(got, PIXELS), name
        assert got.flags.c_contiguous, name
    assert np.array_equal(picture_of(grey), np.repeat(np.asarray(grey)[..., None], 3, axis=2))


@pytest.mark.parametrize(
    "wrong",
    [
        PIXELS.astype(np.float32), PIXELS[..., 0], np.zeros((4, 4, 4), np.uint8), np.zeros((0, 5, 3), np.uint8),
        torch.zeros(1, 3, 8, 8), np.zeros((2, 8, 8, 3), np.uint8), None, 7, [[1, 2], [3]], {"a": 1},
    ],
)  # fmt: skip
def test_what_is_no_picture_is_refused(wrong: object) -> None:
    with pytest.raises(UserError, match="expected a picture"):
        picture_of(wrong)


def test_a_path_without_a_picture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "p.png").write_bytes(b"no picture")
    for path in (tmp_path / "p.png", tmp_path / "none.png"):
        with pytest.raises(UserError, match="expected a"):
            picture_of(path)


def test_a_sound_is_the_same_in_every_form(tmp_path: Path) -> None:
    samples = tone(440, 0.5, RATE)
    path = tmp_path / "s.wav"
    write_wav(path, samples, RATE)
    learned = torch.from_numpy(samples.copy()).requires_grad_()
    forms = [
        samples,
        samples[0],
        samples[0].astype(np.float64),
        samples[0].tolist(),
        torch.from_numpy(samples),
        learned,
    ]
    for form in [*forms, path, str(path)]:
        got = sound_of(form, None, RATE)
        assert (got.shape, got.dtype) == ((1, RATE // 2), np.float32)
        assert np.allclose(got, samples, atol=1 / 32000)
    halved = sound_of(torch.from_numpy(samples).bfloat16(), None, RATE)
    assert np.allclose(halved, samples, atol=0.01)


def test_two_channels_stay_and_other_rates_are_changed(tmp_path: Path) -> None:
    both = np.concatenate([click(0.2, 1.0, RATE), click(0.6, 1.0, RATE)])
    assert np.array_equal(sound_of(both, RATE, RATE), both)
    film = make_film(tmp_path / "f.mp4", num_frames=25, samples=np.repeat(both, 3, axis=1), sample_rate=48000)
    assert sound_of(film, None, RATE).shape[0] == 2
    (low,) = sound_of(tone(500, 1.0, 44100), 44100, RATE)
    assert len(low) == pytest.approx(RATE, abs=20)
    assert np.argmax(np.abs(np.fft.rfft(low[:RATE]))) == pytest.approx(500, abs=2)


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        (np.zeros(8, np.int16), "expected samples"), (np.zeros((2, 3, 4)), "expected samples"),
        (np.zeros(0), "expected samples"), (None, "expected samples"), (np.zeros((5, 2)), "one or two channels"),
        (np.array([0.0, np.nan]), "finite samples"), (torch.tensor([0.0, np.inf]), "finite samples"),
    ],
)  # fmt: skip
def test_what_is_no_sound_is_refused(wrong: object, what: str) -> None:
    with pytest.raises(UserError, match=what):
        sound_of(wrong, None, RATE)


@pytest.mark.parametrize("rate", [0, -5, 10**9])
def test_a_rate_that_is_none_is_refused(rate: int) -> None:
    with pytest.raises(UserError, match="expected a source_rate"):
        sound_of(np.zeros(100), rate, RATE)
