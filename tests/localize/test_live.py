"""Live: real processes at the end of real pipes, what is left out when the method is slow, and streams that break."""

from __future__ import annotations

import contextlib
import functools
import http.server
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from live_feed import feed, written_at
from make_media import make_film, tone
from soundspot import weights
from soundspot.localize.live import Held, Question, Told, Waiting, open_live
from soundspot.localize.localizer import Localizer
from soundspot.localize.source import open_source
from soundspot.localize.timeline import Calibration
from soundspot.methods import build
from soundspot.methods.base import Method
from soundspot.types import Batch, Inputs, UserError

RATE = 16000
EVERY = 0.5
SECONDS = 6
WINDOW = 1.0
TINY = {"image_backbone": "resnet10t", "audio_backbone": "resnet10t", "image_size": 64, "seconds": WINDOW}


class Loud(Method):
    """A map of one place that says how bright it is; each look takes `pause` seconds."""

    def __init__(self, pause: float = 0.0) -> None:
        super().__init__()
        zero, one = (0.0,) * 3, (1.0,) * 3
        self.inputs = Inputs(
            image_size=8, image_mean=zero, image_std=one, sample_rate=RATE, seconds=WINDOW, spectrogram="logmel"
        )
        self.pause = pause
        self.gain = torch.nn.Parameter(torch.ones(()))

    def localize(self, batch: Batch) -> torch.Tensor:
        time.sleep(self.pause)
        return self.gain * batch.image.mean(dim=1)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """6 s: a tone of 3 s, then silence; the picture grows brighter."""
    sound = np.concatenate([tone(400, 3, RATE), np.zeros((1, 3 * RATE), np.float32)], axis=1)
    return make_film(
        tmp_path_factory.mktemp("film") / "film.mp4", num_frames=60, rate=10, size=(64, 48), gop=5,
        picture=lambda n: np.full((48, 64, 3), 4 * n, np.uint8), samples=sound, sample_rate=RATE,
    )  # fmt: skip


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    return weights.save(build("ez_vsl", **TINY), path, {"calibration": '{"scale": 1.0, "offset": 0.0}'})


COMMAND = """
import sys
from soundspot.cli import main
from soundspot.localize import live
opened = live.open_stream
def open_stream(*words):
    print("it listens", file=sys.stderr, flush=True)
    return opened(*words)
live.open_stream = open_stream
main()
"""


def process(*words: str | Path, every: float = EVERY) -> subprocess.Popen[bytes]:
    """The command, which also says when it opens its stream."""
    line = [sys.executable, "-c", COMMAND, "live", *words, "--every", every]
    pipe = subprocess.PIPE
    return subprocess.Popen(list(map(str, line)), stdin=pipe, stdout=pipe, stderr=pipe)


def listen(running: subprocess.Popen[bytes]) -> tuple[threading.Thread, list[tuple[float, dict[str, Any]]]]:
    """A thread that notes each line with when it came."""
    lines: list[tuple[float, dict[str, Any]]] = []

    def read() -> None:
        assert running.stdout is not None
        for line in running.stdout:
            lines.append((time.monotonic(), json.loads(line)))

    thread = threading.Thread(target=read)
    thread.start()
    return thread, lines


def ready(running: subprocess.Popen[bytes]) -> None:
    """Wait until it listens: what it imports is no part of the delay."""
    assert running.stderr is not None
    assert any(line == b"it listens\n" for line in running.stderr)


@pytest.mark.shared
def test_a_real_film_through_a_pipe_at_its_own_speed(shared: Path, tiny: Path) -> None:
    film = shared / "data" / "media" / "films" / "car.mp4"
    running = process("-", "--weights", tiny)
    thread, lines = listen(running)
    assert running.stdin is not None
    ready(running)
    written = feed(film, running.stdin)
    running.stdin.close()
    assert running.wait(60) == 0
    thread.join()
    rows = [row for _, row in lines]
    times = [row["time_seconds"] for row in rows]
    assert times == sorted(set(times))
    assert all((at / EVERY).is_integer() for at in times)
    assert len(rows) + rows[-1]["dropped"] == pytest.approx(2 * open_source(film).duration_seconds, abs=2)
    assert {row["stated_delay_seconds"] for row in rows} == {WINDOW / 2 + EVERY}
    inside = slice(2, -2)  # the ends come in a burst
    behind = np.array([came - written_at(written.pictures, row["time_seconds"]) for came, row in lines])[inside]
    told = np.array([row["delay_seconds"] for row in rows])[inside]
    for came, row in lines[inside]:
        needed = row["time_seconds"] + WINDOW / 2 - 0.15
        assert came > written_at(written.sounds, needed), "half a window must have come"
    assert (told < behind).all(), "what is said of the delay is what is seen outside, less the way through the pipe"
    assert np.median(behind - told) < 1.0
    assert WINDOW / 2 - 0.15 < np.median(told) < WINDOW / 2 + EVERY + 1.0


def test_what_is_seen_and_heard_live_is_what_a_file_holds(film: Path) -> None:
    """Over HTTP, as fast as it comes, with room for all to wait."""
    localizer = Localizer(Loud(), Calibration(8.0, -4.0))
    expected = list(localizer.watch(open_source(film), EVERY, 1, []))  # type: ignore[arg-type]
    with served(film.parent) as address:
        live = open_live(localizer, f"{address}/{film.name}", every_seconds=EVERY, queue=100)
        told = list(live.moments())
    assert [each.dropped for each in told] == [0] * len(expected)
    assert [each.moment.time_seconds for each in told] == [look.time_seconds for look in expected]
    for each, look in zip(told, expected, strict=True):
        assert np.abs(each.moment.map - look.maps).max() < 1e-5
        if np.isfinite(each.moment.level_dbfs) and look.level_dbfs > -70:
            assert each.moment.level_dbfs == pytest.approx(look.level_dbfs, abs=0.3)
    assert [each.moment.verdict == "silent" for each in told][-4:] == [True] * 4


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_slow_method_leaves_the_oldest_out_counts_them_and_is_never_far_behind(film: Path) -> None:
    pause, every, queue = 0.5, 0.1, 2
    live = open_live(Localizer(Loud(pause)), str(film), every_seconds=every, queue=queue)
    told = list(live.moments())
    dropped = [each.dropped for each in told]
    assert dropped == sorted(dropped)
    assert dropped[-1] > 20
    assert len(told) + dropped[-1] == SECONDS / every, "every look is told or counted"
    times = [each.moment.time_seconds for each in told]
    assert times == sorted(times)
    # A look waits for half a window, for the one that is worked on, and for those before it in the queue.
    bound = WINDOW / 2 + (queue + 1) * pause + every
    assert max(each.delay_seconds for each in told) < bound + 1.0
    assert np.diff([each.delay_seconds for each in told[3:]]).max() < 1.0, "it does not grow"


def question(number: int) -> Question:
    return Question(float(number), np.zeros((1, 1, 3), np.uint8), np.zeros((1, 1), np.float32), 0.0)


def test_the_queue_drops_the_oldest() -> None:
    waiting = Waiting(3)
    for number in range(10):
        waiting.put(question(number))
    waiting.end()
    assert [(item.time_seconds, dropped) for item, dropped in waiting] == [(7.0, 7), (8.0, 7), (9.0, 7)]


def test_what_waits_is_told_before_the_error() -> None:
    waiting = Waiting(3)
    waiting.put(question(1))
    waiting.end(UserError("gone"))
    items = iter(waiting)
    assert next(items)[0].time_seconds == 1
    with pytest.raises(UserError, match="gone"):
        next(items)


def test_held_sound_keeps_gaps_overlaps_and_a_bound() -> None:
    held = Held(100, 1, 4.0)
    assert held.end_seconds == -np.inf
    ramp = np.arange(1, 101, dtype=np.float32)[None]
    held.add(0.0, ramp)
    held.add(1.01, ramp)  # a stamp that jitters: it follows
    assert held.end_seconds == 2.0
    held.add(2.5, ramp)  # half a second was lost
    window = held.around(2.5, 200)[0]
    assert window.tolist() == [*ramp[0, 50:].tolist(), *[0.0] * 50, *ramp[0].tolist()]
    held.add(3.0, 0 * ramp)  # half of it is there already
    assert held.end_seconds == 4.0
    assert held.around(3.25, 50)[0].tolist() == ramp[0, 50:].tolist()
    for second in range(4, 60):
        held.add(float(second), ramp)
    assert held._samples.shape[1] == 400
    held.add(5000.0, ramp)  # another clock
    assert held.end_seconds == 5001.0
    assert held.around(5000.0, 100)[0].tolist() == [*[0.0] * 50, *ramp[0, :50].tolist()]


def test_ctrl_c_ends_it_in_order(film: Path, tiny: Path) -> None:
    running = process(film, "--weights", tiny, every=0.2)
    assert running.stdout is not None
    first = json.loads(running.stdout.readline())
    assert set(first) == {
        "time_seconds", "verdict", "probability", "level_dbfs", "boxes", "tags", "delay_seconds", "dropped",
        "stated_delay_seconds",
    }  # fmt: skip
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=30)
    assert running.returncode == 0
    assert b"Traceback" not in errors
    assert b" moments, " in errors.splitlines()[-1]


def test_garbage_is_refused_in_one_line(tiny: Path) -> None:
    running = process("-", "--weights", tiny)
    _, errors = running.communicate(b"no film" * 20000, timeout=60)
    assert running.returncode == 2
    assert b"Traceback" not in errors
    (line,) = [line for line in errors.decode().splitlines() if line.startswith("soundspot:")]
    assert "expected a stream of picture and sound" in line


def test_a_stream_that_breaks_off_is_told_to_its_end(film: Path, tiny: Path, tmp_path: Path) -> None:
    with (tmp_path / "film.ts").open("wb") as file:
        feed(film, file, speed=1000)
    data = (tmp_path / "film.ts").read_bytes()
    running = process("-", "--weights", tiny, "--queue", "100")
    out, errors = running.communicate(data[: len(data) // 2], timeout=60)
    assert running.returncode == 0, errors
    rows = [json.loads(line) for line in out.splitlines()]
    assert 3 < len(rows) < 2 * SECONDS
    assert [row["time_seconds"] for row in rows] == [EVERY * number for number in range(len(rows))]


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("none.mp4",), "expected a pipe, a device, an address or a file"),
        (("http://127.0.0.1:9/film.ts",), "expected a stream of picture and sound"),
        (("sound.wav",), "expected a stream with picture"),
        (("mute.mp4",), "give --sound"),
        (("film.mp4", "--every", "0"), "expected --every above 0"),
        (("film.mp4", "--queue", "0"), "expected a --queue of 1 or more"),
        (("film.mp4", "--sound", "no_such_card"), "expected a stream of picture and sound"),
    ],
)
def test_a_mistake_is_one_line(
    words: tuple[str, ...], what: str, tmp_path: Path, tiny: Path, command: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_film(tmp_path / "mute.mp4", num_frames=5)
    make_film(tmp_path / "film.mp4", num_frames=5, samples=tone(300, 0.2, RATE), sample_rate=RATE)
    make_film(tmp_path / "sound.wav", video_codec=None, audio_codec="pcm_s16le", sample_format="s16",
              samples=tone(300, 0.5, RATE), sample_rate=RATE)  # fmt: skip
    monkeypatch.chdir(tmp_path)
    done = command("live", *words, "--weights", tiny)
    assert (done.code, done.out) == (2, "")
    assert what in done.err
    # ALSA speaks for itself
    assert len([line for line in done.err.strip().splitlines() if not line.startswith("ALSA")]) == 1


def test_a_told_moment_is_one_plain_line(film: Path) -> None:
    localizer = Localizer(Loud(), Calibration(8.0, -4.0))
    moment = localizer(np.full((8, 8, 3), 200, np.uint8), tone(300, 1, RATE)[0])
    row = Told(moment, 1.23456, 7).row()
    assert (row["delay_seconds"], row["dropped"], row["verdict"]) == (1.235, 7, "on-screen")
    assert json.loads(json.dumps(row)) == row
