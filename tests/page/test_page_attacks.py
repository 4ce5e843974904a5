"""Attacks on the page as it is served, by plain sockets and HTTP: what gets in, what stays, what it asks of others."""

from __future__ import annotations

import http.server
import json
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from soundspot.page.patience import HEAD_SECONDS

API = "gradio_api"
BOUNDARY = {"content-type": "multipart/form-data; boundary=b"}


@pytest.fixture(scope="module")
def attacked(start: Callable[..., Any], tiny: Path) -> Iterator[Any]:
    """A page of its own, one film at a time, uploads of a megabyte."""
    page = start(tiny, "--max-mb", "1", "--at-once", "1")
    assert page.address, page.process.stderr and page.process.stderr.read()
    yield page
    page.process.send_signal(signal.SIGINT)
    try:
        page.process.communicate(timeout=60)
    finally:
        page.process.kill()


def dial(page: Any) -> socket.socket:
    url = httpx.URL(page.address)
    return socket.create_connection((url.host, url.port), timeout=60)


def raw_get(page: Any, path: str) -> httpx.Response:
    """GET a path exactly as it is written."""
    with httpx.Client() as client:
        request = client.build_request("GET", page.address)
        request.url = httpx.URL(page.address).copy_with(raw_path=path.encode())
        return client.send(request)


def uploaded(page: Any, name: str, content: bytes) -> str:
    """Where the page put an upload."""
    answer = httpx.post(f"{page.address}{API}/upload", files={"files": (name, content)})
    assert answer.status_code == 200, answer.text
    return answer.json()[0]


def asked(page: Any, kind: str, given: list[Any], session: str) -> httpx.Response:
    """Press a button: that which takes a component of this kind first, and so many values."""
    config = httpx.get(page.address + "config").json()
    kinds = {each["id"]: each["type"] for each in config["components"]}
    number = next(
        each["id"]
        for each in config["dependencies"]
        if len(each["inputs"]) == len(given) and kinds[each["inputs"][0]] == kind
    )
    question = {"data": given, "fn_index": number, "session_hash": session}
    return httpx.post(f"{page.address}{API}/queue/join", json=question, timeout=60)


def told(page: Any, session: str) -> str:
    """All that the page says until the work is done."""
    heard = []
    with httpx.stream("GET", f"{page.address}{API}/queue/data?session_hash={session}", timeout=120) as answer:
        for line in answer.iter_lines():
            heard.append(line)
            if "process_completed" in line or "close_stream" in line:
                break
    return "\n".join(heard)


def test_who_trickles_is_hung_up_on_and_others_are_served_meanwhile(attacked: Any) -> None:
    begun = time.monotonic()
    silent, drip, second, body = (dial(attacked) for _ in range(4))
    drip.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
    second.sendall(b"GET /theme.css HTTP/1.1\r\nHost: x\r\n\r\n")
    body.sendall(f"POST /{API}/upload HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n".encode())
    body.sendall(b"Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n")
    second.recv(100_000)
    crowd = [dial(attacked) for _ in range(100)]
    for each in crowd:
        each.sendall(b"GET / HTTP/1.1\r\nX: ")
    open_ones = {"silent": silent, "drip": drip, "second": second}
    closed: dict[str, float] = {}
    while len(closed) < len(open_ones) and time.monotonic() - begun < 4 * HEAD_SECONDS:
        assert httpx.get(attacked.address + "theme.css", timeout=20).status_code == 200
        for name, each in open_ones.items():
            if name in closed:
                continue
            try:
                if name != "silent":
                    each.sendall(b"X-More: 1\r\n")
                each.settimeout(0.2)
                if each.recv(100_000) == b"":
                    closed[name] = time.monotonic() - begun
            except TimeoutError:
                pass
            except OSError:
                closed[name] = time.monotonic() - begun
        time.sleep(0.2)
    assert closed.keys() == open_ones.keys(), "never hung up on"
    assert max(closed.values()) < 3.5 * HEAD_SECONDS
    body.settimeout(40)
    assert body.recv(1000).startswith(b"HTTP/1.1 408"), "a body that stalls"
    for each in (silent, drip, second, body, *crowd):
        each.close()


def test_uploads_over_the_limit_cost_neither_memory_nor_disk(attacked: Any) -> None:
    def resident_mb() -> float:
        status = Path(f"/proc/{attacked.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1000

    def parts(name: str) -> Iterator[bytes]:
        yield f'--b\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'.encode()
        for _ in range(320):
            yield bytes(65536)
        yield b"\r\n--b--\r\n"

    def flood() -> None:
        for number in range(5):
            try:
                answer = httpx.post(f"{attacked.address}{API}/upload", content=parts(f"{number}.mp4"), headers=BOUNDARY)
            except httpx.TransportError:  # hung up on while still sending
                continue
            assert answer.status_code == 413

    uploaded(attacked, "whole.mp4", bytes(1000))
    files = set(attacked.files())
    flood()  # whatever is allocated once
    deadline, before = time.monotonic() + 60, 0.0
    while abs(resident_mb() - before) > 1 and time.monotonic() < deadline:  # weights are loaded meanwhile
        before = resident_mb()
        time.sleep(2)
    flood()
    assert resident_mb() - before < 30, "105 MB were sent"
    deadline = time.monotonic() + 10
    while not set(attacked.files()) <= files and time.monotonic() < deadline:
        time.sleep(0.1)
    assert set(attacked.files()) <= files, "what was refused is gone"


@pytest.mark.parametrize(
    "path",
    [
        f"/{API}/file=../../etc/passwd", f"/{API}/file=/etc/passwd", f"/{API}/file=%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        f"/{API}/file%3D/etc/passwd", f"/{API}/file/etc/passwd", f"/{API}/stream/a/b/c/../../../etc/passwd",
        "/static/../../../../../etc/passwd", "/static/%2e%2e/%2e%2e/%2e%2e/etc/passwd", "/static//etc/passwd",
        "/static/..%5c..%5cetc%5cpasswd", "/assets/%252e%252e/%252e%252e/etc/passwd", "/assets/....//....//etc/passwd",
        "/result/x/1/%2e%2e%2f%2e%2e%2fetc%2fpasswd", "/result/../1/timeline.jsonl", "/result//1/timeline.jsonl",
        f"/{API}/upload_progress?upload_id=../../etc/passwd%00", "/static/img/logo.svg%00../../etc/passwd",
        f"/{API}/custom_component/x/client/component/../../../../etc/passwd", "//etc/passwd", "/%00",
    ],
)  # fmt: skip
def test_no_path_leads_out_of_the_page(attacked: Any, path: str) -> None:
    answer = raw_get(attacked, path)
    assert answer.status_code >= 400, answer.text[:300]
    assert answer.status_code < 500
    assert "root:" not in answer.text
    assert "Traceback" not in answer.text


@pytest.mark.parametrize("name", ["../../../evil.mp4", "/tmp/evil.mp4", "..\\..\\evil.mp4", "a\0b.mp4", "x" * 5000])
def test_names_of_uploads_do_not_choose_the_folder(attacked: Any, name: str) -> None:
    uploads = next(attacked.temporary.glob("soundspot-page-*")) / "uploads"
    before = set(attacked.files())
    head = f'--b\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'.encode()
    answer = httpx.post(
        f"{attacked.address}{API}/upload", content=head + name[:9].encode() + b"\r\n--b--\r\n", headers=BOUNDARY
    )
    assert answer.status_code < 600
    assert "Traceback" not in answer.text
    for new in set(attacked.files()) - before:
        assert new.parent.parent == uploads
    assert not Path("/tmp/evil.mp4").exists()


@pytest.fixture
def listener() -> Iterator[tuple[str, list[str]]]:
    """An address on this machine, and all that was asked of it."""
    heard: list[str] = []

    class Ear(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(self.path)
            self.send_response(200)
            self.end_headers()

        do_HEAD = do_POST = do_GET

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Ear)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", heard
    server.shutdown()
    server.server_close()


def test_no_address_that_a_visitor_names_is_asked(attacked: Any, listener: tuple[str, list[str]], red: Path) -> None:
    place, heard = listener
    httpx.get(place + "/alive")
    assert heard.pop() == "/alive"
    film = uploaded(attacked, "red.mp4", red.read_bytes())
    settings = ["tiny", 0.5, "heat", 0.6]
    kind = {"meta": {"_type": "gradio.FileData"}}
    for number, given in enumerate((
        {"path": f"{place}/a.mp4", **kind}, {"path": f"{place}/a.mp4", "url": f"{place}/a.mp4", **kind},
        {"path": f"file://{red}", **kind}, {"path": film, "nested": {"path": f"{place}/a.mp4"}, **kind},
        f"{place}/a.mp4",
    )):  # fmt: skip
        asked(attacked, "file", [given, *settings], f"url{number}")
    answer = asked(
        attacked, "file", [{"path": film, "url": f"{place}/b.mp4", "is_stream": True, **kind}, *settings], "u"
    )
    if answer.status_code == 200:
        assert "process_completed" in told(attacked, "u")
    for path in (f"/{API}/file={place}/c", f"/{API}/proxy={place}/d", f"/proxy={place}/e", f"/static/{place}/f"):
        assert raw_get(attacked, path).status_code == 404
    for name in ("x-forwarded-host", "host", "referer", "origin", "x-direct-url", "x-gradio-target"):
        httpx.get(attacked.address + "config", headers={name: place.removeprefix("http://" if name == "host" else "")})
    answer = httpx.post(f"{attacked.address}{API}/upload", json={"url": f"{place}/g"})
    assert answer.status_code >= 400
    assert heard == []
    assert attacked.foreign() == []


def test_other_sites_can_neither_read_nor_send(attacked: Any) -> None:
    evil = {"origin": "https://evil.example"}
    for method, place in (("GET", "config"), ("POST", f"{API}/queue/join"), ("OPTIONS", f"{API}/upload"), ("GET", "")):
        answer = httpx.request(method, attacked.address + place, headers=evil)
        assert not [name for name in answer.headers if name.startswith("access-control-")]
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert answer.headers["x-content-type-options"] == "nosniff"
    for mode, code in (("no-cors", 403), ("cors", 403), ("navigate", 200)):
        sent = {**evil, "sec-fetch-site": "cross-site", "sec-fetch-mode": mode}
        assert httpx.get(attacked.address, headers=sent).status_code == code
    own = {"sec-fetch-site": "same-origin", "sec-fetch-mode": "cors"}
    assert httpx.get(attacked.address + "config", headers=own).status_code == 200


def test_a_page_of_another_site_reads_nothing_in_a_browser(attacked: Any, browser: Any) -> None:
    tries = """async address => {
      const outcome = async asked => {
        try { const answer = await asked; return answer.type + answer.status } catch { return 'no' } };
      return [await outcome(fetch(address + 'config')),
        await outcome(fetch(address + 'gradio_api/queue/join', {method: 'POST', body: '{}'}))] }"""
    context = browser.new_context()
    page = context.new_page()
    page.route("http://evil.example/", lambda route: route.fulfill(body="<p>evil", content_type="text/html"))
    page.goto("http://evil.example/")
    assert page.evaluate(tries, attacked.address) == ["no", "no"]
    context.close()


def test_scripts_in_names_do_not_run(attacked: Any, browser: Any, tmp_path: Path, red: Path) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(120_000)
    ran: list[str] = []
    page.on("dialog", lambda dialog: (ran.append(dialog.message), dialog.dismiss()))
    page.goto(attacked.address)
    page.wait_for_selector("#spot-go-film")
    for name, content in (("<img src=x onerror=alert(1)>.mp4", b"no film"), ("<svg onload=alert(2)>.mp4", b"none")):
        (tmp_path / name).write_bytes(content)
        page.set_input_files("#spot-film input[type=file]", tmp_path / name)
        page.wait_for_selector("#spot-film .file-preview")
        page.click("#spot-go-film")
        page.wait_for_selector(".spot-problem")
        assert page.locator(".spot-problem *, #spot-film img[src=x], #spot-film svg[onload]").count() == 0
        page.click("#spot-film button[aria-label=Clear], #spot-film button[aria-label^=Remove]", timeout=10_000)
    assert ran == []
    context.close()


def test_a_queue_that_is_full_turns_away_and_the_page_still_answers(attacked: Any) -> None:
    given = ["A guitar, drawn by code", "tiny", 0.5, "heat", 0.6]
    answers = [asked(attacked, "radio", given, f"crowd{number}") for number in range(24)]
    turned_away = [answer for answer in answers if answer.status_code != 200]
    assert 4 <= len(turned_away) <= 8, [answer.status_code for answer in answers]
    assert {answer.status_code for answer in turned_away} == {503}
    assert "Traceback" not in "".join(answer.text for answer in turned_away)
    assert httpx.get(attacked.address + "config", timeout=30).status_code == 200


def test_nobody_reads_what_was_found_for_another(attacked: Any) -> None:
    state = json.dumps({"session_hash": "stranger"})
    for path in ("result/stranger/1/timeline.jsonl", "result/crowd0/1/timeline.jsonl", f"{API}/heartbeat/../crowd0"):
        assert httpx.get(attacked.address + path).status_code == 404
    assert httpx.post(f"{attacked.address}{API}/queue/join", content=state).status_code >= 400
