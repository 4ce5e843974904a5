"""The words of `soundspot samples`: sets made from the command line, and what is said of wrong words."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from make_coco import square, write_coco
from make_pipeline import save_tiny_pipeline
from soundspot.data.folder import read_folder
from soundspot.media.audio import write_wav


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("recordings")
    for number, label in enumerate(("dog", "cat", "clock")):
        (root / label).mkdir()
        wave = 0.3 * np.sin(np.arange(8000) * (0.1 + 0.05 * number))
        write_wav(root / label / "a.wav", wave.astype(np.float32)[None], 8000)
    return root


def test_vpo_tells_what_it_made(tmp_path: Path, recordings: Path, command: Callable) -> None:
    coco = write_coco(tmp_path / "coco", {"a": [square("dog", 1, 1), square("cat", 9, 1)], "b": [square("cat", 1, 1)]})
    out = tmp_path / "out"
    words = ("samples", "vpo", "--root", out, "--coco", coco, "--sounds", recordings, "--no-mixtures", "--negatives", 1)
    done = command(*words)
    assert done.code == 0, done.err
    assert done.out.splitlines() == [
        str(out),
        "clips: 2 several, one heard, 1 single, 1 offscreen, 1 silent, 1 noise",
        "classes: 2 cat, 1 dog",
        "sizes: 3 medium",
    ]
    assert len(read_folder(out)) == 6
    again = command(*words)
    assert again.code == 2
    assert "expected a new or empty folder" in again.err


def negatives_of(table: Path) -> list[dict[str, str]]:
    with table.open(newline="") as file:
        return list(csv.DictReader(file))


def test_negatives_then_a_score_with_them(tmp_path: Path, command: Callable) -> None:
    rows = [{"file": f"{label}{i}", "class": label, "bbox": [[0.1, 0.1, 0.6, 0.6]]} for label in "xy" for i in range(4)]
    (tmp_path / "vggss.json").write_text(json.dumps(rows))
    table = tmp_path / "n.csv"
    place = ("--annotations", tmp_path / "vggss.json")
    done = command("samples", "negatives", "--of", "vggss", *place, "--out", table)
    assert done.out.splitlines() == [str(table), "8 negatives: 6 other_class, 2 same_class"], done.err
    assert len(negatives_of(table)) == 8
    scored = command("score", "centre", "--benchmark", "vggss", *place, "--negatives", table, "--json")
    result = json.loads(scored.out)
    assert result["benchmark"] == "vggss with n"
    assert result["provenance"]["clips_used"] == 16
    assert result["summary"]["auroc/offscreen"]["value"] == 0.5
    pictures = {row["video"]: row["audio"] for row in negatives_of(table)}
    (tmp_path / "ids.txt").write_text("\n".join(f"x{i}" for i in range(4)))
    listed = command("score", "centre", "--benchmark", "vggss", *place, "--negatives", table, "--ids",
                     tmp_path / "ids.txt", "--json")  # fmt: skip
    both = sum(video[0] == "x" == audio[0] for video, audio in pictures.items())
    assert both > 0
    provenance = json.loads(listed.out)["provenance"]
    assert (provenance["clips_listed"], provenance["clip_list_negatives"]) == (4 + both, f"{both} of 8")
    assert listed.err == f"ids.txt: {both} of 8 negatives are of listed clips\n"
    shown = command("score", "centre", "--benchmark", "vggss", *place, "--negatives", table, "--ids",
                    tmp_path / "ids.txt")  # fmt: skip
    assert f"centre: {both} of 8 negatives are of listed clips" in shown.out.splitlines()
    without = command("score", "centre", "--benchmark", "vggss", *place, "--json")
    assert json.loads(without.out)["provenance"]["clips_used"] == 8


def test_is3_draws_then_finishes(tmp_path: Path, recordings: Path, command: Callable) -> None:
    model, draft, out = save_tiny_pipeline(tmp_path), tmp_path / "draft", tmp_path / "out"
    drawn = command(
        "samples", "is3", "--root", draft, "--sounds", recordings, "--model", model, "--count", 2, "--steps", 1,
        "--size", 16,
    )  # fmt: skip
    assert drawn.code == 0, drawn.err
    assert drawn.out.startswith(f"{draft / 'review.html'}\t")
    rows = json.loads((draft / "draft.json").read_text())["pictures"]
    page = (draft / "review.html").read_text()
    mark = json.loads(page.split('id="draft">')[1].split("</script>")[0])["draft"]
    decisions = tmp_path / "decisions.json"
    decisions.write_text(json.dumps({"draft": mark, "decisions": {rows[0]["id"]: "keep", rows[1]["id"]: "reject"}}))
    for thing in rows[0]["things"]:
        Image.new("L", (16, 16), 255).save(draft / f"masks/{rows[0]['id']}_{thing['label']}.png")
    done = command("samples", "is3", "--root", out, "--draft", draft, "--decisions", decisions)
    told = "pictures: 1 kept, 1 rejected, 0 undecided; 0 of the kept without a mask, left out"
    assert (done.code, done.out) == (0, f"{out}\n{told}\n"), done.err
    assert len(read_folder(out)) == 2
    again = command("samples", "is3", "--root", draft, "--sounds", recordings, "--model", "gone", "--count", 9)
    assert "prompts: expected 1 to 6 of 3 classes, got 9" in again.err, "before the model is looked for"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("is3 --root x", "is3: expected --sounds and --model (to draw), or --draft and --decisions (to"),
        ("is3 --root x --draft y --model z", "got --model, --draft; see --help"),
        ("is3 --root x --sounds y --model z --steps 0", "Invalid value for '--steps'"),
        ("is3 --root x --sounds y --model z --size 0", "Invalid value for '--size'"),
        ("is3 --root x --sounds y --model z --count 0", "Invalid value for '--count'"),
        ("is3 --root x --sounds gone --model z", "gone: expected recordings as <class>/<name>.wav"),
        ("stamps --root x --scenes -1", "Invalid value for '--scenes'"),
        ("stamps --root x --seed -1", "Invalid value for '--seed'"),
        ("mixtures --root x --of y --image-size 0", "Invalid value for '--image-size'"),
        ("paste --root x", "paste: expected its material, got none; give --from FOLDER"),
        ("vpo --root x --coco gone --sounds gone", "gone: expected a folder with COCO's pictures, got none"),
        ("negatives --of vgss --annotations x --out y", "unknown benchmark 'vgss'"),
        ("stamp --root x", "No such command 'stamp'"),
        ("vpo --root x", "Missing option '--coco'"),
    ],
)
def test_wrong_words(words: str, message: str, command: Callable) -> None:
    done = command("samples", *words.split())
    assert done.code == 2
    assert message in done.err
    assert len(done.err.splitlines()) == 1
