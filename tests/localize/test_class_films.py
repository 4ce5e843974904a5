"""Several sounds at once, with a small method that sees colours and hears tones: verdicts, film, legend, timeline."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image
from torch import Tensor, nn

from make_media import tone
from soundspot import weights
from soundspot.localize import draw_classes
from soundspot.localize.classes import ClassMoment, ClassThresholds, Layer, blended, in_view, judge
from soundspot.localize.draw_classes import COLOURS, SILENT, Palette, legend, overlay, palette_of
from soundspot.localize.film import write_overlay
from soundspot.localize.localizer import Localizer
from soundspot.localize.run import Localized, Wanted, run
from soundspot.localize.source import open_source
from soundspot.localize.timeline import Timeline
from soundspot.media.audio import write_wav
from soundspot.media.film import FilmWriter
from soundspot.media.image import write_image
from soundspot.media.video import read_frame
from soundspot.methods import METHODS
from soundspot.methods.base import Method
from soundspot.types import Batch, Inputs, UserError

RATE = 16000
NAMES = ("cello", "piano", "flute")
TONES = {"cello": 400, "piano": 1000, "flute": 4000}
SIZE = (160, 120)
"""Width and height of the film."""
CELLO, PIANO = (slice(40, 80), slice(16, 56)), (slice(40, 80), slice(104, 144))
"""Where the red and the blue square are."""


class Colourful(Method):
    """Sees cellos in red, pianos in blue and flutes in green, and hears them by their tones."""

    class_names: tuple[str, ...] = NAMES
    tag_names = NAMES

    def __init__(self, cells: int = 12, seen_cells: int = 12) -> None:
        super().__init__()
        zero, one = (0.0,) * 3, (1.0,) * 3
        self.inputs = Inputs(
            image_size=48, image_mean=zero, image_std=one, sample_rate=RATE, seconds=1.0, spectrogram="logmel",
            waveform=True,
        )  # fmt: skip
        self.cells, self.seen_cells = cells, seen_cells
        self.gain = nn.Parameter(torch.ones(()))

    def colours(self, batch: Batch, cells: int) -> Tensor:
        """(B, 3, cells, cells) in 0..1: red, blue, green beyond what the other two have."""
        red, green, blue = F.adaptive_avg_pool2d(batch.image, cells).unbind(dim=1)
        own = torch.stack([red - green.maximum(blue), blue - red.maximum(green), green - red.maximum(blue)], dim=1)
        return own.clamp(0, 1)

    def see(self, batch: Batch) -> Tensor:
        return self.colours(batch, self.seen_cells)

    def hear(self, batch: Batch) -> Tensor:
        waves = batch.extra["waveform"]
        power = torch.fft.rfft(waves * torch.hann_window(waves.shape[1])).abs() / waves.shape[1]
        levels = torch.stack([power[:, hertz - 5 : hertz + 6].amax(dim=1) for hertz in TONES.values()], dim=1)
        return (levels * 20).clamp(0, 0.95)

    def localize(self, batch: Batch) -> Tensor:
        claimed = self.colours(batch, self.cells) * self.hear(batch)[:, :, None, None]
        return torch.softmax(self.gain * 5 * claimed, dim=1)


def squares() -> np.ndarray:
    """A red and a blue square on grey."""
    frame = np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)
    frame[CELLO], frame[PIANO] = (230, 20, 20), (20, 20, 230)
    return frame


def band(*names: str, seconds: float = 2.0) -> np.ndarray:
    """(1, N) of these instruments at once, silence of none."""
    mixed = np.zeros((1, round(seconds * RATE)), np.float32)
    for name in names:
        mixed += 0.5 * tone(TONES[name], seconds, RATE)
    return mixed


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """8 s, 2 s each: cello and piano; cello alone; cello, and a flute that is not in view; silence."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    parts = [band("cello", "piano"), band("cello"), band("cello", "flute"), band()]
    with FilmWriter(path, width=SIZE[0], height=SIZE[1], frames_per_second=5, sample_rate=RATE) as writer:
        for part in parts:
            for _ in range(10):
                writer.write_frame(squares())
            writer.write_sound(part)
    return path


@pytest.fixture(scope="module")
def timeline(film: Path) -> Timeline:
    return Localizer(Colourful()).video(film, every_seconds=0.5, batch_size=5)


def verdicts(timeline: Timeline, time: float) -> dict[str, str]:
    return {each.name: each.verdict for each in timeline.at(time).classes}


def test_each_class_is_judged_by_itself(timeline: Timeline) -> None:
    assert verdicts(timeline, 1) == {"cello": "sounding", "piano": "sounding", "flute": "absent"}
    assert verdicts(timeline, 3) == {"cello": "sounding", "piano": "silent", "flute": "absent"}
    assert verdicts(timeline, 5) == {"cello": "sounding", "piano": "silent", "flute": "off-screen"}
    assert verdicts(timeline, 7) == {"cello": "silent", "piano": "silent", "flute": "absent"}
    assert [timeline.at(time).verdict for time in (1, 3, 5, 7)] == ["on-screen"] * 3 + ["silent"]
    assert [each.heard for each in timeline.at(7).classes] == [0, 0, 0], "silence silences all"
    assert timeline.at(7).tags == ()


def test_heat_and_boxes_lie_on_each_classs_own_square(timeline: Timeline) -> None:
    cello, piano, flute = timeline.at(1).classes
    for each, columns in ((cello, slice(1, 5)), (piano, slice(7, 11))):
        assert each.heat.max() > 0.8
        outside = np.delete(each.heat, np.r_[columns], axis=1)
        assert outside.max() < 0.25, each.name
    ((left, top, right, bottom),) = cello.boxes
    assert (left, right) == pytest.approx((0.1, 0.35), abs=0.09)
    assert (top, bottom) == pytest.approx((1 / 3, 2 / 3), abs=0.09)
    assert flute.heat.max() == 0
    assert flute.boxes == ()
    silent = timeline.at(3).classes[1]
    assert silent.heat[5, 9] > 0.7, "a silent one's heat is where it is in view"
    assert timeline.at(5).classes[2].boxes == ()


def test_one_map_and_its_boxes_stand_for_all_that_sounds(timeline: Timeline) -> None:
    both, one, none = (timeline.at(time) for time in (1, 3, 7))
    assert both.map.shape == both.heat.shape == (12, 12)
    assert both.heat[5, 2] > 0.8
    assert both.heat[5, 9] > 0.8
    assert len(both.boxes) == 2
    assert one.heat[5, 9] < 0.2
    assert len(one.boxes) == 1
    assert both.map[5, 2] > 0.8
    assert both.confidence == both.map.max()
    assert none.heat.max() == 0
    assert (none.probability, none.boxes) == (0, ())
    assert both.probability is not None
    assert both.probability > 0.5
    assert both.tags[0][0] in ("cello", "piano")


def test_the_timeline_holds_all_classes_a_line_a_moment(timeline: Timeline, tmp_path: Path) -> None:
    timeline.save(tmp_path / "t.jsonl")
    head, *rows = map(json.loads, (tmp_path / "t.jsonl").read_text().splitlines())
    assert json.loads(head["made_with"]["classes"]) == list(NAMES)
    assert json.loads(head["made_with"]["class_thresholds"]) == {"heard": 0.5, "seen": 0.5}
    assert len(rows) == 16
    cello, piano, flute = rows[10]["classes"]
    assert (cello["name"], cello["verdict"]) == ("cello", "sounding")
    assert (piano["name"], piano["verdict"]) == ("piano", "silent")
    assert (flute["name"], flute["verdict"], flute["boxes"]) == ("flute", "off-screen", [])
    assert flute["heard"] > 0.5
    assert flute["seen"] < 0.5
    assert len(cello["boxes"]) == 1
    assert {each["verdict"] for row in rows[13:] for each in row["classes"]} == {"silent", "absent"}


def test_stretches_of_classes_for_people_and_machines(timeline: Timeline) -> None:
    done = Localized(timeline, {}, 8.0)
    rows = [tuple(each.values()) for each in done.facts()["classes"]]
    assert [(name, verdict) for _, _, verdict, name in rows] == [
        ("cello", "sounding"), ("cello", "silent"), ("piano", "sounding"), ("piano", "silent"), ("flute", "off-screen"),
    ]  # fmt: skip
    start, end, _, _ = rows[-1]
    assert (start, end) == pytest.approx((4, 6), abs=0.5)
    heard = [row["heard"] for row in done.facts()["stretches"]]
    assert heard == ["cello, piano", "cello", "cello, flute", ""]
    assert f"{start:7.1f} - {end:6.1f} s  off-screen  flute" in done.text().splitlines()


def near(pixel: np.ndarray, colour: tuple[int, int, int]) -> bool:
    """Whether a pixel's hue is the colour's: what the three have beyond their mean points the same way."""
    one, other = (np.asarray(each, float) - np.mean(each) for each in (pixel, colour))
    return bool(one @ other / (np.linalg.norm(one) * np.linalg.norm(other)) > 0.93)


def test_the_film_shows_both_in_their_colours_and_the_silent_one_grey(
    timeline: Timeline, film: Path, tmp_path: Path
) -> None:
    write_overlay(open_source(film), timeline, tmp_path / "o.mp4")
    both, one, silent = (read_frame(tmp_path / "o.mp4", time).astype(int) for time in (1.0, 3.0, 7.0))
    red, blue = (72, 36), (72, 124)  # low in the squares, clear of the names
    assert near(both[red], COLOURS[0])
    assert near(both[blue], COLOURS[1])
    assert near(one[red], COLOURS[0])
    assert np.ptp(one[blue]) < 25, "the silent piano is grey, though its square is blue"
    assert one[blue].mean() > 90
    assert np.ptp(silent[red]) < 25
    assert np.ptp(silent[blue]) < 25
    apart = both[100:115, 60:100]
    assert np.ptp(apart, axis=2).max() < 12, "no colour where nothing is"
    assert both.shape[0] > SIZE[1] + 20 + 20 + 48 + 3 * 12, "legend, caption, strip and a lane a class stand below"


def test_the_legend_stays_in_place_and_says_what_each_class_does(timeline: Timeline) -> None:
    palette = palette_of(timeline)
    assert palette == {0: COLOURS[0], 1: COLOURS[1], 2: COLOURS[2]}
    bars = [legend(timeline.at(time).classes, palette, 480, 20).astype(int) for time in (1, 3, 5, 7)]
    assert {bar.shape for bar in bars} == {(20, 480, 3)}
    slot = (480 - 10) // 3
    swatches = [[tuple(bar[10, 10 + slot * place + 5]) for place in range(3)] for bar in bars]
    background = draw_classes.draw.PANEL_BACKGROUND
    assert swatches[0] == [COLOURS[0], COLOURS[1], background]
    assert swatches[1] == [COLOURS[0], SILENT, background]
    assert swatches[3] == [SILENT, SILENT, background]
    assert (bars[2][:, 10 + 2 * slot + 20 :] > 200).any(), "the off-screen flute is bright"
    assert not (bars[0][:, 10 + 2 * slot + 20 :] > 200).any(), "the absent one is faint"


def test_lanes_are_full_thin_or_hollow(timeline: Timeline) -> None:
    picture = draw_classes.lanes(timeline, palette_of(timeline), 160, 8.0).astype(int)
    lane = draw_classes.LANE_HEIGHT
    assert picture.shape == (3 * lane, 160, 3)

    def rows(number: int, x: int, colour: tuple[int, int, int]) -> int:
        return int((picture[number * lane : (number + 1) * lane, x] == colour).all(axis=1).sum())

    assert rows(0, 70, COLOURS[0]) == lane - 2
    assert rows(1, 70, SILENT) == 3
    assert rows(2, 100, COLOURS[2]) == 4
    assert rows(2, 140, COLOURS[2]) == 0


def test_the_whole_job_with_weights_that_state_thresholds(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(METHODS, "colourful", "test_class_films:Colourful")
    stated = {"class_thresholds": json.dumps({"heard": 0.999, "seen": 0.3})}
    path = weights.save(Colourful(), tmp_path / "c.safetensors", stated)
    done = run(film, None, tmp_path / "out", Wanted(str(path), with_film=False))
    assert {each["verdict"] for each in done.facts()["classes"]} == {"silent"}, "nothing is heard so surely"
    with Image.open(tmp_path / "out" / "summary.png") as picture:
        assert picture.width == 2 * 426 - 6, "it is off screen, then silent"


def test_a_picture_beside_a_mixture(tmp_path: Path) -> None:
    write_image(tmp_path / "p.png", squares())
    write_wav(tmp_path / "s.wav", band("piano", "flute"), RATE)
    timeline = Localizer(Colourful(seen_cells=24)).video(tmp_path / "p.png", tmp_path / "s.wav", every_seconds=1.0)
    assert verdicts(timeline, 1) == {"cello": "silent", "piano": "sounding", "flute": "off-screen"}
    assert timeline.at(1).classes[0].heat.shape == (12, 12), "what is seen comes onto the grid of the maps"


def test_a_method_whose_names_and_maps_differ_is_refused() -> None:
    method = Colourful()
    method.class_names = NAMES[:2]
    with pytest.raises(UserError, match=r"expected class_names, the same tag_names.* got 2 and 3 names, 3 maps"):
        Localizer(method)(squares(), band("cello")[0])


@pytest.mark.parametrize("text", ["[1]", "{", '{"heard": "x"}', '{"loud": 0.5}', '{"heard": 1.0}', '{"heard": null}'])
def test_thresholds_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(UserError, match=r"class.thresholds"):
        ClassThresholds.of({"class_thresholds": text})


UNIT = st.floats(0, 1, width=32)


@given(st.data(), st.integers(1, 4), st.floats(0.1, 0.9), st.floats(0.1, 0.9))
def test_verdicts_heat_and_probability_agree(data: st.DataObject, count: int, heard: float, seen: float) -> None:
    thresholds = ClassThresholds(heard, seen)
    maps, views = (data.draw(arrays.arrays(np.float32, (count, 3, 4), elements=UNIT)) for _ in range(2))
    sounds = data.draw(arrays.arrays(np.float32, (count,), elements=UNIT))
    classes = judge([str(number) for number in range(count)], maps, sounds, views, thresholds)
    for number, each in enumerate(classes):
        is_heard, is_seen = float(sounds[number]) >= heard, float(views[number].max()) >= seen
        expected = {(1, 1): "sounding", (0, 1): "silent", (1, 0): "off-screen", (0, 0): "absent"}
        assert each.verdict == expected[int(is_heard), int(is_seen)]
        assert each.heat.shape == (3, 4)
        assert 0 <= each.heat.min() <= each.heat.max() <= 1
        if each.verdict in ("off-screen", "absent"):
            assert each.heat.max() == 0
        if each.verdict == "sounding" and np.ptp(maps[number]) > 1e-6:
            assert each.heat.max() >= 0.5 - 1e-6
    if any(each.verdict == "sounding" for each in classes):
        assert in_view(classes, thresholds) >= 0.5 - 1e-9
    else:
        assert in_view(classes, thresholds) <= 0.5


def one(verdict: str, value: float) -> ClassMoment:
    return ClassMoment("a", 0.5, 0.5, verdict, np.full((2, 2), value, np.float32))  # type: ignore[arg-type]


def test_a_class_that_falls_silent_fades_from_colour_to_grey() -> None:
    before, after = [one("sounding", 1.0)], [one("silent", 0.8)]
    layers = {layer.silent: float(layer.heat.mean()) for layer in blended(before, after, 0.25)}
    assert layers == pytest.approx({False: 0.75, True: 0.2})
    assert [layer.silent for layer in blended(before, after, 0.0)] == [False]
    assert blended([one("absent", 0.0)], [one("off-screen", 0.0)], 0.5) == []


def test_a_frame_without_layers_is_only_darker_and_the_stronger_colour_wins() -> None:
    frame = np.full((40, 60, 3), 100, np.uint8)
    assert np.unique(overlay(frame, [], Palette())).tolist() == [75]
    strong, weak = np.full((2, 2), 0.9, np.float32), np.full((2, 2), 0.4, np.float32)
    shown = overlay(frame, [Layer(0, "a", strong), Layer(1, "b", weak)], Palette())
    assert near(shown[20, 30], COLOURS[0])
    grey = overlay(frame, [Layer(0, "a", strong, silent=True)], Palette())
    assert np.ptp(grey, axis=2).max() == 0


def test_more_classes_than_colours_stay_apart_where_they_meet_in_a_film() -> None:
    palette = Palette([1, 13, 25, 2])
    assert len(set(palette.values())) == 4
    assert palette[1] == COLOURS[1]
    assert palette[40] == COLOURS[4], "one that the film hardly has"
    assert len(set(Palette(range(12)).values())) == 12
    names = [replace(one("absent", 0.0), verdict="silent") for _ in range(30)]
    assert legend(names, Palette(range(30)), 480, 20).shape[1] == 480


SIMULATED = {
    "all cones": np.eye(3),
    "no L": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "no M": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "no S": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
"""Machado, Oliveira and Fernandes (2009), severity 1, of linear RGB."""


def cielab(linear: np.ndarray) -> np.ndarray:
    """(N, 3) linear RGB -> L, a, b under D65."""
    to_xyz = np.array(
        [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
    )
    ratios = np.clip(linear, 0, 1) @ to_xyz.T / (0.95047, 1, 1.08883)
    f = np.where(ratios > 0.008856, np.cbrt(ratios), 7.787 * ratios + 16 / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


@pytest.mark.parametrize("eyes", SIMULATED)
def test_the_colours_are_far_apart_to_all_eyes(eyes: str) -> None:
    assert len(COLOURS) >= 12
    every = np.array([*COLOURS, SILENT]) / 255
    linear = np.where(every <= 0.04045, every / 12.92, ((every + 0.055) / 1.055) ** 2.4)
    seen = cielab(linear @ np.array(SIMULATED[eyes]).T)
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) > 20
