"""The report: from results, and where they are at hand the maps and media, to one page and one Markdown file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from soundspot.benchmarks.report import curves
from soundspot.benchmarks.report.classes import class_curves
from soundspot.benchmarks.report.every_protocol import every_protocol
from soundspot.benchmarks.report.evidence import Evidence, Section
from soundspot.benchmarks.report.gallery import CLIPS, Gallery, Sounds
from soundspot.benchmarks.report.page import html_page
from soundspot.benchmarks.report.pairs import paired
from soundspot.benchmarks.report.rows import by_benchmark
from soundspot.benchmarks.report.tables import results_table
from soundspot.benchmarks.result import Result
from soundspot.media.files import written_aside

PAGE, TEXT = "report.html", "report.md"


@dataclass(frozen=True)
class Report:
    """The same report in both forms."""

    html: str
    markdown: str

    def write(self, folder: Path) -> list[Path]:
        """Write report.html and report.md into `folder`, each whole or not at all."""
        folder.mkdir(parents=True, exist_ok=True)
        written = [folder / PAGE, folder / TEXT]
        for path, text in zip(written, (self.html, self.markdown), strict=True):
            with written_aside(path) as aside:
                aside.write_text(text, encoding="utf-8")
        return written


def build_report(
    results: Sequence[Result],
    evidence: Mapping[str, Evidence] | None = None,
    *,
    title: str = "Results",
    with_published: bool = True,
    clips: int = CLIPS,
) -> Report:
    """A part a benchmark; what needs maps is shown for benchmarks that have `evidence`, with `clips` pictures a row."""
    sounds = Sounds()
    parts: dict[str, list[Section]] = {}
    for name, few in by_benchmark(results).items():
        own = (evidence or {}).get(name)
        found: list[Section | None] = [results_table(few, with_published=with_published), paired(few, own)]
        found.append(curves.from_records(few))
        if own is not None:
            found += [
                class_curves(own),
                every_protocol(own),
                curves.from_maps(own),
                *Gallery(own, few, sounds, clips).sections(),
            ]
        parts[name or "unnamed"] = [section for section in found if section is not None]
    about = f"soundspot {version('soundspot')}. Numbers in percent unless said otherwise; a click on a title sorts."
    text = "\n\n".join(
        f"## {name}\n\n" + "\n\n".join(f"### {part.title}\n\n{part.markdown}" for part in sections if part.markdown)
        for name, sections in parts.items()
    )
    return Report(html_page(title, about, parts, sounds.kept), f"# {title}\n\n{text}\n")
