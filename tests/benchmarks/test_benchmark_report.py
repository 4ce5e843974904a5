"""Tables say everything a number needs beside it."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from soundspot.benchmarks import BENCHMARKS, PROTOCOLS, score
from soundspot.benchmarks.published import PUBLISHED
from soundspot.benchmarks.report import HEADLINES, markdown, notes, rich_tables, rows
from soundspot.benchmarks.report.build import build_report
from soundspot.benchmarks.report.every_protocol import every_protocol
from soundspot.benchmarks.report.evidence import Evidence
from soundspot.benchmarks.result import Result, Value
from soundspot.benchmarks.retrieval import score_retrieval
from soundspot.cli.results import read_results
from soundspot.embeddings import Embeddings
from soundspot.predictions import Predictions
from soundspot.types import Clip, Target, UserError


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


@pytest.mark.parametrize(("width", "most"), [(80, 3), (100, 2), (160, 2)])
def test_a_row_takes_a_line_or_two_of_a_terminal(width: int, most: int) -> None:
    results = [replace(make_result(protocol="strict"), benchmark="vggss")]
    shown = in_terminal(results, width)
    table = shown[: shown.index(next(line for line in shown if line.startswith("published [1]: ")))]
    starts = [row for row, line in enumerate(table) if re.match(r"result|floor|ceiling|\[\d+\]", line)]
    assert len(starts) == 4 + 10
    assert max(after - before for before, after in pairwise([*starts, len(table)])) <= most
    assert max(map(len, shown)) <= width
    below = " ".join(" ".join(shown).split())
    assert "arXiv 2407.13676, table II, trained on VGGSound-144k (sslalign, 4655 clips)" in below
    for key in ("ciou@0.5", "auc", "ciou_adaptive@0.5", "auc_adaptive", "pointing"):
        value = results[0].summary[key]
        assert f"{100 * value.value:.2f}" in below
        assert f"{100 * value.low:.1f}–{100 * value.high:.1f}" in below


def test_more_metrics_than_fit_get_another_table() -> None:
    results = [replace(make_result(protocol="strict"), benchmark="vggss_extended")]
    extra = [key for key in HEADLINES if key not in results[0].summary][:20]
    results[0].summary.update({key: Value(0.125 + number / 100) for number, key in enumerate(extra)})
    shown = in_terminal(results, 80)
    assert sum("vggss_extended (" in line for line in shown) > 2
    assert max(map(len, shown)) <= 80
    for number in range(len(extra)):
        assert f"{12.5 + number:.2f}" in " ".join(shown)
    assert sum(line.startswith("published [1]: ") for line in shown) == 1


@pytest.mark.parametrize("width", [70, 80, 100])
def test_few_results_of_many_metrics_stand_side_by_side(width: int) -> None:
    result = make_result(protocol="strict")
    metrics = list(HEADLINES)[:20]
    summary = {key: Value(0.125 + number / 100, 0.1, 0.2) for number, key in enumerate(metrics)}
    shown = in_terminal(
        [replace(result, name="a/rather/long/name/of/a/file", benchmark="samples", summary=summary)], width
    )
    assert max(map(len, shown)) <= width
    rows_shown = "\n".join(shown)
    for number, key in enumerate(metrics):
        assert re.search(rf"│ {re.escape(HEADLINES[key])} +│ +{12.5 + number:.2f}", rows_shown), key
    assert ("10.0–20.0" in rows_shown) == (width < 80)


def in_terminal(results: list[Result], width: int) -> list[str]:
    """Lines as printed."""
    console = Console(file=io.StringIO(), width=width)
    console.print(*rich_tables(results, width=width))
    return [line.rstrip() for line in console.file.getvalue().splitlines()]  # type: ignore[attr-defined]


def test_published_rows_fit_our_tables() -> None:
    shown = [row for row in PUBLISHED if row.benchmark in BENCHMARKS and row.metrics.keys() & HEADLINES.keys()]
    assert len(shown) > 150
    for row in shown:
        assert row.protocol in PROTOCOLS or not row.protocol, row
        assert row.source, row


@pytest.mark.parametrize(
    ("text", "got"),
    [
        ("{}", "expected a result .* got nothing called 'summary'; score again"),
        ('["x"]', "expected a result .* got something of another form; score again"),
        ("{", r"expected results of `score --out`, got no JSON \(Expecting"),
    ],
)
def test_a_damaged_results_file_is_named(tmp_path: Path, text: str, got: str) -> None:
    (tmp_path / "badres.json").write_text(text)
    with pytest.raises(UserError, match=rf"badres.json: {got}"):
        read_results(tmp_path / "badres.json")


def test_every_protocol_says_what_it_takes_for_true() -> None:
    half = np.zeros((224, 224), dtype=bool)
    half[:, :112] = True
    both = Target("both", boxes=((0, 0, 0.5, 1),), mask=half)
    found = every_protocol(evidence_of(both))
    assert found is not None
    assert "against boxes or masks as the column truth says" in found.html
    assert "| one | strict | masks |" in found.markdown
    assert "| one | slavc | boxes |" in found.markdown
    assert "| one | slavc | boxes and masks |" in str(every_protocol(evidence_of(both, Target("mask", mask=half))))
    assert "masks |" not in str(every_protocol(evidence_of(Target("boxes", boxes=both.boxes), Target("s", "silent"))))


def evidence_of(*targets: Target) -> Evidence:
    maps = {target.clip_id: np.eye(7, dtype=np.float32) for target in targets}
    pairs = [(Clip(target.clip_id), target) for target in targets]
    return Evidence(pairs, {"one": Predictions(maps)}, PROTOCOLS["strict"])


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
