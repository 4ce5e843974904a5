"""The main job with a small outsider's method: moments, verdicts, the film, the picture, and memory."""

from __future__ import annotations

import gc
import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from make_media import make_film, tone
from soundspot import weights
from soundspot.localize.film import write_overlay, write_summary
from soundspot.localize.localizer import Localizer
from soundspot.localize.run import Localized, Wanted, run
from soundspot.localize.source import open_source
from soundspot.localize.timeline import Calibration, Timeline
from soundspot.media.audio import write_wav
from soundspot.media.image import write_image
from soundspot.media.video import probe, read_frame, read_waveform
from soundspot.methods import METHODS
from soundspot.methods.base import Method
from soundspot.types import Batch, Inputs, UserError

RATE = 16000
SURE = Calibration(scale=20.0, offset=-10.0)


class Bright(Method):
    """Finds low tones at bright places, and high tones nowhere."""

    tag_names = ("Low", "High")

    def __init__(self, cells: int = 8) -> None:
        super().__init__()
        zero, one = (0.0,) * 3, (1.0,) * 3
        self.inputs = Inputs(
            image_size=32, image_mean=zero, image_std=one, sample_rate=RATE, seconds=1.0, spectrogram="logmel"
        )
        self.cells = cells
        self.gain = nn.Parameter(torch.ones(()))

    def is_high(self, batch: Batch) -> Tensor:
        """(B,) 1 where the loudest band is in the upper half."""
        return (batch.audio.mean(dim=(1, 3)).argmax(dim=1) > batch.audio.shape[2] / 2).float()

    def localize(self, batch: Batch) -> Tensor:
        bright = F.adaptive_avg_pool2d(batch.image.mean(dim=1, keepdim=True), self.cells)[:, 0]
        return self.gain * (bright - self.is_high(batch)[:, None, None])

    def hear(self, batch: Batch) -> Tensor:
        high = self.is_high(batch)
        return torch.stack([1 - high, high], dim=1)


def half_white(number: int) -> np.ndarray:
    """White on the left for the first 30 frames, then on the right."""
    image = np.zeros((48, 64, 3), np.uint8)
    image[:, slice(0, 24) if number < 30 else slice(40, 64)] = 255
    return image


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """6 s at 10 frames a second: a low tone, a high tone, silence, 2 s each; the white place moves after 3 s."""
    sound = np.concatenate([tone(300, 2, RATE), tone(5000, 2, RATE), np.zeros((1, 2 * RATE), np.float32)], axis=1)
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    return make_film(path, num_frames=60, rate=10, size=(64, 48), picture=half_white, samples=sound, sample_rate=RATE)


@pytest.fixture(scope="module")
def timeline(film: Path) -> Timeline:
    return Localizer(Bright(), SURE).video(film, every_seconds=0.5, batch_size=5)


def test_a_film_gives_a_moment_every_step_with_what_is_true_of_it(timeline: Timeline, film: Path) -> None:
    assert [moment.time_seconds for moment in timeline.moments] == pytest.approx(np.arange(12) / 2)
    verdicts = {time: timeline.at(time).verdict for time in (0.5, 1.0, 2.5, 3.0, 3.5, 5.0, 5.5)}
    assert verdicts == {
        0.5: "on-screen", 1.0: "on-screen", 2.5: "off-screen", 3.0: "off-screen", 3.5: "off-screen",
        5.0: "silent", 5.5: "silent",
    }  # fmt: skip
    assert timeline.at(1.0).tags[0] == ("Low", 1.0)
    assert timeline.at(3.0).tags[0] == ("High", 1.0)
    assert timeline.source == str(film)
    assert timeline.provenance["method"] == "test_localizer:Bright"


def test_the_heat_lies_on_the_source_and_leaves_with_it(timeline: Timeline) -> None:
    heard, elsewhere, silent = (timeline.at(time) for time in (1.0, 3.0, 5.5))
    assert heard.heat[:, :2].min() > 0.9
    assert heard.heat[:, 4:].max() < 0.1
    ((x0, y0, x1, y1),) = heard.boxes
    assert (x0, y0, y1) == (0, 0, 1)
    assert x1 == pytest.approx(0.375)
    assert heard.probability == pytest.approx(float(SURE.probability(heard.confidence)), abs=1e-6)
    assert elsewhere.boxes == ()
    assert elsewhere.probability is not None
    assert elsewhere.probability < 0.5
    assert silent.probability == 0.0
    assert silent.heat.max() == 0.0
    assert (silent.tags, silent.boxes) == ((), ())
    assert silent.map.max() > 0.5, "the raw map stays as the method gave it"
    assert silent.level_dbfs < -60


def test_batches_change_nothing(timeline: Timeline, film: Path) -> None:
    single = Localizer(Bright(), SURE).video(film, every_seconds=0.5, batch_size=1)
    for one, other in zip(timeline.moments, single.moments, strict=True):
        assert np.array_equal(one.map, other.map)
        assert (one.verdict, one.tags, one.level_dbfs) == (other.verdict, other.tags, other.level_dbfs)


def test_progress_counts_every_moment_to_the_total(film: Path) -> None:
    seen: list[tuple[int, int]] = []
    Localizer(Bright()).video(film, every_seconds=1.0, progress=lambda *both: seen.append(both))
    assert seen == [(n, 6) for n in range(1, 7)]


def test_without_a_calibration_heat_is_relative_and_nothing_is_claimed(film: Path) -> None:
    moment = Localizer(Bright()).video(film, every_seconds=2.0).moments[1]
    assert (moment.probability, moment.verdict, moment.boxes) == (None, None, ())
    assert (moment.heat.min(), moment.heat.max()) == (0.0, 1.0)


def test_one_picture_and_one_sound_give_one_moment() -> None:
    localizer = Localizer(Bright(), SURE)
    moment = localizer(half_white(0), tone(300, 1, localizer.sample_rate)[0])
    assert (moment.verdict, moment.time_seconds, moment.map.shape) == ("on-screen", 0.0, (8, 8))
    silence = np.zeros(localizer.sample_rate, np.float32)
    assert localizer(half_white(0), silence).verdict == "silent"


def test_a_still_beside_a_sound_is_judged_as_the_sound_goes(tmp_path: Path) -> None:
    write_image(tmp_path / "p.png", half_white(0))
    sound = np.concatenate([tone(300, 2, 8000), tone(3000, 2, 8000)], axis=1)
    write_wav(tmp_path / "s.wav", sound, 8000)
    timeline = Localizer(Bright(), SURE).video(tmp_path / "p.png", tmp_path / "s.wav", every_seconds=1.0)
    assert [moment.time_seconds for moment in timeline.moments] == [0, 1, 2, 3]
    assert [timeline.at(time).verdict for time in (1, 3)] == ["on-screen", "off-screen"]


def test_the_balance_of_a_stereo_sound_stands_beside_the_map(tmp_path: Path) -> None:
    write_image(tmp_path / "p.png", half_white(0))
    low = tone(300, 2, RATE)[0]
    sounds = {"left": np.stack([low, 0 * low]), "right": np.stack([low / 4, low]), "even": np.stack([low, low])}
    texts = {}
    for name, sound in {**sounds, "mono": low}.items():
        write_wav(tmp_path / f"{name}.wav", sound, RATE)
        timeline = Localizer(Bright(), SURE).video(tmp_path / "p.png", tmp_path / f"{name}.wav")
        texts[name] = Localized(timeline, {}, 1.0).text(), timeline.moments[1].row()["balance"]
    assert "(sound from the left)" in texts["left"][0]
    assert texts["left"][1] == -1
    assert "(sound from the right)" in texts["right"][0]
    assert texts["right"][1] == pytest.approx(15 / 17, abs=1e-3)
    assert "sound from" not in texts["even"][0] + texts["mono"][0]
    assert (texts["even"][1], texts["mono"][1]) == (0, None)


def test_the_overlay_film_has_the_length_the_sound_and_the_heat(timeline: Timeline, film: Path, tmp_path: Path) -> None:
    out = tmp_path / "overlay.mp4"
    seen: list[tuple[int, int]] = []
    write_overlay(open_source(film), timeline, out, progress=lambda *both: seen.append(both))
    assert seen == [(n, 60) for n in range(1, 61)]
    info, before = probe(out), probe(film)
    assert (info.video_codec, info.audio_codec, info.frames_per_second) == ("h264", "aac", 10)
    assert info.duration_seconds == pytest.approx(before.duration_seconds, abs=0.1)
    assert info.width is not None
    assert info.height is not None
    assert info.height > info.width * 48 / 64, "caption and strip stand below the picture"
    waves = [read_waveform(path, sample_rate=RATE).samples[0] for path in (film, out)]
    for start, hertz in ((0.5, 300), (2.5, 5000)):
        for wave in waves:
            spectrum = np.abs(np.fft.rfft(wave[int(start * RATE) :][:RATE]))
            assert np.argmax(spectrum) == pytest.approx(hertz, abs=2)
    assert np.abs(waves[1][int(4.5 * RATE) : int(5.5 * RATE)]).max() < 0.01
    height = round(info.width * 48 / 64)
    hot, cold, silent = (read_frame(out, time)[: height - 2].astype(int) for time in (1.0, 3.5, 5.5))
    place = (height // 2, info.width // 8)
    assert hot[place][0] - hot[place][2] > 40, "heat is yellow on white"
    right = (height // 2, info.width * 7 // 8)
    for frame in (cold, silent):
        assert np.ptp(frame[right]) < 20, "white stays grey without heat"
        assert frame[right].mean() == pytest.approx(191, abs=12)
    assert [path.name for path in tmp_path.iterdir()] == ["overlay.mp4"]


def test_the_summary_is_a_picture_of_each_stretch(timeline: Timeline, film: Path, tmp_path: Path) -> None:
    write_summary(open_source(film), timeline, tmp_path / "summary.png")
    with Image.open(tmp_path / "summary.png") as picture:
        assert picture.size[0] > 3 * 400, "three stretches side by side"
    assert [path.name for path in tmp_path.iterdir()] == ["summary.png"]


def save_bright(folder: Path) -> Path:
    calibration = {"calibration": json.dumps(vars(SURE))}
    return weights.save(Bright(cells=4), folder / "bright.safetensors", calibration)


def test_weights_carry_the_calibration_and_an_outsiders_name(tmp_path: Path) -> None:
    path = save_bright(tmp_path)
    with pytest.raises(UserError, match="if you trust that code, pass method='test_localizer:Bright'"):
        Localizer.from_pretrained(path)
    method = weights.load(path, method="test_localizer:Bright")
    assert Calibration.of(method.provenance) == SURE
    moment = Localizer(method, Calibration.of(method.provenance))(half_white(0), tone(300, 1, RATE)[0])
    assert moment.map.shape == (4, 4)
    assert moment.verdict == "on-screen"


def test_the_whole_job_writes_film_timeline_and_picture(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(METHODS, "bright", "test_localizer:Bright")
    done = run(film, None, tmp_path / "new" / "out", Wanted(str(save_bright(tmp_path))))
    assert {name: path.name for name, path in done.files.items()} == {
        "timeline": "timeline.jsonl", "picture": "summary.png", "film": "overlay.mp4",
    }  # fmt: skip
    assert sorted(path.name for path in (tmp_path / "new/out").iterdir()) == sorted(p.name for p in done.files.values())
    head, *rows = map(json.loads, done.files["timeline"].read_text().splitlines())
    assert len(rows) == 12
    assert head["source"] == str(film)
    assert head["made_with"]["method"] == "bright"
    assert len(head["made_with"]["weights_sha256"]) == 64
    verdicts = [row["verdict"] for row in done.facts()["stretches"]]
    assert verdicts == ["on-screen", "off-screen", "silent"]
    lines = done.text().splitlines()
    assert len(lines) == 6
    assert "on-screen" in lines[0]
    assert "visible 100%" in lines[0]
    assert "Low" in lines[0]
    assert "left" in lines[0]
    bare = run(film, None, tmp_path / "bare", Wanted(str(tmp_path / "bright.safetensors"), with_film=False))
    assert not (tmp_path / "bare" / "overlay.mp4").exists()
    assert "film" not in bare.files
    with pytest.raises(UserError, match="expected --every above 0 seconds, got 0"):
        run(film, None, tmp_path, Wanted(every_seconds=0))


def peak_bytes(localizer: Localizer, film: Path, out: Path) -> int:
    """Most memory that Python and NumPy held at once while localizing and writing the film."""
    gc.collect()
    tracemalloc.start()
    source = open_source(film)
    timeline = localizer.source(source, every_seconds=0.5, batch_size=2)
    write_overlay(source, timeline, out)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_memory_does_not_grow_with_length(tmp_path: Path) -> None:
    peaks = []
    localizer = Localizer(Bright(), SURE)
    for seconds in (20, 20, 60):
        path = tmp_path / f"{seconds}.mp4"
        picture = np.full((360, 480, 3), 90, np.uint8)
        sound = tone(300, seconds, RATE)
        make_film(path, num_frames=2 * seconds, rate=2, size=(480, 360), picture=lambda _, p=picture: p,
                  samples=sound, sample_rate=RATE)  # fmt: skip
        peaks.append(peak_bytes(localizer, path, tmp_path / "out.mp4"))
    frame = 480 * 360 * 3
    assert peaks[2] - peaks[1] < 3 * frame, "80 frames or 40 s of sound more were not held"


@pytest.mark.shared
@pytest.mark.parametrize("part", range(3))
def test_every_real_film_ends_well(part: int, shared: Path, encoders: dict[str, Path]) -> None:
    localizer = Localizer.from_pretrained(weights.find_weights("default"))
    films = sorted((shared / "data" / "media" / "films").glob("*.mp4"))
    assert films
    for film in films[part::3]:
        source = open_source(film)
        timeline = localizer.source(source, every_seconds=2.0)
        expected = np.arange(0, source.duration_seconds, 2.0)
        assert abs(len(timeline.moments) - len(expected)) <= 1, film.name
        for moment in timeline.moments:
            assert np.isfinite(moment.map).all(), film.name
            assert 0 <= moment.heat.min() <= moment.heat.max() <= 1, film.name
            assert moment.verdict in ("on-screen", "off-screen", "silent", "unsure")
            assert moment.verdict == "silent" or len(moment.tags) == 5, film.name
