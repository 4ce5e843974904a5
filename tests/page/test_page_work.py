"""What the page makes of a film: judged again without a method, drawn as a curve, written down, stopped."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from make_media import make_film
from soundspot.localize.classes import ClassThresholds
from soundspot.localize.judging import Judge
from soundspot.localize.source import open_source
from soundspot.localize.timeline import Calibration
from soundspot.media.image import write_image
from soundspot.media.video import probe
from soundspot.page.curve import Curve, clock
from soundspot.page.limits import Limits
from soundspot.page.original import as_browsers_play
from soundspot.page.samples import GUITAR, samples_in
from soundspot.page.steps import Steps, Stopped
from soundspot.page.work import Asked, Found, Weights, judged_by, look
from soundspot.types import UserError


def begin(name: str) -> Any:
    return lambda done, total: None


@pytest.fixture(scope="module")
def weights(tiny: Path) -> Weights:
    return Weights((str(tiny),))


@pytest.fixture(scope="module")
def found(weights: Weights, red: Path, tmp_path_factory: pytest.TempPathFactory) -> Found:
    folder = tmp_path_factory.mktemp("found")
    return look(weights, Limits(), folder, (red, None), "mine <1>.mp4", Asked("tiny", 0.5), begin)


def test_all_files_are_there(found: Found) -> None:
    assert {path.name for path in found.folder.iterdir()} == {
        "original.mp4", "overlay.mp4", "timeline.jsonl", "summary.png",
    }  # fmt: skip
    head = json.loads((found.folder / "timeline.jsonl").read_text().splitlines()[0])
    assert head["source"] == "mine <1>.mp4"
    with pytest.raises(UserError, match="unknown download"):
        found.file("../../secret")


def test_another_threshold_asks_no_method(found: Found, monkeypatch: pytest.MonkeyPatch) -> None:
    from soundspot.localize.localizer import Localizer

    monkeypatch.setattr(Localizer, "looks", None)  # would fail, were it asked
    sounding = [m for m in found.timeline.known if m.verdict != "silent"]
    middle = sorted(m.probability for m in sounding)[len(sounding) // 2]
    assert 0.02 < middle < 0.98
    for threshold in (middle - 0.01, middle + 0.01):
        again = found.again(threshold)
        expected = ["on-screen" if m.probability >= threshold else "off-screen" for m in sounding]
        assert [m.verdict for m in again.timeline.known if m.verdict != "silent"] == expected
        assert json.loads(again.timeline.provenance["calibration"])["high"] == threshold
        assert again.version == found.version + 1
        assert np.array_equal(again.timeline.moments[2].map, found.timeline.moments[2].map)


def test_a_threshold_moves_the_upper_bound_and_keeps_what_is_unsure() -> None:
    plain = Judge(Calibration(1.0, 0.0))
    assert judged_by(plain, 0.5) is plain
    moved = judged_by(plain, 0.8).calibration
    assert moved is not None
    assert (moved.low, moved.high) == (0.8, 0.8)
    unsure = Judge(Calibration(1.0, 0.0, 0.3, 0.6, unsure_rate=0.1, error_rate=0.1))
    for threshold, bounds in ((0.9, (0.3, 0.9)), (0.2, (0.2, 0.2))):
        moved = judged_by(unsure, threshold).calibration
        assert moved is not None
        assert (moved.low, moved.high, moved.unsure_rate, moved.error_rate) == (*bounds, None, None)
    classes = judged_by(Judge(None, ClassThresholds(0.4, 0.5), ("a",)), 0.7)
    assert classes.thresholds == ClassThresholds(0.4, 0.7)
    for wrong in (0.0, 1.0, float("nan")):
        with pytest.raises(UserError, match="expected a threshold between 0 and 1"):
            judged_by(plain, wrong)


def test_weights_are_those_given_at_the_start(weights: Weights, tiny: Path, tmp_path: Path) -> None:
    assert weights.names == ("tiny",)
    with pytest.raises(UserError, match="unknown weights '/etc/passwd'"), weights.borrow("/etc/passwd"):
        pass
    with weights.borrow("tiny") as one, weights.borrow("tiny") as other:
        assert one is not other, "two films at a time share none"
    with weights.borrow("tiny") as third:
        assert third in (one, other)
    with pytest.raises(UserError, match="expected weights of different names"):
        Weights((str(tiny), str(tiny)))
    with pytest.raises(UserError, match="expected a weights file, got nothing there"):
        Weights((str(tmp_path / "gone.safetensors"),))


def test_long_films_and_films_without_sound_are_refused(weights: Weights, red: Path, tmp_path: Path) -> None:
    asked = Asked("tiny", 0.5)
    with pytest.raises(UserError, match="expected up to 3 s, got 4 s; cut it shorter"):
        look(weights, Limits(max_seconds=3), tmp_path, (red, None), "red.mp4", asked, begin)
    mute = make_film(tmp_path / "mute.mp4", num_frames=10)
    with pytest.raises(UserError, match="expected a film with a sound track, got none; give a picture"):
        look(weights, Limits(), tmp_path, (mute, None), "mute.mp4", asked, begin)


def test_the_curve_shows_each_moment_and_ends_where_the_film_does(found: Found) -> None:
    drawn = Curve(found.timeline, found.source.seconds, 0.25).html()
    line = drawn.split('class="spot-sure" points="')[1].split('"')[0].split()
    places = [tuple(map(float, point.split(","))) for point in line]
    assert [x for x, _ in places] == pytest.approx([m.time_seconds / 4 * 1000 for m in found.timeline.known], abs=0.1)
    for (_, y), moment in zip(places, found.timeline.known, strict=True):
        assert moment.probability is not None
        assert y == pytest.approx(96 * (1 - moment.probability), abs=0.1)
    assert 'data-seconds="4.000"' in drawn
    assert "<script" not in drawn
    assert (clock(0), clock(59.99), clock(3661.5)) == ("0:00.0", "0:59.9", "61:01.5")


def test_films_that_browsers_cannot_play_are_written_anew(red: Path, tmp_path: Path) -> None:
    same, other = tmp_path / "same.mp4", tmp_path / "other.mp4"
    as_browsers_play(open_source(red), same, begin(""))
    assert same.read_bytes() == red.read_bytes()
    from make_media import tone

    old = make_film(
        tmp_path / "old.avi", num_frames=10, rate=10, video_codec="mpeg4", samples=tone(440, 1, 16000),
        sample_rate=16000, audio_codec="pcm_s16le", sample_format="s16",
    )  # fmt: skip
    as_browsers_play(open_source(old), other, begin(""))
    assert probe(other).duration_seconds == pytest.approx(1, abs=0.05)
    assert probe(other).width == 96


def test_samples_are_films_and_pairs_of_a_folder(red: Path, tmp_path: Path) -> None:
    assert list(samples_in(None)) == [GUITAR]
    (tmp_path / "film.mp4").write_bytes(red.read_bytes())
    write_image(tmp_path / "pair.png", np.zeros((4, 4, 3), np.uint8))
    (tmp_path / "pair.wav").write_bytes(b"")
    write_image(tmp_path / "alone.png", np.zeros((4, 4, 3), np.uint8))
    found = samples_in(tmp_path)
    assert {name: sample.sound_path for name, sample in found.items()} == {
        "film": None, "pair": tmp_path / "pair.wav",
    }  # fmt: skip
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="expected films, or pictures beside sounds"):
        samples_in(tmp_path / "empty")
    with pytest.raises(UserError, match="got no folder; check --samples"):
        samples_in(tmp_path / "gone")


def test_work_tells_its_steps_and_stops_when_nobody_watches() -> None:
    go, counted = threading.Event(), []

    def work(steps: Steps[int]) -> int:
        to = steps.begin("Count")
        for number in range(1000):
            to(number, 1000)
            counted.append(number)
            go.wait(0.01)
        return 7

    watching = Steps(work, threading.Event()).watch()
    assert next(watching).name in ("", "Count")
    watching.close()
    assert len(counted) < 1000
    go.set()
    steps = Steps(work, threading.Event())
    list(steps.watch())
    assert steps.value == 7
    gone = threading.Event()
    gone.set()
    with pytest.raises(Stopped):
        list(Steps(work, gone).watch())


def test_errors_of_the_work_come_out_of_it() -> None:
    def work(steps: Steps[int]) -> int:
        raise UserError("expected more")

    with pytest.raises(UserError, match="expected more"):
        list(Steps(work, threading.Event()).watch())
