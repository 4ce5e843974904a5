"""Melodies: notes within the instrument, a well-formed MIDI file, and a rendering where fluidsynth is at hand."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from soundspot.samples.melodies import (
    SECONDS,
    STYLES,
    Note,
    compose,
    find_fluidsynth,
    find_soundfont,
    midi_file,
    render,
)
from soundspot.samples.sound import SAMPLE_RATE
from soundspot.types import UserError

FONTS = [Path("/usr/share/sounds/sf2/TimGM6mb.sf2"), Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")]


@pytest.mark.parametrize("label", sorted(STYLES))
def test_notes_stay_within_range_and_time(label: str) -> None:
    style = STYLES[label]
    notes = compose(np.random.default_rng(1), style)
    assert len(notes) > 4
    assert all(style.low <= note.key <= style.high for note in notes)
    assert max(note.start + note.length for note in notes) <= SECONDS
    assert notes != compose(np.random.default_rng(2), style)
    assert notes == compose(np.random.default_rng(1), style)


def test_a_midi_file_byte_by_byte() -> None:
    """One note of 0.5 s: tempo, program change, on, off 240 ticks later (0x81 0x70), end of track."""
    file = midi_file([(STYLES["euphonium"], [Note(0.0, 0.5, 40, 100)])])
    assert file[:14] == b"MThd\x00\x00\x00\x06\x00\x00\x00\x01\x01\xe0"
    assert file[14:18] == b"MTrk"
    assert int.from_bytes(file[18:22], "big") == len(file) - 22
    assert file[22:] == (
        b"\x00\xff\x51\x03\x0f\x42\x40\x00\xc0\x3a\x00\x90\x28\x64\x81\x70\x80\x28\x00\x00\xff\x2f\x00"
    )


def test_without_fluidsynth_the_user_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match=r"expected the program fluidsynth.*apt install fluidsynth"):
        find_fluidsynth(None)


def test_without_soundfont_the_user_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"expected the soundfont X\.sf2, got none of .*timgm6mb-soundfont"):
        find_soundfont("X.sf2", [tmp_path])


@pytest.mark.skipif(
    shutil.which("fluidsynth") is None or not any(font.is_file() for font in FONTS),
    reason="not run: fluidsynth or a soundfont is not installed",
)
def test_rendered_tunes_have_their_pitch() -> None:
    font = next(font for font in FONTS if font.is_file())
    tunes = [(STYLES["saxophone"], [Note(0.0, 4.0, key, 100)]) for key in (57, 69)]
    for samples, hertz in zip(render(tunes, font), (220, 440), strict=True):
        assert samples.shape == (SECONDS * SAMPLE_RATE,)
        spectrum = np.abs(np.fft.rfft(samples[SAMPLE_RATE : 3 * SAMPLE_RATE]))
        peak = spectrum[2 * 150 : 2 * 500].argmax() / 2 + 150
        assert min(abs(peak - hertz), abs(peak - 2 * hertz)) < 6
