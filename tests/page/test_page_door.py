"""What passes the door: short questions, uploads that keep coming, and nothing else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from soundspot.page.limits import Limits
from soundspot.page.visits import Visits

pytest.importorskip("gradio")
from soundspot.page import door
from soundspot.page.door import API, MAX_QUESTION_BYTES, Door

Pieces = Callable[[int], tuple[float, bytes, bool]]
LIMITS = Limits(max_mb=1, stall_seconds=0.2, upload_seconds=0.6)


async def reader(scope: Any, receive: Any, send: Any) -> None:
    """Reads all that is sent, and says how many bytes that was, as a server behind the door would."""
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size += len(message["body"])
        more = message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(size).encode()})


def knock(visits: Visits, path: str, pieces: Pieces, method: str = "POST") -> tuple[int, str]:
    """(status, text) of a request whose piece `number` comes after so many seconds: (seconds, bytes, whether more)."""
    sent: list[Any] = []
    number = -1

    async def receive() -> Any:
        nonlocal number
        number += 1
        seconds, body, more = pieces(number)
        await asyncio.sleep(seconds)
        return {"type": "http.request", "body": body, "more_body": more}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "headers": []}
    # In a thread of its own: a browser that another test opened keeps this one's event loop running.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, Door(reader, visits)(scope, receive, send)).result()
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent).decode()


@pytest.fixture
def visits(tmp_path: Path) -> Visits:
    return Visits(tmp_path, LIMITS)


def test_an_upload_passes_while_it_keeps_coming(visits: Visits) -> None:
    assert knock(visits, f"{API}/upload", lambda number: (0.01, b"12345", number < 3)) == (200, "20")


def test_an_upload_that_stalls_is_ended(visits: Visits) -> None:
    told = (408, "The upload took too long; try again with a smaller file.")
    assert knock(visits, f"{API}/upload", lambda number: (0.0 if number == 0 else 60.0, b"1", True)) == told


def test_an_upload_that_drips_is_ended(visits: Visits) -> None:
    assert knock(visits, f"{API}/upload", lambda number: (0.1, b"1", True))[0] == 408


def test_an_upload_that_grows_too_large_is_ended(visits: Visits) -> None:
    status, told = knock(visits, f"{API}/upload", lambda number: (0.0, b"\0" * 100_000, True))
    assert (status, told) == (413, "Expected a file of up to 1 MB; make it smaller, or cut it shorter.")


def test_who_is_refused_is_heard_out_for_a_while(visits: Visits, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the connection would be cut before the answer is read."""
    asked: list[int] = []

    def pieces(number: int) -> tuple[float, bytes, bool]:
        asked.append(number)
        return 0.0, b"0" * 500_000, number < 9

    assert knock(visits, f"{API}/upload", pieces)[0] == 413
    assert asked == list(range(10)), "to its end, and no further"
    monkeypatch.setattr(door, "LINGER_SECONDS", 0.3)
    began = time.monotonic()
    assert knock(visits, f"{API}/upload", lambda number: (0.01, b"0" * 500_000, True))[0] == 413
    assert 0.3 <= time.monotonic() - began < 30, "but not for ever"


def test_uploads_wait_while_the_disk_is_full(tmp_path: Path) -> None:
    visits = Visits(tmp_path, replace(LIMITS, at_once=1, waiting=0))
    folder = visits.uploads / "x"
    folder.mkdir()
    (folder / "film.mp4").write_bytes(b"\0" * 2_500_000)
    assert knock(visits, f"{API}/upload", lambda number: (0.0, b"1", False))[0] == 503


def test_long_and_slow_questions_are_ended(visits: Visits) -> None:
    place = f"{API}/queue/join"
    assert knock(visits, place, lambda number: (0.0, b" " * MAX_QUESTION_BYTES, True))[0] == 413
    assert knock(visits, place, lambda number: (60.0, b"", True))[0] == 408
    assert knock(visits, place, lambda number: (LIMITS.stall_seconds / 5, b" ", True))[0] == 408, "a drip"
    assert knock(visits, place, lambda number: (0.0, b"no json", False))[0] == 400
    assert knock(visits, place, lambda number: (0.0, b"[" * 60_000, False))[0] == 400


def test_a_question_goes_on_as_it_came(visits: Visits) -> None:
    folder = visits.uploads / "x"
    folder.mkdir()
    (folder / "film.mp4").write_bytes(b"1")
    for path, status in ((folder / "film.mp4", 200), (folder / ".." / "x" / "film.mp4", 400), (folder, 400)):
        body = f'{{"data": [{{"path": "{path}"}}]}}'.encode()
        got, told = knock(visits, f"{API}/queue/join", lambda number, body=body: (0.0, body, False))
        assert got == status
        assert status != 200 or told == str(len(body))


def test_links_among_the_uploads_lead_nowhere(visits: Visits, tmp_path: Path) -> None:
    secret = tmp_path / "secret.mp4"
    secret.write_bytes(b"1")
    folder = visits.uploads / "x"
    folder.mkdir()
    (folder / "film.mp4").symlink_to(secret)
    assert not visits.is_upload(folder / "film.mp4")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "CONNECT"])
def test_other_methods_are_refused(visits: Visits, method: str) -> None:
    assert knock(visits, "/", lambda number: (0.0, b"", False), method) == (404, "Nothing is here.")
