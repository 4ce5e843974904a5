"""The corpus of bad media: it is made the same twice, and thirty of its files, chosen by seed, end as they must."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from torture.corpus import build
from torture.corpus.entry import COMMANDS, GOOD, Entry
from torture.corpus.source import film_to_use
from torture.corpus_table import write_table
from torture.over import BROKEN, Row, make_tiny
from torture.run_corpus import run_all
from torture.workers import Worker

NUM_FILES = 30
SEED = 8
HEAVY = frozenset({"8K", "bomb"})
"""Families whose files take long to make: one of each is enough here."""
PLACES = ("place/full 4.mp4", "place/read-only.mp4")


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> Path:
    """A real film."""
    os.environ.setdefault("SOUNDSPOT_SHARED", str(shared))
    return film_to_use(None, tmp_path_factory.mktemp("film"))


@pytest.fixture(scope="session")
def listed(tmp_path_factory: pytest.TempPathFactory, film: Path) -> list[Entry]:
    """All that the corpus holds; nothing but the good files is written."""
    return build(tmp_path_factory.mktemp("listed") / "corpus", film, wanted=())


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny(tmp_path_factory.mktemp("weights") / "tiny.safetensors")


def chosen(entries: Sequence[Entry], count: int, seed: int) -> list[Entry]:
    """One of each family, then others, until there are so many; no places."""
    draw = random.Random(seed)
    families: dict[str, list[Entry]] = {}
    for entry in entries:
        families.setdefault(entry.family, []).append(entry)
    families.pop("place")
    first = [draw.choice(members) for members in families.values()]
    rest = [entry for name, members in families.items() if name not in HEAVY for entry in members if entry not in first]
    return first + draw.sample(rest, count - len(first))


def test_the_corpus_is_large_and_every_family_is_in_it(listed: list[Entry]) -> None:
    assert len(listed) >= 300
    assert {
        "cut", "headers only", "flipped bytes", "zeroed range", "wrong extension", "another kind", "empty", "streams",
        "still", "mute", "one frame", "rotated", "variable rate", "odd size", "8K", "sample rate", "channels",
        "sample format", "start offset", "time goes back", "ten hours", "bomb", "pixel format", "animated", "name",
        "no file", "place",
    } == {entry.family for entry in listed}  # fmt: skip
    unsure = sum(entry.expect.of(command) == "either" for entry in listed for command in COMMANDS)
    assert unsure < 0.15 * 4 * len(listed), "what is expected is known beforehand of nearly all"


def test_a_seed_makes_the_same_bytes_twice(film: Path, tmp_path: Path) -> None:
    wanted = ("flipped bytes/16 bytes in the middle.mp4", "zeroed range/middle.webm", "variable rate/uneven.mkv",
              "streams/six streams.mp4", "pixel format/cmyk.jpg", "time goes back/clusters at zero.mkv")  # fmt: skip

    def hashes(name: str, seed: int) -> tuple[list[Entry], dict[str, str]]:
        entries = build(tmp_path / name, film, seed, wanted=wanted)
        return entries, {each: hashlib.sha256((tmp_path / name / each).read_bytes()).hexdigest() for each in wanted}

    first, again, other = hashes("a", 0), hashes("b", 0), hashes("c", 1)
    assert first == again
    assert first[1]["flipped bytes/16 bytes in the middle.mp4"] != other[1]["flipped bytes/16 bytes in the middle.mp4"]


def test_thirty_files_of_all_families_end_as_they_must(
    film: Path, listed: list[Entry], tiny: Path, tmp_path: Path, encoders: object
) -> None:
    some = chosen(listed, NUM_FILES, SEED)
    assert len({entry.name for entry in some}) == NUM_FILES
    build(tmp_path / "corpus", film, wanted={entry.name for entry in some})
    rows = run_all(some, tmp_path, tiny, str(tiny), jobs=1)
    assert {name: row.findings for name, row in rows.items() if row.findings} == {}
    assert len(rows) == NUM_FILES
    assert (tmp_path / "rows.jsonl").read_text().count("\n") == NUM_FILES


@pytest.fixture
def namespaces() -> None:
    """A user namespace with mounts of its own; where a kernel forbids them, CI fails and others are told."""
    if subprocess.run(["unshare", "-Urm", "true"], capture_output=True, check=False).returncode:
        how = "not run: this kernel or container forbids user namespaces (unshare -Urm), in which a disk can be full"
        if os.environ.get("CI"):
            pytest.fail(how, pytrace=False)
        pytest.skip(how)


@pytest.mark.usefixtures("namespaces")
def test_a_full_disk_and_a_read_only_folder_are_told_and_leave_nothing(
    film: Path, listed: list[Entry], tiny: Path, tmp_path: Path
) -> None:
    some = [entry for entry in listed if entry.name in PLACES]
    build(tmp_path / "corpus", film, wanted=PLACES)
    rows = run_all(some, tmp_path, tiny, str(tiny), jobs=1)
    assert {name: row.findings for name, row in rows.items()} == {name: [] for name in PLACES}
    assert {row.got["localize"] for row in rows.values()} == {"error"}


def test_a_worker_that_hangs_or_dies_is_found_and_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torture import workers

    stub = tmp_path / "stub"
    (stub / "soundspot").mkdir(parents=True)
    for name in ("__init__", "cli", "data/__init__", "data/pack", "localize/__init__", "localize/run", "predict",
                 "train/__init__", "train/packing", "weights"):  # fmt: skip
        path = stub / "soundspot" / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text("")
    (stub / "torch.py").write_text("def set_num_threads(n): pass\n")
    (stub / "soundspot/weights.py").write_text("find_weights = load = None\n")
    (stub / "soundspot/cli.py").write_text(
        "import os, sys, time\n"
        "def main():\n"
        "    what = sys.argv[1]\n"
        "    if what == 'hang': time.sleep(60)\n"
        "    if what == 'die': os.kill(os.getpid(), 11)\n"
        "    if what == 'raise': raise KeyError('x')\n"
        "    if what == 'grow': return len(bytearray(300 * 2**20))\n"
        "    print('fine')\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(stub))
    worker = Worker([])
    try:

        def ended(word: str) -> workers.Ended:
            return worker.run([word], tmp_path)

        assert (ended("go").code, ended("go").out) == (0, "fine\n")
        with monkeypatch.context() as sooner:
            sooner.setattr(workers, "LIMIT_SECONDS", 2.0)
            assert ended("hang").fault == "no end after 2 s"
        assert ended("die").fault == "the process came to an end (by signal 11)"
        assert "KeyError: 'x'" in ended("raise").fault
        assert ended("grow").peak_mib > 290
        assert ended("go").code == 0
    finally:
        worker.close()


def test_the_table_marks_what_did_not_end_as_expected(tmp_path: Path) -> None:
    entries = [Entry("a/fine|1.mp4", "a", "film", "fine", GOOD), Entry("a/bad\n.mp4", "a", "film", "bad", GOOD)]
    got = dict(zip(COMMANDS, ("result", "result", "clip", "clip"), strict=True))
    rows = {entries[0].name: Row(entries[0].name, got, [], {"probe": 1.0}, {"probe": 2.0}),
            entries[1].name: Row(entries[1].name, {**got, "pack": BROKEN}, ["pack: broken"])}  # fmt: skip
    write_table(tmp_path / "t.md", entries, rows, "0" * 40, 3, 60.0, "film.mp4")
    text = (tmp_path / "t.md").read_text()
    assert "| `fine\\|1.mp4` | fine | result | result | clip | clip |" in text
    assert "| `bad\\n.mp4` | bad | result | result | **broken** (expected clip) | clip |" in text
    assert "2 of 2 files done, 1 as expected" in text
