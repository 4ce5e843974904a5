"""docs/results/torture.md: every file of the corpus, what it is, and how each command ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from torture.corpus.entry import COMMANDS, Entry
from torture.over import Row
from torture.workers import LIMIT_MIB, LIMIT_SECONDS

HEAD = """# Bad media

{files} files, made of three seconds of a real film ({film}) by one script with seed {seed}, each through `probe`,
`localize`, `pack` and `predict`: `make torture`, or `python -m torture corpus --out FOLDER`.

| limit a file and command | allowed | worst |
| --- | --- | --- |
| time | {limit_seconds:.0f} s | {worst_seconds:.1f} s ({slowest}) |
| memory above what imports and weights take | {limit_mib} MiB | {worst_mib:.0f} MiB ({largest}) |

{done} of {files} files done, {fine} as expected. Commit {commit}, {minutes:.0f} minutes{cores}.

`result`: exit 0, and what was written could be read, is finite and is what is known of the file (size, length, rates,
what is on screen at a moment, number of moments). `error`: exit 2 and one line. `pack` and `predict` get a folder with
a good film beside the file: `clip`: both are read; `missing`: the good one is, this one is named with the reason. After
each command no partial file may be left, the good film's map must be the same as alone, and the four commands must
agree: what `probe` refuses no other reads, `pack` and `predict` read the same, and what they read `localize` does.
`either` is expected where damage may or may not be recovered from. An outcome that is not as expected would be
**bold**.
"""


def write_table(
    path: Path,
    entries: Sequence[Entry],
    rows: Mapping[str, Row],
    commit: str,
    seed: int,
    seconds: float,
    film: str,
) -> None:
    """The head, then a table a family in the order they are made."""
    done = [rows[entry.name] for entry in entries if entry.name in rows]
    times = [(value, f"`{command}` of {_shown(row.name)}") for row in done for command, value in row.seconds.items()]
    peaks = [(value, f"`{command}` of {_shown(row.name)}") for row in done for command, value in row.peak_mib.items()]
    slowest, largest = max(times, default=(0.0, "")), max(peaks, default=(0.0, ""))
    text = HEAD.format(
        files=len(entries), film=film, seed=seed, limit_seconds=LIMIT_SECONDS, limit_mib=LIMIT_MIB,
        worst_seconds=slowest[0], slowest=slowest[1], worst_mib=largest[0], largest=largest[1], done=len(done),
        fine=sum(not row.findings for row in done), commit=commit[:12] + commit[40:], minutes=seconds / 60, cores="",
    )  # fmt: skip
    families = list(dict.fromkeys(entry.family for entry in entries))
    for family in families:
        text += f"\n## {family[0].upper()}{family[1:]}\n\n| file | what it is | {' | '.join(COMMANDS)} |\n"
        text += "| --- | --- " * 1 + "| --- " * len(COMMANDS) + "|\n"
        text += "".join(_line(entry, rows.get(entry.name)) for entry in entries if entry.family == family)
    path.write_text(text, encoding="utf-8")


def _line(entry: Entry, row: Row | None) -> str:
    cells = [_shown(entry.name.split("/", 1)[1]), _plain(entry.about)]
    for command in COMMANDS:
        wanted, got = entry.expect.of(command), "not run" if row is None else row.got[command]
        if wanted in (got, "either"):
            cells.append(got if wanted == got else f"{got} (either)")
        else:
            cells.append(f"**{got}** (expected {wanted})")
    return f"| {' | '.join(cells)} |\n"


def _shown(name: str) -> str:
    """A name as it may stand in a table: what is not printable as an escape."""
    safe = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in name)
    return _plain(f"`{safe}`" if "`" not in safe else safe)


def _plain(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;") if "`" not in text else text.replace("|", "\\|")
