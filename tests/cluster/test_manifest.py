"""Which films a job is about, from a folder, a table, and over HTTP."""

from __future__ import annotations

import csv
import threading
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyarrow
import pyarrow.parquet as parquet
import pytest

from soundspot.cluster import manifest as module
from soundspot.cluster import places
from soundspot.cluster.manifest import Film, films_of, read_shard, write_manifest
from soundspot.cluster.places import Place, StoreError
from soundspot.types import UserError

ROWS = [
    {"id": "b", "film": "x/b.mp4", "sound": None, "start_seconds": None, "end_seconds": 2.5},
    {"id": "a", "film": "/abs/a.mp4", "sound": "a.wav", "start_seconds": 1.0, "end_seconds": None},
    {"id": "7", "film": "s3://bucket/7.mp4", "sound": None, "start_seconds": None, "end_seconds": None},
]


def write_csv(path: Path, rows: list[dict]) -> Path:
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        table.writerows(rows)
    return path


def test_a_table_says_the_same_as_csv_and_as_parquet(tmp_path: Path) -> None:
    write_csv(tmp_path / "m.csv", ROWS)
    parquet.write_table(pyarrow.Table.from_pylist([row | {"more": 1} for row in ROWS]), tmp_path / "m.parquet")
    read = [list(films_of(str(tmp_path / name), "/out")) for name in ("m.csv", "m.parquet")]
    assert read[0] == read[1]
    assert [film.id for film in read[0]] == ["b", "a", "7"], "in the table's own order"
    assert read[0][0] == Film("b", str(tmp_path / "x/b.mp4"), None, None, 2.5)
    assert read[0][1] == Film("a", "/abs/a.mp4", str(tmp_path / "a.wav"), 1.0, None)
    assert read[0][2].film == "s3://bucket/7.mp4"
    digests = {write_manifest(iter(films), tmp_path / "out.parquet", 2).sha256 for films in read}
    assert len(digests) == 1
    assert digests != {write_manifest(iter(read[0][:2]), tmp_path / "out.parquet", 2).sha256}


def test_a_folder_is_read_in_order_without_results_and_hidden_files(tmp_path: Path) -> None:
    for name in ("b/2.mp4", "b/1.mkv", "b-c.MP4", "a.mp4", "out/overlay.mp4", ".cache/x.mp4", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("film")
    (tmp_path / "loop").symlink_to(tmp_path)
    found = list(films_of(str(tmp_path), str(tmp_path / "out")))
    assert [film.id for film in found] == ["a.mp4", "b/1.mkv", "b/2.mp4", "b-c.MP4"]
    assert found[1].film == str(tmp_path / "b/1.mkv")


@pytest.mark.parametrize("per_shard", [1, 3, 7])
def test_shards_are_ranges_of_the_table(tmp_path: Path, per_shard: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GROUP_ROWS", 8)
    films = [Film(f"{number}", f"/f/{number}.mp4", start_seconds=number / 2) for number in range(20)]
    assert write_manifest(iter(films), tmp_path / "manifest.parquet", per_shard).num_films == 20
    place = Place(str(tmp_path))
    cut = [read_shard(place, number, per_shard) for number in range(-(-20 // per_shard))]
    assert [film for shard in cut for film in shard] == films
    assert {len(shard) for shard in cut[:-1]} == {per_shard}


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"path": "a.mp4"}], "expected a column film, got path"),
        ([{"film": "a.mp4", "start_second": 1}], "got start_second; did you mean start_seconds"),
        ([{"film": "a.mp4", "end_seconds": -1.0}], r"row 1: expected seconds from 0 on in end_seconds, got -1\.0"),
        ([{"film": "a.mp4", "id": "x"}, {"film": "", "id": "y"}], "row 2: expected a path or an address in film"),
        ([{"film": "a.mp4", "end_seconds": "soon"}], "expected a table of films, got"),
        ([{"id": "x", "film": "a.mp4"}, {"id": "y", "film": "b"}, {"id": "x", "film": "c"}], "got 'x' twice, .*row 3"),
    ],
)
def test_what_is_wrong_with_a_table_is_said(tmp_path: Path, rows: list[dict], said: str) -> None:
    path = write_csv(tmp_path / "m.csv", rows)
    with pytest.raises(UserError, match=said):
        write_manifest(films_of(str(path), "/out"), tmp_path / "manifest.parquet", 2)


def test_what_is_no_table_and_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.parquet").write_text("no table")
    (tmp_path / "empty").mkdir()
    for source, said in (
        ("m.parquet", "expected a table of films, got"),
        ("gone.csv", "expected a table of films, got no such file"),
        ("gone", "expected a folder of films, or a table"),
        ("empty", "expected films .*, got none"),
    ):
        with pytest.raises(UserError, match=said):
            write_manifest(films_of(str(tmp_path / source), "/out"), tmp_path / "manifest.parquet", 2)
    with pytest.raises(UserError, match="nosuch://x: expected an address that fsspec can open"):
        Place("nosuch://x")


class Unsteady(SimpleHTTPRequestHandler):
    """Fails with 503 as often as it is told to."""

    failures = 0

    def do_GET(self) -> None:
        if self.path.endswith(".mp4") and Unsteady.failures > 0:
            Unsteady.failures -= 1
            self.send_error(503)
            return
        super().do_GET()

    def log_message(self, *words: object) -> None: ...


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder, and where it is served."""
    (tmp_path / "films/below").mkdir(parents=True)
    (tmp_path / "films/one.mp4").write_bytes(b"1" * 1000)
    (tmp_path / "films/below/two.mp4").write_bytes(b"2" * 1000)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Unsteady, directory=str(tmp_path))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield tmp_path, f"http://127.0.0.1:{server.server_port}/films"
        server.shutdown()
        thread.join()


def test_films_over_http_are_found_and_fetched(served: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    root, address = served
    monkeypatch.setattr(places, "PAUSE_SECONDS", 0.01)
    films = list(films_of(address, "/out"))
    assert [asdict(film)["id"] for film in films] == ["below/two.mp4", "one.mp4"]
    Unsteady.failures = 2
    got = places.fetch(films[1].film, root)
    assert (got.name, got.read_bytes()) == ("one.mp4", b"1" * 1000)
    with pytest.raises(FileNotFoundError):
        places.fetch(f"{address}/gone.mp4", root)
    Unsteady.failures = 3
    with pytest.raises(StoreError, match=r"could not read http.*one\.mp4"):
        places.fetch(films[1].film, root)
    Unsteady.failures = 0


def test_nothing_half_is_put(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "PAUSE_SECONDS", 0.01)
    (tmp_path / "new").write_bytes(b"new")
    for address in (str(tmp_path / "out"), "memory://put"):
        place = Place(address)
        assert place.read("f") is None
        place.put("f", tmp_path / "new")
        assert place.read("f") == b"new"
        assert [name.rsplit("/", 1)[-1] for name in place.files()] == ["f"]
    place = Place(str(tmp_path / "out"))

    def fails(*words: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(place.fs, "mv", fails)
    (tmp_path / "new").write_bytes(b"newer")
    with pytest.raises(StoreError, match="No space left"):
        place.put("f", tmp_path / "new")
    assert place.read("f") == b"new"
