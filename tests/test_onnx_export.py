"""ONNX files: the same maps as torch's, by a process without it, from what the file itself says of its inputs."""

from __future__ import annotations

import builtins
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from doc_blocks import python_blocks
from make_media import quarters
from soundspot import UserError, weights
from soundspot.localize.localizer import Localizer
from soundspot.media.image import write_image
from soundspot.methods import build
from soundspot.nets.proposals import MAX_REGIONS, crop_regions, find_regions
from soundspot.onnx_export import TOLERANCE, export
from soundspot.onnx_spot import SpotSteps, crops_of, region_masks

TINY = {"image_backbone": "resnet10t", "audio_backbone": "resnet10t", "image_size": 64, "seconds": 1.0}
CALIBRATION = '{"scale": 2.0, "offset": -1.0}'
ALONE = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "soundspot", "scipy", "timm"):
            raise ImportError(name)
sys.meta_path.insert(0, Refuse())
"""
COMPARE = """
import numpy as np
wanted = np.load("wanted.npy")
assert map_[0].shape == wanted.shape, (map_.shape, wanted.shape)
difference = float((np.abs(map_[0] - wanted) / np.maximum(1, np.abs(wanted))).max())
print("DIFFERENCE", difference, sorted({"torch", "soundspot"} & set(sys.modules)))
"""


def made(tmp_path: Path, name: str, **options: Any) -> Path:
    torch.manual_seed(3)
    path = tmp_path / f"{name}.safetensors"
    return weights.save(build(name, **TINY, **options), path, {"calibration": CALIBRATION, "licence": "CC0"})


def run_alone(folder: Path) -> str:
    """The guide's example in a process that can import neither torch nor soundspot."""
    (block,) = python_blocks("onnx.md")
    line = [sys.executable, "-c", ALONE + block + COMPARE]
    done = subprocess.run(line, capture_output=True, text=True, cwd=folder, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def laid_out(folder: Path, method: Any) -> None:
    """What the example reads, and the map that torch makes of it."""
    inputs = method.inputs
    rate = inputs.sample_rate or 16000
    write_image(folder / "picture.png", quarters(90, 70))
    samples = (0.2 * np.random.default_rng(0).normal(size=round(inputs.seconds * rate))).astype(np.float32)
    np.save(folder / "samples.npy", samples)
    small = Image.open(folder / "picture.png").resize((inputs.image_size,) * 2, Image.Resampling.BILINEAR)
    look = next(Localizer(method).looks([(0.0, np.asarray(small))], [samples[None]]))
    np.save(folder / "wanted.npy", look.maps)


@pytest.mark.parametrize("name", ["ez_vsl", "slavc", "fnac", "lvs", "rcgrad"])
def test_maps_agree_with_torch_in_a_process_without_it(name: str, tmp_path: Path) -> None:
    path = made(tmp_path, name)
    done = export(path, tmp_path / "spot.onnx")
    assert done.largest_difference <= TOLERANCE
    assert done.method == name
    laid_out(tmp_path, weights.load(path))
    word, difference, modules = run_alone(tmp_path).splitlines()[-1].split(maxsplit=2)
    assert (word, modules) == ("DIFFERENCE", "[]")
    assert float(difference) <= TOLERANCE


def test_the_file_says_how_to_use_it(tmp_path: Path, command: Callable) -> None:
    import onnxruntime

    path = made(tmp_path, "ez_vsl")
    done = command("export", path, tmp_path / "out" / "m.onnx", "--json")
    assert done.code == 0, done.err
    facts = json.loads(done.out)
    assert facts["map_shape"] == [2, 2]
    session = onnxruntime.InferenceSession(tmp_path / "out" / "m.onnx")
    held = session.get_modelmeta().custom_metadata_map
    assert (held["format"], held["method"], held["licence"]) == ("soundspot onnx 1", "ez_vsl", "CC0")
    assert held["weights_sha256"] == weights.sha256(path)
    assert json.loads(held["calibration"]) == {"scale": 2.0, "offset": -1.0}
    assert json.loads(held["options"])["image_backbone"] == "resnet10t"
    image, sound = json.loads(held["image"]), json.loads(held["sound"])
    assert (image["size"], image["resize"], image["mean"]) == (64, "squash", [0.485, 0.456, 0.406])
    assert sound["samples"] == sound["sample_rate"] * sound["seconds"]
    assert json.loads(held["spectrogram"]) == {"name": "psd_hop238", "made": "in the graph"}
    assert json.loads(held["map"])["shape"] == [2, 2]
    shapes = {each.name: (each.type, each.shape[1:]) for each in session.get_inputs()}
    assert shapes == {
        "image": ("tensor(uint8)", [3, 64, 64]), "waveform": ("tensor(float)", [sound["samples"]]),
    }  # fmt: skip
    batch = {"image": np.zeros((5, 3, 64, 64), np.uint8), "waveform": np.zeros((5, sound["samples"]), np.float32)}
    assert session.run(["map"], batch)[0].shape == (5, 2, 2)
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["m.onnx"]


@pytest.mark.parametrize(
    ("name", "options", "what"),
    [
        ("hear_the_flow", {"flow_backbone": "resnet10t"}, "got one that needs flow"),
        ("dmc", {}, "a fixed graph"),
    ],
)
def test_a_method_without_such_a_graph_says_so_in_one_line(
    name: str, options: dict[str, Any], what: str, tmp_path: Path, command: Callable
) -> None:
    done = command("export", made(tmp_path, name, **options), tmp_path / "m.onnx")
    assert (done.code, done.out) == (2, "")
    assert what in done.err
    assert len(done.err.strip().splitlines()) == 1
    assert not list(tmp_path.glob("*.onnx")), "nothing is left"


def test_mistakes_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"ends in \.onnx"):
        export("default", tmp_path / "m.pb")
    with pytest.raises(UserError, match="expected a weights file"):
        export(tmp_path / "none.safetensors", tmp_path / "m.onnx")
    real = builtins.__import__

    def absent(name: str, *rest: Any, **others: Any) -> Any:
        if name == "onnxscript":
            raise ImportError(f"No module named {name!r}", name=name)
        return real(name, *rest, **others)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(UserError, match=r"onnxscript.*pip install 'soundspot\[onnx\]'"):
        export(tmp_path / "none.safetensors", tmp_path / "m.onnx")


def blobs(seed: int, share: float) -> torch.Tensor:
    """(2, 20, 24) of connected places and single cells."""
    noise = torch.randn(2, 1, 20, 24, generator=torch.Generator().manual_seed(seed))
    smooth = torch.nn.functional.avg_pool2d(noise, 3, stride=1, padding=1)[:, 0]
    return smooth - torch.quantile(smooth, share)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**31), st.floats(0.3, 0.97))
def test_regions_of_fixed_number_are_those_that_are_found(seed: int, share: float) -> None:
    scores = blobs(seed, share)
    found = find_regions(scores)
    masks = region_masks(scores)
    assert masks.shape == (2, MAX_REGIONS, 20, 24)
    for picture in range(2):
        wanted = found.mask[found.picture == picture]
        assert torch.equal(masks[picture, : len(wanted)], wanted), "in the same order"
        assert not masks[picture, len(wanted) :].any()


def test_crops_of_regions_are_the_same_pictures() -> None:
    scores = blobs(5, 0.8)
    image = torch.rand(2, 3, 80, 96, generator=torch.Generator().manual_seed(1))
    found = find_regions(scores)
    crops = crops_of(image, region_masks(scores)).unflatten(0, (2, MAX_REGIONS))
    wanted = crop_regions(image, found)
    for picture in range(2):
        mine = wanted[found.picture == picture]
        assert torch.allclose(crops[picture, : len(mine)], mine, atol=1e-4)
    empty = crops_of(image, region_masks(torch.full((2, 20, 24), -1.0)))
    assert torch.isfinite(empty).all()


@pytest.mark.parametrize("part", ["all", "bridge", "learned", "objectness"])
def test_the_default_localizer_in_fixed_steps_gives_its_own_maps(part: str, encoders: dict[str, Path]) -> None:
    method = weights.load(weights.find_weights("default"), options={"part": part}).requires_grad_(False)
    from soundspot.onnx_export import _Graph

    graph = _Graph(method).eval()
    assert isinstance(graph.steps, SpotSteps)
    example = graph.example(2)
    with torch.no_grad():
        assert torch.allclose(graph(*example), graph.maps(*example), atol=TOLERANCE)


def test_the_default_localizers_learned_part_runs_alone(tmp_path: Path, encoders: dict[str, Path]) -> None:
    done = export("default", tmp_path / "spot.onnx", options={"part": "learned"})
    assert done.map_shape == (52, 52)
    laid_out(tmp_path, weights.load(weights.find_weights("default"), options={"part": "learned"}))
    out = run_alone(tmp_path)
    assert "source in view:" in out
    assert float(out.split("DIFFERENCE ")[1].split()[0]) <= TOLERANCE
