"""The page as it is served, small weights for it, and visitors in a real browser."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from make_media import make_film, tone
from soundspot import weights
from soundspot.localize.localizer import Localizer
from soundspot.methods import build

RATE = 16000
COMMAND = """
import os, sys
from pathlib import Path
log = Path(os.environ["TMPDIR"]) / "connects.log"
log.touch()
def watch(event, details):
    if event in ("socket.connect", "socket.getaddrinfo"):
        host = details[1][0] if event == "socket.connect" and isinstance(details[1], tuple) else details[0]
        if isinstance(host, str) and host not in ("127.0.0.1", "localhost", "::1"):
            with log.open("a") as file:
                file.write(f"{event} {host}\\n")
sys.addaudithook(watch)
from soundspot.cli import main
main()
"""
"""The command, which also notes whom the process itself asks for anything."""


@dataclass
class Served:
    """A page that runs in a process of its own."""

    process: subprocess.Popen[str]
    temporary: Path
    address: str = ""
    asked: list[str] = field(default_factory=list)
    """Addresses that browsers asked for, with whatever they complained of."""

    def files(self) -> list[Path]:
        """All that lies in the page's folder."""
        return [path for path in self.temporary.glob("soundspot-page-*/**/*") if path.is_file()]

    def foreign(self) -> list[str]:
        """What was asked of other machines, by browsers or by the page's process."""
        fine = (self.address, "data:", "blob:")
        log = (self.temporary / "connects.log").read_text().splitlines()
        return [address for address in self.asked if not address.startswith(fine)] + log


@pytest.fixture(scope="session")
def start(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Served]:
    """A function from the words after `soundspot page` to the page that they start, once it has told its address."""

    def run(*words: str | Path) -> Served:
        temporary = tmp_path_factory.mktemp("page")
        line = [sys.executable, "-c", COMMAND, "page", "--port", "0", *map(str, words)]
        environment = {**os.environ, "TMPDIR": str(temporary)}
        process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
        served = Served(process, temporary)
        assert process.stdout is not None
        served.address = process.stdout.readline().strip()
        return served

    return run


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory, red: Path) -> Path:
    """Untrained weights whose calibration lays the even chance amid what they say of the film `red`."""
    folder = tmp_path_factory.mktemp("weights")
    method = build("ez_vsl", image_backbone="resnet10t", audio_backbone="resnet10t", image_size=64)
    scores = [moment.confidence for moment in Localizer(method).video(red).known]
    scale = 1.0 / max(float(np.std(scores)), 1e-6)
    calibration = {"scale": scale, "offset": -scale * float(np.median(scores))}
    return weights.save(method, folder / "tiny.safetensors", {"calibration": json.dumps(calibration)})


def _film(path: Path, seconds: float, colour: tuple[int, int, int]) -> Path:
    def picture(number: int) -> np.ndarray:
        image = np.full((120, 160, 3), 40, np.uint8)
        place = 10 if number < seconds * 5 else 90
        image[30:90, place : place + 60] = colour
        return image

    silence = np.zeros((1, RATE), np.float32)
    sound = np.concatenate([tone(440, seconds - 1, RATE), silence], axis=1)
    return make_film(
        path, num_frames=round(10 * seconds), rate=10, size=(160, 120), picture=picture, samples=sound, sample_rate=RATE
    )


@pytest.fixture(scope="session")
def red(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds of a red thing that jumps, with a tone that stops."""
    return _film(tmp_path_factory.mktemp("films") / "red thing.mp4", 4.0, (220, 40, 40))


@pytest.fixture(scope="session")
def blue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six seconds of a blue one."""
    return _film(tmp_path_factory.mktemp("films") / "blue thing.mp4", 6.0, (40, 40, 220))


@pytest.fixture(scope="session")
def served(start: Callable[..., Served], tiny: Path) -> Iterator[Served]:
    """The page with small weights, and the built-in ones to choose; uploads of a megabyte, films of 15 s."""
    page = start(tiny, "default", "--max-mb", "1", "--max-seconds", "15")
    assert page.address, page.process.stderr and page.process.stderr.read()
    yield page
    page.process.send_signal(signal.SIGINT)
    page.process.communicate(timeout=30)


@pytest.fixture
def visitor(served: Served, browser: Any) -> Iterator[Callable[..., Any]]:
    """A function from a width to a page opened by a new visitor, with cookies and storage of their own."""
    contexts = []

    def come(width: int = 1280, height: int = 900) -> Any:
        context = browser.new_context(viewport={"width": width, "height": height}, accept_downloads=True)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(240_000)  # machines that are busy
        page.on("request", lambda request: served.asked.append(request.url))
        page.on("pageerror", lambda error: served.asked.append(f"error in the page: {error}"))
        page.goto(served.address)
        page.wait_for_selector("#spot-go-film")
        return page

    yield come
    for context in contexts:
        context.close()
