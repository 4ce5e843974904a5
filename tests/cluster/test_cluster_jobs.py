"""Corpora on a real Ray cluster: bad films, deadly films, workers and drivers that are killed; the local result."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet
import pytest
from cluster_corpus import ENTRY, STILL, deadly_path, make_corpus, small_film, tiny_weights
from real_ray import real_ray

from soundspot.cluster.film_shards import standing
from soundspot.cluster.places import Place
from soundspot.localize.localizer import Localizer
from soundspot.localize.run import Wanted, localize
from soundspot.localize.source import open_source

FILMS = 97
SHARD = 10
LOCALIZE = ("--shard-films", str(SHARD), "--patience", "60")
PACK = ("ez_vsl_flickr_10k", "--set", "data.ids=none", "--set", "data.test_ids=", "--clips", "10", "--patience", "60")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module")
def deadly(tmp_path_factory: pytest.TempPathFactory) -> str:
    """PYTHONPATH of processes in which films of certain names are deadly."""
    return deadly_path(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def ray_address(deadly: str) -> Iterator[str]:
    with real_ray(deadly) as address:
        yield address


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """Films, and which of them are bad."""
    folder = tmp_path_factory.mktemp("corpus") / "video"
    return folder, make_corpus(folder, FILMS)


@pytest.fixture(scope="module")
def alone(corpus: tuple[Path, dict[str, str]], tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """By id of the good films, the rows of the Parquet export that the local way writes."""
    folder, bad = corpus
    localizer, out = Localizer.from_pretrained(tiny), tmp_path_factory.mktemp("alone")
    rows = {}
    for path in sorted(folder.rglob("*.mp4")):
        name = path.relative_to(folder).as_posix()
        if name not in bad:
            wanted = Wanted(str(tiny), with_film=False, exports=("parquet",))
            done = localize(localizer, open_source(path).between(0, None), out / name, wanted, shown=False)
            rows[name] = parquet.read_table(done.files["parquet"]).to_pylist()
    return rows


@pytest.fixture(scope="module")
def disturbed(
    corpus: tuple[Path, dict[str, str]], tiny: Path, ray_address: str, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str, str]:
    """What a job left of which a worker was killed when the first shard stood, and what it said."""
    out = tmp_path_factory.mktemp("disturbed") / "out"
    job = start("localize", corpus[0], "--cluster", ray_address, "--out", out, "--weights", tiny, *LOCALIZE)
    try:
        wait_for(lambda: list(out.glob("shard-*.json")), job)
        killed = sorted(workers("Looker"))[:1]
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        told, error = job.communicate(timeout=500)
    finally:
        job.kill()
    assert killed, "a worker was at work"
    assert job.returncode == 1, error
    return out, told, error


def start(*words: object) -> subprocess.Popen[str]:
    return subprocess.Popen([*ENTRY, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*ENTRY, *map(str, words)], capture_output=True, text=True, timeout=550)


def said(error: str) -> list[str]:
    """The lines of stderr but for one in which Ray tells how much it logs."""
    return [line for line in error.splitlines() if "RAY_BACKEND_LOG_LEVEL" not in line]


def contents(out: Path) -> dict[str, bytes]:
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


def rows_by_film(out: Path) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(out.glob("shard-*.parquet")):
        for row in parquet.read_table(path).to_pylist():
            found.setdefault(row.pop("id"), []).append(row)
    return found


def workers(name: str) -> Iterator[int]:
    """Ray's processes whose title holds this."""
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = line.read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended meanwhile
        if text.startswith(b"ray::") and name.encode() in text:
            yield int(line.parent.name)


def wait_for(what: Callable[[], object], process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + 400
    while not what():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until, "it never got there"
        time.sleep(0.02)


def test_a_job_with_a_killed_worker_and_bad_films_gives_what_the_local_way_gives(
    corpus: tuple[Path, dict[str, str]], alone: dict[str, Any], disturbed: tuple[Path, str, str]
) -> None:
    (folder, bad), (out, told, error) = corpus, disturbed
    assert len(bad) / (FILMS + len(bad)) == 0.03
    assert rows_by_film(out) == alone
    done = json.loads((out / "_SUCCESS").read_text())
    assert done["films"] == FILMS + len(bad)
    assert sum(shard["rows"] for shard in done["shards"]) == sum(map(len, alone.values()))
    assert {row["id"] for row in done["bad"]} == bad.keys()
    for row in done["bad"]:
        assert bad[row["id"]] in row["reason"], row
        assert row["film"] == str(folder / row["id"])
    films = [row for path in sorted(out.glob("films-*")) for row in parquet.read_table(path).to_pylist()]
    assert [row["id"] for row in films] == parquet.read_table(out / "manifest.parquet")["id"].to_pylist()
    assert {row["id"] for row in films if row["error"]} == bad.keys()
    assert {(row["seconds"], row["moments"], row["relative"]) for row in films if not row["error"]} == {(2.0, 4, 1.0)}
    # a shard that stood when its worker was killed, before it could say so, is found and not made anew
    assert re.fullmatch(r"100 films\t10 shards \((9|10) made now\)", "\t".join(told.split("\t")[1:3])), told
    assert [line[:5] for line in said(error)] == ["bad: "] * 3, error


def test_a_driver_that_was_killed_is_gone_on_with(
    corpus: tuple[Path, dict[str, str]],
    tiny: Path,
    ray_address: str,
    disturbed: tuple[Path, str, str],
    tmp_path: Path,
    command: Callable[..., Any],
) -> None:
    out = tmp_path / "out"
    words = ("localize", corpus[0], "--cluster", ray_address, "--out", out, "--weights", tiny, *LOCALIZE)
    job = start(*words)
    try:
        wait_for(lambda: list(out.glob("shard-*.json")), job)
    finally:
        job.kill()
        job.communicate()
    deadline = time.monotonic() + 120
    while list(workers("Looker")):
        assert time.monotonic() < deadline, "workers outlive their driver"
        time.sleep(0.2)
    before = {path.name: path.stat().st_mtime_ns for path in out.glob("shard-*.json")}
    assert before
    assert not (out / "_SUCCESS").exists()
    damaged = out / min(before).replace(".json", ".parquet")
    damaged.write_bytes(damaged.read_bytes()[:-1])
    ended = run(*words)
    assert ended.returncode == 1, ended.stderr
    count = -(-(FILMS + len(corpus[1])) // SHARD)
    assert f"{count} shards ({count - len(before) + 1} made now)" in ended.stdout
    after = {path.name: path.stat().st_mtime_ns for path in out.glob("shard-*.json")}
    assert {name for name in before if after[name] != before[name]} == {min(before)}, "what was whole is kept"
    assert contents(out) == contents(disturbed[0])
    other = command(*words[:-2], "--patience", "60", "--every", "0.25")
    assert other.code == 2
    assert "expected the results of these words, got those of others (other: every_seconds)" in other.err


def test_packing_gives_the_local_bytes(
    corpus: tuple[Path, dict[str, str]], ray_address: str, tmp_path: Path, deadly: str
) -> None:
    flat = tmp_path / "root/video"
    flat.mkdir(parents=True)
    for path in sorted(corpus[0].rglob("*.mp4")):
        (flat / path.name).symlink_to(path)
    local, out = tmp_path / "local", tmp_path / "packed"
    words = [*ENTRY, "pack", PACK[0], str(flat.parent), str(local), *PACK[1:], "--jobs", "2"]
    alone = subprocess.run(words, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": deadly}, timeout=500)
    assert alone.returncode == 1, alone.stderr
    job = start("pack", PACK[0], flat.parent, out, "--cluster", ray_address, *PACK[1:])
    try:
        wait_for(lambda: list(out.glob("shard-*.jsonl")), job)
        for pid in list(workers("Packer"))[:1]:
            os.kill(pid, signal.SIGKILL)
        told, error = job.communicate(timeout=500)
    finally:
        job.kill()
    assert job.returncode == 1, error
    assert told.split("\t")[1:] == alone.stdout.split("\t")[1:]
    assert said(error) == said(alone.stderr), "the same clips are missing for the same reasons"
    ours, theirs = contents(out), contents(local)
    done = json.loads(ours.pop("_SUCCESS"))
    assert ours == theirs
    assert {f"{row['id']}.mp4" for row in done["bad"]} == corpus[1].keys()
    assert done["clips"] == FILMS


def test_a_film_that_stands_still_is_given_up(tiny: Path, ray_address: str, tmp_path: Path) -> None:
    for name in ("one", STILL, "two"):
        small_film(tmp_path / f"in/{name}.mp4")
    words = ("--out", tmp_path / "out", "--weights", tiny, "--shard-films", "3", "--patience", "8")
    ended = run("localize", tmp_path / "in", "--cluster", ray_address, *words)
    assert ended.returncode == 1, ended.stderr
    reason = "expected a file that can be read, got one over which nothing moved for 8 s; look at it alone"
    assert said(ended.stderr) == [f"bad: {STILL}.mp4: {tmp_path}/in/{STILL}.mp4: {reason}"]
    assert rows_by_film(tmp_path / "out").keys() == {"one.mp4", "two.mp4"}
    index = json.loads((tmp_path / "out/shard-000000.json").read_text())
    place = Place(str(tmp_path / "out"))
    assert standing(place, 0, index["asked"]) == index
    assert standing(place, 0, "other") == {}


def test_what_the_user_got_wrong_is_one_line(tiny: Path, tmp_path: Path, command: Callable[..., Any]) -> None:
    small_film(tmp_path / "in/one.mp4")
    for words, said in (
        (("--cluster", "127.0.0.1:1"), "expected auto, or HOST:PORT of a Ray cluster that runs, got 127.0.0.1:1"),
        (("--cluster", "somewhere"), "expected auto, or HOST:PORT"),
        (("--cluster", "auto", "--export", "csv"), "expected no --export with --cluster, got csv"),
        (("--cluster", "auto", "--weights", "gone.safetensors"), "gone.safetensors: expected a weights file"),
    ):
        ended = command("localize", tmp_path / "in", "--out", tmp_path / "out", "--weights", tiny, *words)
        assert (ended.code, len(ended.err.splitlines())) == (2, 1), ended.err
        assert said in ended.err
