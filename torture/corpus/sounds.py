"""Sample rates from 8 to 192 kHz, mono to 7.1 and beyond, sample formats, and samples that are no numbers."""

from __future__ import annotations

import struct

import numpy as np

from torture.corpus.entry import BAD, GOOD, Expect
from torture.corpus.shelf import Shelf
from torture.corpus.source import SAMPLE_RATE, SECONDS
from torture.corpus.write import Coding, Track, encoded, later

RATES = (8000, 11025, 16000, 22050, 32000, 44100, 88200, 96000, 192000)
LAYOUTS = {"mono": 1, "2.1": 3, "quad": 4, "5.0": 5, "5.1": 6, "6.1": 7, "7.1": 8, "hexadecagonal": 16}
FORMATS = {
    "u8": "pcm_u8", "s24": "pcm_s24le", "s32": "pcm_s32le", "f32": "pcm_f32le", "f64": "pcm_f64le",
    "alaw": "pcm_alaw", "mulaw": "pcm_mulaw",
}  # fmt: skip


def at_rate(shelf: Shelf, rate: int, channels: int = 2) -> np.ndarray:
    """(channels, n): every so manieth sample (or the same one again), which is enough for what is asked here."""
    count = round(SECONDS * rate)
    places = np.minimum(np.arange(count) * SAMPLE_RATE // rate, shelf.material.sound.shape[1] - 1)
    return np.resize(shelf.material.sound[:, places], (channels, count))


def add_sounds(shelf: Shelf) -> None:
    """By rate, by channels, by format."""
    frames = Track(frames=shelf.material.frames)
    for rate in RATES:
        sound = Track(sound=at_rate(shelf, rate), sample_rate=rate)
        shelf.add("sample rate", f"{rate}.wav", f"a wav at {rate} Hz", later([sound], "wav"), GOOD, kind="sound",
                  truth=shelf.sound_truth(sample_rate=rate))  # fmt: skip
        coding = Coding("libx264", "flac", sound_format="s16")
        film = later([frames, sound], "mkv", coding)
        shelf.add("sample rate", f"{rate}.mkv", f"a film with sound at {rate} Hz", film, GOOD,
                  truth=shelf.film_truth(sample_rate=rate))  # fmt: skip
    for layout, channels in LAYOUTS.items():
        sound = Track(sound=at_rate(shelf, SAMPLE_RATE, channels), layout=layout)
        truth = shelf.sound_truth(channels=channels)
        shelf.add("channels", f"{layout}.wav", f"a wav of {channels} channels ({layout})", later([sound], "wav"), GOOD,
                  kind="sound", truth=truth)  # fmt: skip
        if channels <= 6:
            shelf.add("channels", f"{layout}.mp4", f"a film with {channels} channels ({layout})",
                      later([frames, sound], "mp4"), GOOD, truth=shelf.film_truth(channels=channels))  # fmt: skip
    for name, codec in FORMATS.items():
        data = later([Track(sound=shelf.material.sound)], "wav", Coding("", codec))
        shelf.add("sample format", f"{name}.wav", f"a wav whose samples are {codec}", data, GOOD, kind="sound",
                  truth=shelf.sound_truth())  # fmt: skip
    for name, codec, ending in (("alac", "alac", "mov"), ("ac3", "ac3", "mkv"), ("pcm", "pcm_s16le", "mkv")):
        coding = Coding("libx264", codec, sound_format="s16p" if codec == "alac" else None)
        shelf.add("sample format", f"{name}.{ending}", f"a film whose sound is {codec}",
                  later([frames, Track(sound=shelf.material.sound)], ending, coding), GOOD,
                  truth=shelf.film_truth())  # fmt: skip
    _add_no_numbers(shelf)


def _add_no_numbers(shelf: Shelf) -> None:
    whole = encoded([Track(sound=shelf.material.sound)], "wav", Coding("", "pcm_f32le"))
    begin = whole.index(b"data") + 8
    for name, about, value in (("nan", "NaN", np.nan), ("infinity", "infinity", np.inf)):
        samples = np.frombuffer(whole[begin:], "<f4").copy()
        samples[::101] = value
        shelf.add("sample format", f"{name}.wav", f"a wav of floats, every hundredth of which is {about}",
                  whole[:begin] + samples.tobytes(), Expect("result", "error", "missing", "missing"), kind="sound",
                  truth=shelf.sound_truth())  # fmt: skip
    huge = np.frombuffer(whole[begin:], "<f4") * np.float32(1e30)
    # as loud as no sound can be: nothing in it is meant
    shelf.add("sample format", "huge.wav", "a wav of floats up to 1e30 of full scale",
              whole[:begin] + huge.astype("<f4").tobytes(), Expect("result", "error", "missing", "missing"),
              kind="sound", truth=shelf.sound_truth())  # fmt: skip
    for name, about, rate, channels in (("no rate", "0 Hz", 0, 2), ("high rate", "4 GHz", 2**32 - 1, 2),
                                        ("no channels", "no channels", 48000, 0),
                                        ("many channels", "65,535 channels", 48000, 65535)):  # fmt: skip
        head = bytearray(shelf.sound("wav"))
        struct.pack_into("<HI", head, 22, channels, rate)
        shelf.add("sample format", f"{name}.wav", f"a wav whose header says {about}", bytes(head), BAD, kind="sound")
