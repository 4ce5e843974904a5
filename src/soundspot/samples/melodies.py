"""Random melodies for instruments, rendered from a soundfont by the fluidsynth program."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import wave
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from soundspot.samples.sound import SAMPLE_RATE, Rng, Samples
from soundspot.types import UserError

SECONDS = 5.0
GAP_SECONDS = 1.5
"""Silence between melodies of one rendering, so that the last note of one dies away before the next."""
TICKS = 480
"""MIDI ticks a second: a quarter note at 60 beats a minute."""


@dataclass(frozen=True)
class Style:
    """How an instrument plays: General MIDI program (from 0), range, note lengths, and how many notes at once."""

    program: int
    low: int
    high: int
    shortest: float
    longest: float
    voices: int = 1
    repeats: int = 1


STYLES: dict[str, Style] = {
    "accordion": Style(21, 55, 84, 0.2, 0.9, voices=3),
    "electric_guitar": Style(27, 45, 76, 0.15, 0.6, voices=2),
    "euphonium": Style(58, 34, 58, 0.25, 0.9),  # the tuba: General MIDI has no euphonium
    "grand_piano": Style(0, 40, 88, 0.12, 0.6, voices=3),
    # General MIDI has no mandolin: a steel-string guitar, high and with quickly repeated notes, is its nearest
    "mandolin": Style(25, 62, 88, 0.3, 0.9, repeats=4),
    "saxophone": Style(65, 52, 80, 0.15, 0.8),
}
SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 2, 4, 7, 9), (0, 2, 3, 5, 7, 9, 10))


@dataclass(frozen=True)
class Note:
    """A key struck at `start` for `length` seconds."""

    start: float
    length: float
    key: int
    velocity: int


def compose(rng: Rng, style: Style, seconds: float = SECONDS) -> list[Note]:
    """A random walk over a random scale within the instrument's range."""
    scale = SCALES[int(rng.integers(len(SCALES)))]
    root = int(rng.integers(12))
    keys = [key for key in range(style.low, style.high + 1) if (key - root) % 12 in scale]
    place, time = int(rng.integers(len(keys) // 4, 3 * len(keys) // 4)), 0.0
    beat = rng.uniform(style.shortest, style.longest)
    notes: list[Note] = []
    while time < seconds - 0.1:
        length = min(float(np.clip(beat * rng.choice([0.5, 1, 1, 2]), style.shortest, style.longest)), seconds - time)
        place = int(np.clip(place + rng.integers(-3, 4), 0, len(keys) - 1))
        chord = [keys[max(0, place - 2 * voice)] for voice in range(int(rng.integers(1, style.voices + 1)))]
        for key in sorted(set(chord)):
            for repeat in range(style.repeats):
                part = length / style.repeats
                notes.append(Note(time + repeat * part, 0.95 * part, key, int(rng.integers(70, 120))))
        time += length
    return notes


def midi_file(tunes: Iterable[tuple[Style, Sequence[Note]]], seconds: float = SECONDS) -> bytes:
    """A type 0 MIDI file that plays the tunes one after the other, `seconds + GAP_SECONDS` apart."""
    events: list[tuple[int, int, bytes]] = []
    for number, (style, notes) in enumerate(tunes):
        begin = number * (seconds + GAP_SECONDS)
        events.append((round(begin * TICKS), 0, bytes([0xC0, style.program])))
        for note in notes:
            on, off = round((begin + note.start) * TICKS), round((begin + note.start + note.length) * TICKS)
            events += [(on, 2, bytes([0x90, note.key, note.velocity])), (off, 1, bytes([0x80, note.key, 0]))]
    track, now = bytearray(b"\x00\xff\x51\x03\x0f\x42\x40"), 0  # a quarter note lasts 1,000,000 microseconds
    for tick, _, message in sorted(events):
        track += _variable_length(tick - now) + message
        now = tick
    track += b"\x00\xff\x2f\x00"
    return (
        b"MThd" + (6).to_bytes(4, "big") + b"\x00\x00\x00\x01" + TICKS.to_bytes(2, "big")
        + b"MTrk" + len(track).to_bytes(4, "big") + bytes(track)
    )  # fmt: skip


def _variable_length(number: int) -> bytes:
    """MIDI's base-128 number: high bit set on all bytes but the last."""
    parts = [number & 0x7F]
    while number := number >> 7:
        parts.append(number & 0x7F | 0x80)
    return bytes(reversed(parts))


def find_fluidsynth(packages: Path | None) -> tuple[Path, dict[str, str]]:
    """The program and the environment to run it in: from unpacked packages, or installed; UserError if neither."""
    if packages is not None and (packages / "usr/bin/fluidsynth").is_file():
        libraries = [str(p) for p in sorted((packages / "usr/lib").glob("*-linux-gnu*")) if p.is_dir()]
        libraries += [str(p) for p in sorted((packages / "usr/lib").glob("*-linux-gnu*/pulseaudio"))]
        path = ":".join([*libraries, *filter(None, [os.environ.get("LD_LIBRARY_PATH")])])
        return packages / "usr/bin/fluidsynth", {**os.environ, "LD_LIBRARY_PATH": path}
    installed = shutil.which("fluidsynth")
    if installed is None:
        raise UserError(
            "melodies: expected the program fluidsynth, got none on this machine; install it (apt install fluidsynth),"
            " or give rendered melodies as sounds/<instrument>/*.wav"
        )
    return Path(installed), dict(os.environ)


def find_soundfont(name: str, folders: Iterable[Path]) -> Path:
    """The soundfont file called `name` in the first folder that has it; UserError if none does."""
    tried = [folder / name for folder in folders]
    for path in tried:
        if path.is_file():
            return path
    raise UserError(
        f"melodies: expected the soundfont {name}, got none of {', '.join(map(str, tried))};"
        " install fluid-soundfont-gm and timgm6mb-soundfont, or give rendered melodies as sounds/<instrument>/*.wav"
    )


def render(
    tunes: Sequence[tuple[Style, Sequence[Note]]], soundfont: Path, packages: Path | None = None
) -> list[Samples]:
    """Each tune as (SECONDS * SAMPLE_RATE,) samples, without reverberation so that nothing carries over."""
    from scipy.signal import resample_poly

    program, environment = find_fluidsynth(packages)
    rate = 3 * SAMPLE_RATE  # rendered higher: the synthesizer has no filter against aliasing
    with tempfile.TemporaryDirectory() as folder:
        midi, wav = Path(folder) / "tunes.mid", Path(folder) / "tunes.wav"
        midi.write_bytes(midi_file(tunes))
        command: list[str | Path] = [
            program,
            "-ni",
            "-q",
            "-R",
            "0",
            "-C",
            "0",
            "-g",
            "0.6",
            "-r",
            str(rate),
            "-F",
            wav,
            "-T",
            "wav",
        ]
        words = [*command, soundfont, midi]
        done = subprocess.run(words, env=environment, capture_output=True, text=True)  # nosec B603 # files of ours
        if done.returncode != 0 or not wav.is_file():
            raise UserError(f"{program}: expected a rendering with {soundfont}, got: {done.stderr.strip()[-300:]}")
        with wave.open(str(wav)) as file:
            played = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").reshape(-1, file.getnchannels())
    mono = resample_poly(played.mean(axis=1).astype(np.float32) / 32768, 1, 3).astype(np.float32)
    step, length = round((SECONDS + GAP_SECONDS) * SAMPLE_RATE), round(SECONDS * SAMPLE_RATE)
    mono = np.pad(mono, (0, max(0, len(tunes) * step - len(mono))))
    return [mono[i * step : i * step + length] for i in range(len(tunes))]
