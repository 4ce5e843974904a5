"""Every file of the corpus through probe, localize, pack and predict: `python -m torture corpus --out FOLDER`.

What an earlier run of the same commit and seed finished is kept. Writes rows.jsonl and torture.md to the folder. Exit 1
if anything did not end as it should.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from queue import Empty, SimpleQueue

from torture.corpus import build
from torture.corpus.entry import Entry
from torture.corpus.source import film_to_use
from torture.corpus_table import write_table
from torture.over import Bench, Row, good_map, make_tiny, over

FILES_A_WORKER = 50
ROOT = Path(__file__).resolve().parent.parent


def main(argv: Sequence[str]) -> int:
    """Run what is not done yet, then write the table."""
    words = _words(argv)
    out = words.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    film = film_to_use(words.film, out)
    key = {"commit": commit(), "seed": words.seed, "film": hashlib.sha256(film.read_bytes()).hexdigest()}
    kept = _kept(out / "rows.jsonl", key)
    began = time.monotonic()
    entries = build(out / "listed", film, words.seed, wanted=())
    chosen = [entry for entry in entries if not words.only or any(part in entry.name for part in words.only)]
    rest = [entry for entry in chosen if entry.name not in kept]
    make_files(out, film, key, {entry.name for entry in rest})
    tiny = make_tiny(out / "tiny.safetensors")
    rows = kept | run_all(rest, out, tiny, words.weights, words.jobs, words.places)
    ran = [rows[entry.name] for entry in chosen if entry.name in rows]
    spent = _spent(out / "spent.json", key, time.monotonic() - began)
    write_table(out / "torture.md", entries, rows, key["commit"], words.seed, spent, film.name)
    wrong = [row for row in ran if row.findings]
    for row in wrong:
        print(f"{row.name!r}: {'; '.join(row.findings)}", flush=True)
    print(f"{len(ran)} of {len(chosen)} files, {len(wrong)} not as they should; table: {out / 'torture.md'}")
    return 1 if wrong else 0


def make_files(out: Path, film: Path, key: Mapping[str, object], names: Collection[str]) -> None:
    """The files of these names in `out`/corpus; made anew unless they lie there, of this seed, film and code."""
    code = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("corpus/*.py"))))
    wanted = {"seed": key["seed"], "film": key["film"], "code": code.hexdigest()}
    mark = out / "corpus.json"
    there = json.loads(mark.read_text()) if mark.is_file() else {}
    if there.get("of") == wanted and set(names) <= set(there["names"]):
        return
    mark.unlink(missing_ok=True)
    build(out / "corpus", film, int(str(key["seed"])), wanted=names)
    mark.write_text(json.dumps({"of": wanted, "names": sorted(names)}))


def run_all(
    entries: Sequence[Entry], out: Path, tiny: Path, weights: str, jobs: int, places: bool = True
) -> dict[str, Row]:
    """Rows by name, by so many workers at a time; each row is kept on disk as it comes."""
    waiting: SimpleQueue[Entry] = SimpleQueue()
    # of all families early, so that what was stopped is no tower of cuts
    for entry in sorted(entries, key=lambda entry: hashlib.sha256(entry.name.encode("utf-8", "replace")).digest()):
        if places or not entry.place:
            waiting.put(entry)
    rows: dict[str, Row] = {}
    lock = threading.Lock()
    errors: list[BaseException] = []

    def work(number: int) -> None:
        bench = Bench(out / "corpus", out / f"work-{number}", tiny, weights)
        worker = bench.worker()
        try:
            alone = good_map(bench, worker)
            for count in itertools.count(1):
                if errors:
                    break
                if count % FILES_A_WORKER == 0:
                    worker.close()  # what a process keeps of hundreds of commands is not the next one's memory
                entry = waiting.get_nowait()
                row = _row(entry, bench, worker, alone)
                with lock, (out / "rows.jsonl").open("a") as file:
                    rows[row.name] = row
                    file.write(json.dumps(asdict(row)) + "\n")
        except Empty:
            pass
        except BaseException as error:  # noqa: BLE001  # told by the thread that waits
            errors.append(error)
        finally:
            worker.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return rows


def _row(entry: Entry, bench: Bench, worker: object, alone: object) -> Row:
    from torture.workers import Worker

    assert isinstance(worker, Worker)
    if not entry.place:
        return over(entry, bench, worker, alone)  # type: ignore[arg-type]
    other = bench.worker(entry.place)
    try:
        return over(entry, bench, other, None)
    finally:
        other.close()


def commit() -> str:
    """What is run: the commit, with a mark where files have been changed since."""
    asked = ["git", "-C", str(ROOT)]
    head = subprocess.run([*asked, "rev-parse", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
    changed = subprocess.run(
        [*asked, "status", "--porcelain", "--", "src", "torture"], capture_output=True, text=True, check=False
    ).stdout
    return (head or "unknown") + ("+changes" if changed.strip() else "")


def _kept(path: Path, key: dict[str, object]) -> dict[str, Row]:
    """The rows of an earlier run with this key, which a run with another begins anew."""
    lines = path.read_text().splitlines() if path.is_file() else []
    if not lines or json.loads(lines[0]) != key or str(key["commit"]).endswith("+changes"):
        path.write_text(json.dumps(key) + "\n")
        return {}
    rows = [Row(**json.loads(line)) for line in lines[1:] if line.endswith("}")]
    return {row.name: row for row in rows}


def _spent(path: Path, key: dict[str, object], seconds: float) -> float:
    """The seconds of all runs with this key."""
    before = json.loads(path.read_text()) if path.is_file() else {}
    total = seconds + (before.get("seconds", 0.0) if before.get("key") == key else 0.0)
    path.write_text(json.dumps({"key": key, "seconds": total}))
    return float(total)


def _words(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m torture corpus", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the corpus, the rows and the table")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--film", type=Path, help="the film that the corpus is made of; a shared or the sample film")
    parser.add_argument("--weights", default="default", help="of `localize`")
    parser.add_argument("--jobs", type=int, default=min(4, os.cpu_count() or 1), help="workers at a time")
    parser.add_argument("--only", nargs="*", default=[], help="parts of names: run these files only")
    parser.add_argument("--no-places", dest="places", action="store_false", help="where namespaces are forbidden")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
