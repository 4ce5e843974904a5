"""predict, score, verify: what the real verbs leave can be made again, and whatever was changed since is named."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from make_scenes import make_scenes
from soundspot import weights
from soundspot.cli import app
from soundspot.methods import build
from soundspot.predictions import Predictions


def end(*words: str | Path | int) -> str:
    done = CliRunner().invoke(app, list(map(str, words)))
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with scenes, weights, predictions of them, and a result of those beside a prior."""
    folder = tmp_path_factory.mktemp("made")
    make_scenes(folder / "scenes", ["visible", "visible", "offscreen", "silent", "visible", "noise"])
    (folder / "ids.txt").write_text("".join(f"test{number:03d}\n" for number in (0, 1, 2, 4)))
    torch.manual_seed(0)
    small = {"image_backbone": "resnet10t", "audio_backbone": "resnet10t", "image_size": 64, "seconds": 1.0}
    weights.save(build("ez_vsl", dim=8, **small), folder / "w.safetensors")
    words = ("samples", "--root", folder / "scenes", "--workers", 0)
    end("predict", folder / "w.safetensors", *words, "--out", folder / "maps.safetensors")
    score = ("score", folder / "maps.safetensors", "centre", "--root", folder / "scenes", "--ids", folder / "ids.txt")
    short = end(*score, "--out", folder / "result.json", "--json")
    (folder / "short.json").write_text(short)
    return folder


@pytest.fixture
def own(made: Path, tmp_path: Path) -> Path:
    """A copy of that folder, to change things in; the original stays where it was."""
    return shutil.copytree(made, tmp_path / "own")


def changed(path: Path, change: Callable[[list], None]) -> Path:
    whole = json.loads(path.read_text())
    change(whole)
    path.write_text(json.dumps(whole))
    return path


def states(out: str) -> dict[str, str]:
    """The worst that was said of each thing, from the lines for people."""
    found: dict[str, str] = {}
    for line in out.splitlines()[:-1]:
        name, _, rest = line.removeprefix("maps: ").partition(": ")
        if not line.startswith("centre: ") and found.get(name) != "differs":
            found[name] = rest.partition(" (")[0]
    return found


def test_a_result_keeps_all_that_makes_it_again(made: Path) -> None:
    maps, prior = (each["provenance"]["again"] for each in json.loads((made / "result.json").read_text()))
    assert maps["words"] == {
        "benchmark": "samples", "annotations": None, "root": str(made / "scenes"), "protocol": None, "truth": None,
        "split": None, "negatives": None, "ids": str(made / "ids.txt"), "train_ids": [],
    }  # fmt: skip
    assert maps["maps"]["file"]["sha256"] == weights.sha256(made / "maps.safetensors")
    assert maps["files"]["ids"]["sha256"] == weights.sha256(made / "ids.txt")
    assert maps["files"]["annotations"]["files"] == {"scenes.jsonl": weights.sha256(made / "scenes/scenes.jsonl")}
    assert {"python", "platform", "soundspot", "numpy", "torch"} <= maps["versions"].keys()
    assert maps["intervals"]["seed"] == 0
    assert prior["maps"] == {"prior": "centre"}
    run = maps["maps"]["made"]
    assert run == Predictions.load(made / "maps.safetensors").made
    assert run["words"]["weights"] == str(made / "w.safetensors")
    assert run["weights_sha256"] == weights.sha256(made / "w.safetensors")
    assert (run["clips"], run["batch_size"], run["workers"], run["device"]) == (6, 16, 0, "cpu")
    assert {"python", "torch", "av", "numpy"} <= run["versions"].keys()


def test_a_process_of_its_own_makes_all_again(made: Path) -> None:
    """Another hash seed, other batches, another folder to work in."""
    line = [sys.executable, "-c", "from soundspot.cli import main; main()", "verify", str(made / "result.json")]
    done = subprocess.run([*line, "--predict", "--batch-size", "2"], capture_output=True, text=True, cwd="/")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "all equal"), done.stdout + done.stderr
    assert "maps: weights: ok (sha256 " in done.stdout
    assert "maps: maps: ok (largest difference " in done.stdout
    assert "centre: records: ok (44 values)" in done.stdout


def test_scoring_alone_imports_no_method(made: Path) -> None:
    code = (
        "import sys; from soundspot.cli import app\n"
        f"app(['verify', {str(made / 'result.json')!r}], standalone_mode=False)\n"
        "print(sorted(name for name in sys.modules if name.startswith('soundspot.methods') or name == 'timm'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-2:] == ["all equal", "[]"]


def test_results_without_rows_and_for_machines(made: Path, command: Callable) -> None:
    done = command("verify", made / "short.json", "--json")
    assert done.code == 0
    told = json.loads(done.out)
    assert (told["equal"], told["exit"], [each["name"] for each in told["results"]]) == (True, 0, ["maps", "centre"])
    noted = [check for check in told["results"][0]["checks"] if check["state"] == "noted"]
    assert [check["name"] for check in noted] == ["records"]


@pytest.mark.parametrize(
    ("place", "what"),
    [
        (("summary", "auc", "value"), "summary"),
        (("summary", "auc", "count"), "summary"),
        (("beside", "oracle", "auc"), "floors and ceilings"),
        (("records", 0, "ciou"), "records"),
    ],
)
def test_a_number_changed_by_hand(own: Path, command: Callable, place: tuple, what: str) -> None:
    def change(whole: list) -> None:
        inner = whole[0]
        for key in place[:-1]:
            inner = inner[key]
        inner[place[-1]] += 1 if place[-1] == "count" else 1e-4

    done = command("verify", changed(own / "result.json", change))
    assert done.code == 1
    found = states(done.out)
    assert [name for name, state in found.items() if state == "differs"] == [what]
    assert done.out.splitlines()[-1].startswith("1 differ, 0 cannot be checked, of ")


def test_one_value_of_a_map_changed(own: Path, command: Callable) -> None:
    there = Predictions.load(own / "maps.safetensors")
    maps = {name: np.array(scores) for name, scores in there.maps.items()}
    maps["test001"][0, 0] += 0.5
    replace(there, maps=maps).save(own / "maps.safetensors")
    done = command("verify", own / "result.json", "--predictions", own / "maps.safetensors", "--predict")
    assert done.code == 1
    found = states(done.out)
    assert (found["predictions"], found["maps"], found["records"]) == ("differs", "differs", "differs")
    assert "maps: maps: differs (largest difference 0.5 at test001" in done.out
    assert found["truth as read"] == found["weights"] == found["floors and ceilings"] == "ok"


def test_a_box_that_was_moved(own: Path, command: Callable) -> None:
    listing = own / "scenes/scenes.jsonl"
    rows = [json.loads(line) for line in listing.read_text().splitlines()]
    rows[0]["boxes"][0][0] += 0.01
    listing.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = command("verify", own / "result.json", "--root", own / "scenes")
    assert done.code == 1
    assert states(done.out)["truth as read"] == "differs"
    assert "maps: annotations: noted (scenes.jsonl has changed)" in done.out


def test_a_list_of_ids_that_changed(own: Path, command: Callable) -> None:
    (own / "ids.txt").write_text("test000\ntest001\n")
    done = command("verify", own / "result.json", "--ids", own / "ids.txt")
    assert done.code == 1
    assert {name for name, state in states(done.out).items() if state == "differs"} >= {"ids", "truth as read", "clips"}


def test_other_weights(own: Path, command: Callable) -> None:
    method = weights.load(own / "w.safetensors")
    with torch.no_grad():
        next(method.parameters()).mul_(1.5)
    weights.save(method, own / "w.safetensors")
    done = command("verify", own / "result.json", "--predict", "--weights", own / "w.safetensors")
    assert done.code == 1
    found = states(done.out)
    assert (found["weights"], found["maps"], found["records"]) == ("differs", "differs", "ok")


def test_what_is_not_there_any_more_is_named(own: Path, made: Path, command: Callable) -> None:
    gone = own / "gone"
    done = command("verify", own / "result.json", "--root", gone)
    assert done.code == 2
    assert f"maps: annotations: cannot be checked ({gone} is missing)" in done.out
    assert states(done.out)["numbers"] == "cannot be checked"
    lost = command("verify", own / "result.json", "--predictions", gone)
    assert lost.code == 2
    assert f"maps: predictions: cannot be checked ({gone} is missing)" in lost.out
    assert "centre: summary: ok" in lost.out
    anew = command("verify", own / "result.json", "--predictions", gone, "--predict")
    assert anew.code == 0, anew.out
    assert f"maps: predictions: noted ({gone} is missing: maps made anew are scored)" in anew.out
    no_weights = command("verify", own / "result.json", "--predict", "--weights", gone)
    assert no_weights.code == 2
    assert states(no_weights.out)["predict"] == "cannot be checked"


def test_what_moved_together_with_the_results_is_found(own: Path, made: Path, command: Callable) -> None:
    def elsewhere(whole: list) -> None:
        text = json.dumps(whole).replace(str(made), "/nowhere")
        whole[:] = json.loads(text)

    changed(own / "result.json", elsewhere)
    done = command("verify", own / "result.json")
    assert (done.code, done.out.splitlines()[-1]) == (0, "all equal"), done.out


def test_maps_that_do_not_say_how_they_were_made(own: Path, command: Callable) -> None:
    there = Predictions.load(own / "maps.safetensors")
    replace(there, made={}).save(own / "other.safetensors")
    end("score", own / "other.safetensors", "--root", own / "scenes", "--out", own / "other.json")
    assert command("verify", own / "other.json").code == 0
    done = command("verify", own / "other.json", "--predict")
    assert done.code == 2
    assert "predict: cannot be checked (the predictions file does not say how it was made" in done.out


def test_old_results_and_wrong_words_are_one_line(own: Path, command: Callable) -> None:
    def forget(whole: list) -> None:
        del whole[0]["provenance"]["again"]

    def maim(whole: list) -> None:
        del whole[0]["provenance"]["again"]["files"]

    cases = {
        "expected a result that keeps the words it was made with": ("verify", changed(own / "result.json", forget)),
        "got nothing called 'files'; score again": ("verify", changed(own / "short.json", maim)),
        "expected --predict beside --weights": ("verify", own / "short.json", "--weights", "default"),
        "no such file; check the path": ("verify", own / "gone.json"),
    }
    for said, words in cases.items():
        done = command(*words)
        assert (done.code, done.out, len(done.err.splitlines())) == (2, "", 1)
        assert said in done.err
    end("score", "centre", "--root", own / "scenes", "--out", own / "prior.json")
    done = command("verify", own / "prior.json", "--ids", own / "ids.txt")
    assert (done.code, done.out) == (2, "")
    assert "expected no --ids" in done.err


@pytest.mark.parametrize("place", ["words", "files", "maps", "versions"])
@pytest.mark.parametrize("value", [7, [], None, {"a": 7}])
def test_a_maimed_result_is_one_line(own: Path, command: Callable, place: str, value: object) -> None:
    def maim(whole: list) -> None:
        whole[0]["provenance"]["again"][place] = value

    done = command("verify", changed(own / "short.json", maim))
    assert done.code == 2 or (place, value) == ("versions", {"a": 7})
    assert len(done.err.splitlines()) <= 1
    (own / "none.json").write_text("[]")
    assert command("verify", own / "none.json").code == 2
