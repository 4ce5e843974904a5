"""Films to EZ-VSL's layout: the right frame, the whole sound, what fails is named, what is there is kept."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from make_media import cut_short, make_film, number_of, tone
from soundspot.data import in_processes
from soundspot.data.extract import extract
from soundspot.data.sets.vggss import read_vggss
from soundspot.media.film import FilmWriter
from soundspot.media.image import read_image
from soundspot.media.video import probe, read_frame, read_waveform
from soundspot.types import UserError

SECOND, MILLISECONDS = "abcdefghijk_000030", "-bcdefghijk_4000_14000"
FIRST, OTHER = "abcdefghijk_000030", "-bcdefghijk_000004"
film_of = partial(make_film, num_frames=20, rate=10, samples=tone(440, 2, 8000), sample_rate=8000)


@pytest.fixture
def films(tmp_path: Path) -> Path:
    """Two films of 2 s, in one folder and in a deeper one."""
    folder = tmp_path / "films"
    (folder / "part").mkdir(parents=True)
    film_of(folder / f"{SECOND}.mp4")
    film_of(folder / "part" / f"{MILLISECONDS}.mp4")
    return folder


def cut_film(path: Path) -> None:
    """A film whose header stands before what is cut off."""
    with FilmWriter(path, width=96, height=64, frames_per_second=10, sample_rate=8000) as film:
        for _ in range(40):
            film.write_frame(np.random.default_rng(0).integers(0, 255, (64, 96, 3), dtype=np.uint8))
        film.write_sound(tone(440, 4, 8000))
    cut_short(path, 0.8)
    assert probe(path).duration_seconds == pytest.approx(4, abs=0.1)


def test_the_middle_frame_and_the_whole_sound_bear_the_id_in_seconds(films: Path, tmp_path: Path) -> None:
    done = extract(films, tmp_path / "out", jobs=1)
    assert (done.made, done.already, done.failed) == (2, 0, [])
    assert sorted(path.name for path in (tmp_path / "out/frames").iterdir()) == [f"{OTHER}.jpg", f"{FIRST}.jpg"]
    assert number_of(read_image(tmp_path / f"out/frames/{FIRST}.jpg")) == 10
    sound = read_waveform(tmp_path / f"out/audio/{OTHER}.wav")
    assert (sound.sample_rate, sound.samples.shape[0]) == (16000, 1)
    assert sound.duration_seconds == pytest.approx(2, abs=0.15)
    assert np.abs(sound.samples).max() == pytest.approx(0.5, abs=0.1)


def test_a_frame_at_a_time_and_another_rate(films: Path, tmp_path: Path) -> None:
    extract(films, tmp_path / "out", time_seconds=0.5, sample_rate=8000, jobs=1)
    assert number_of(read_image(tmp_path / f"out/frames/{FIRST}.jpg")) == 5
    assert probe(tmp_path / f"out/audio/{FIRST}.wav").sample_rate == 8000


def test_a_list_chooses_in_either_spelling_and_names_what_has_no_film(films: Path, tmp_path: Path) -> None:
    ids = tmp_path / "list.txt"
    ids.write_text(f"{OTHER}\nzzzzzzzzzzz_10000_20000\n")
    done = extract(films, tmp_path / "out", ids=ids, jobs=1)
    assert done.made == 1
    assert [(entry.clip_id, entry.reason) for entry in done.failed] == [
        ("zzzzzzzzzzz_000010", "no film of this name, which list.txt lists")
    ]


def test_films_that_fail_are_named_and_leave_nothing(films: Path, tmp_path: Path) -> None:
    (films / "torn.mp4").write_bytes(b"not a film")
    film_of(films / "mute.mp4", samples=None)
    cut_film(films / "cut.mp4")
    film_of(films / f"{FIRST[:11]}_30000_40000.mp4")
    (films / ".half.partial-1.mp4").write_bytes(b"")
    done = extract(films, tmp_path / "out", jobs=1)
    assert done.made == 2
    reasons = {entry.clip_id: entry.reason for entry in done.failed}
    other = f"{FIRST[:11]}_30000_40000.mp4"
    assert set(reasons) == {"torn.mp4", "mute.mp4", "cut.mp4", other}
    assert "no sound in it" in reasons["mute.mp4"]
    assert "it is cut off" in reasons["cut.mp4"]
    assert f"expected one film of the id {FIRST}, got {films}/{SECOND}.mp4 too" in reasons[other]
    left = {path.name for folder in ("frames", "audio") for path in (tmp_path / "out" / folder).iterdir()}
    assert left == {f"{name}{ending}" for name in (FIRST, OTHER) for ending in (".jpg", ".wav")}


def test_a_moment_beyond_the_film_fails(films: Path, tmp_path: Path) -> None:
    done = extract(films, tmp_path / "out", time_seconds=5, jobs=1)
    assert done.made == 0
    assert all("expected a moment within the film's picture" in entry.reason for entry in done.failed)
    assert list((tmp_path / "out/audio").iterdir()) == []


def test_what_is_whole_is_kept_and_what_is_half_made_again(films: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    extract(films, out, jobs=1)
    before = (out / f"audio/{FIRST}.wav").stat().st_mtime_ns
    (out / f"frames/{OTHER}.jpg").unlink()
    done = extract(films, out, jobs=1)
    assert (done.made, done.already) == (1, 1)
    assert (out / f"audio/{FIRST}.wav").stat().st_mtime_ns == before


def test_other_settings_do_not_mix(films: Path, tmp_path: Path) -> None:
    extract(films, tmp_path / "out", jobs=1)
    with pytest.raises(UserError, match=r'made with \{"frame": 5.*got \{"frame": "middle".*another --out'):
        extract(films, tmp_path / "out", time_seconds=5, jobs=1)


def test_a_run_that_made_nothing_fixes_no_settings(films: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert extract(films, out, time_seconds=5, jobs=1).made == 0
    assert extract(films, out, sample_rate=8000, jobs=1).made == 2
    assert json.loads((out / "extract.json").read_text()) == {"frame": "middle", "sample_rate": 8000}


def test_every_film_is_counted_once_whatever_its_id(films: Path, tmp_path: Path, command: Callable) -> None:
    """One id both in seconds and in milliseconds, the one that is taken unreadable, and an id without a film."""
    for name in (f"part/{FIRST}", "part/torn", "torn"):
        (films / f"{name}.mp4").write_bytes(b"not a film")
    (tmp_path / "ids.txt").write_text(f"{FIRST}\n{OTHER}\ntorn\nzzzzzzzzzzz_000010\n")
    words = ("extract", films, "--out", tmp_path / "out", "--ids", tmp_path / "ids.txt", "--jobs", "1")
    told = command(*words)
    assert told.out == f"{tmp_path / 'out'}\t2 made\t0 already there\t4 failed\n"
    failed = json.loads(command(*words, "--json").out)["failed"]
    names = [f"part/{FIRST}.mp4", "part/torn.mp4", "torn.mp4", "zzzzzzzzzzz_000010"]
    assert sorted(failed) == names
    assert [line.split(": ")[0] for line in told.err.splitlines()] == [f"failed {name}" for name in names]
    assert f"of the id {FIRST}, got {films}/{SECOND}.mp4 too" in failed[f"part/{FIRST}.mp4"]
    assert "of the id torn, got " in failed["torn.mp4"]


@pytest.mark.parametrize(
    ("options", "said"),
    [({"time_seconds": -1.0}, "time of 0 seconds or more"), ({"sample_rate": 0}, "a sample rate in Hz, got 0")],
)
def test_senseless_settings_are_refused(films: Path, tmp_path: Path, options: dict, said: str) -> None:
    with pytest.raises(UserError, match=said):
        extract(films, tmp_path / "out", jobs=1, **options)
    assert not (tmp_path / "out").exists()


def test_a_folder_without_films_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="expected a folder of films, got none"):
        extract(tmp_path / "gone", tmp_path / "out")
    with pytest.raises(UserError, match=r"expected films \(.mp4, .*\), got none"):
        extract(tmp_path, tmp_path / "out")


def work(clip_id: str, film: Path) -> str | None:
    """Ends its process on some films, as a decoder's crash would."""
    if clip_id.startswith("crash"):
        os._exit(3)
    if clip_id.startswith("hang"):
        time.sleep(1000)
    return "bad" if clip_id == "bad" else None


def test_a_film_that_ends_its_process_fails_alone() -> None:
    films = {name: Path(f"{name}.mp4") for name in ("a", "crash", "bad", "b")}
    done = dict(in_processes.each(films, work, lambda _, film: f"{film}: its process ended", jobs=2))
    assert done.keys() == films.keys()
    assert (done["a"], done["b"], done["bad"]) == (None, None, "bad")
    assert done["crash"] == "crash.mp4: its process ended"


def test_a_film_over_which_nothing_moves_fails_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_processes, "QUIET_SECONDS", 15.0)
    films = {name: Path(f"{name}.mp4") for name in ("a", "hang", "bad", "b")}
    done = dict(in_processes.each(films, work, lambda _, film: f"{film}: its process ended", jobs=2))
    assert done == {"a": None, "b": None, "bad": "bad", "hang": "hang.mp4: its process ended"}


def test_the_verb_names_failures_and_ends_with_1(films: Path, tmp_path: Path, command: Callable) -> None:
    out = tmp_path / "out"
    assert command("extract", films, "--out", out, "--jobs", "2") == (
        0, f"{out}\t2 made\t0 already there\t0 failed\n", "",
    )  # fmt: skip
    (films / "torn.mp4").write_bytes(b"not a film")
    done = command("extract", films, "--out", out, "--jobs", "1")
    assert (done.code, done.out) == (1, f"{out}\t0 made\t2 already there\t1 failed\n")
    assert done.err.startswith("failed torn.mp4: ")
    told = json.loads(command("extract", films, "--out", out, "--jobs", "1", "--json").out)
    assert (told["made"], told["already"], list(told["failed"])) == (0, 2, ["torn.mp4"])
    assert command("extract", films, "--out", tmp_path / "no", "--frame", "first").code == 2
    assert command("extract", films, "--out", tmp_path / "no", "--frame", "0.2", "--jobs", "1").code == 1


@pytest.mark.shared
def test_real_vggsound_films_get_the_ids_of_vggss(shared: Path, annotations: Path, tmp_path: Path) -> None:
    name = "1aDnyPubxdY_118000_128000"
    (tmp_path / "films").mkdir()
    (tmp_path / f"films/{name}.mp4").symlink_to(shared / f"data/media/films/{name}.mp4")
    assert extract(tmp_path / "films", tmp_path / "out", time_seconds=5, jobs=1).made == 1
    pairs = read_vggss(annotations / "stoneMo+EZ-VSL/metadata", tmp_path / "out")
    there = [clip for clip, _ in pairs if clip.image is not None and clip.image.is_file()]
    assert [clip.id for clip in there] == ["1aDnyPubxdY_000118"]
    difference = read_image(there[0].image).astype(int) - read_frame(tmp_path / f"films/{name}.mp4", 5)
    assert np.abs(difference).mean() < 3
    assert probe(there[0].audio).duration_seconds == pytest.approx(10, abs=0.2)


def test_processes_that_cannot_start_are_told_and_no_film_is_blamed(tmp_path: Path) -> None:
    script = tmp_path / "unguarded.py"
    script.write_text(
        "from pathlib import Path\n"
        "from soundspot.data.extract import extract\n"
        f"extract(Path({str(tmp_path)!r}), Path({str(tmp_path / 'out')!r}), jobs=2)\n"
    )
    (tmp_path / "aaaaaaaaaaa_1.mp4").write_bytes(b"no film")
    ended = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=120)
    assert ended.returncode == 1
    assert "expected to be able to start processes" in ended.stderr.splitlines()[-1]
