"""Tables say everything a number needs beside it."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
from rich.console import Console

from soundspot.benchmarks import BENCHMARKS, PROTOCOLS, score
from soundspot.benchmarks.published import PUBLISHED
from soundspot.benchmarks.report import HEADLINES, markdown, notes, rich_tables, rows
from soundspot.benchmarks.report.build import build_report
from soundspot.benchmarks.result import Result
from soundspot.benchmarks.retrieval import score_retrieval
from soundspot.embeddings import Embeddings
from soundspot.predictions import Predictions
from soundspot.types import Target


def make_result(name: str = "mine", protocol: str = "slavc") -> Result:
    generator = np.random.default_rng(0)
    targets = [Target(f"clip{row}", boxes=((0.1, 0.1, 0.8, 0.8),)) for row in range(8)]
    targets.append(Target("broken", boxes=((0.5, 0.5, 0.5, 0.5),)))
    maps = {target.clip_id: generator.normal(size=(7, 7)).astype(np.float32) for target in targets[1:]}
    maps["stranger"] = maps["clip1"]
    predictions = Predictions(maps, {"clip0": "cut | off"}, {"method": "noise", "weights_sha256": "0123456789abcdef"})
    trained = {"list.txt": ["clip1", "clip2", "other"]}
    return score(predictions, targets, protocol, name=name, benchmark="flickr", train_ids=trained)


def test_markdown_says_everything() -> None:
    text = markdown([make_result()])
    for part in (
        "| result | mine | slavc | 8 of 9 | 2 in list.txt | 0123456789ab |",
        "| floor | centre |",
        "| ceiling | oracle |",
        "| ceiling | oracle 7x7 |",
        "| published | SLAVC (SLAVC, arXiv 2209.09634, table 2, trained on VGGSound-144k) | slavc | 250 |",
        "weights 0123456789abcdef; soundspot",
        "95 %, percentile bootstrap over clips",
        "1 clips missing (leave_out: a clip without a map is counted here and left out of the metrics): clip0",
        "1 predictions are of clips not in the benchmark",
        "2 defects in 1 clips",
        "bicubic_corners to 224",
    ):
        assert part in text, part


def test_every_line_has_every_column() -> None:
    table = markdown([make_result()]).split("\n\n")[1].splitlines()
    assert len(table) > 10
    assert len({line.replace("\\|", "").count("|") for line in table}) == 1


def test_results_of_one_protocol_share_their_floors() -> None:
    kinds = [row.kind for row in rows([make_result("one"), make_result("two")], with_published=False)]
    assert kinds == ["result", "floor", "ceiling", "ceiling", "result"]
    lines = notes([make_result("one"), make_result("two")])
    assert sum(line.startswith("intervals: ") for line in lines) == 1
    assert sum("clips used" in line for line in lines) == 2


def test_benchmarks_get_tables_of_their_own() -> None:
    results = [make_result(), replace(make_result(), benchmark="vggss")]
    assert [line for line in markdown(results).splitlines() if line.startswith("## ")] == ["## flickr", "## vggss"]
    assert len(rich_tables(results)) == 2
    assert build_report(results).html.count("<h3>Numbers</h3>") == 2


def test_html_escapes_names() -> None:
    text = build_report([make_result("<b>me</b>")]).html
    assert "&lt;b&gt;me&lt;/b&gt;" in text
    assert '<tr class="floor">' in text


def test_rich_table_shows_names_as_they_are() -> None:
    console = Console(file=io.StringIO(), width=400)
    console.print(*rich_tables([make_result("run [bold]")]))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "run [bold]" in shown
    assert "published" in shown


def test_published_rows_fit_our_tables() -> None:
    shown = [row for row in PUBLISHED if row.benchmark in BENCHMARKS and row.metrics.keys() & HEADLINES.keys()]
    assert len(shown) > 150
    for row in shown:
        assert row.protocol in PROTOCOLS or not row.protocol, row
        assert row.source, row


def test_recalls_have_a_table_too() -> None:
    vectors = np.eye(4, 8, dtype=np.float32)
    labels = tuple((f"{number}",) for number in range(4))
    ids = tuple(f"clip{number}" for number in range(4))
    found = score_retrieval(Embeddings(ids, vectors, vectors, labels), name="mine")
    text = build_report([found]).markdown
    assert "| result | mine | retrieval_own | 4 of 4 |" in text
    assert "| floor | chance |" in text
    assert "R@1 s→i" in text
    assert "### Pairs" not in text
