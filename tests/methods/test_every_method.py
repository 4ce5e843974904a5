"""What every method in the table must do."""

from __future__ import annotations

import functools
import inspect
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import torch

from any_batch import LABELS, NUM_FRAMES, noise_batch
from clip_files import save_clip
from encoder_files import cached
from soundspot import encoders, weights
from soundspot.encoders import DEFAULTS
from soundspot.methods import METHODS, build, method_class, method_name
from soundspot.methods.base import Method, Option
from soundspot.train.loop import SUPPLIED
from soundspot.types import Batch, UserError

SMALL = {"image_backbone": "resnet10t", "audio_backbone": "resnet10t", "flow_backbone": "resnet10t"}
SPECIAL: dict[str, dict[str, Option]] = {
    "avobject": {"num_frames": NUM_FRAMES, "max_shift": 2},
    "coarse_to_fine": {"classes": ",".join(LABELS), "shown": "cosine"},
    "dsol": {"output": "one"},
    "interference_eraser": {"output": "one", "view_threshold": 0.0},  # of random prototypes nothing is in view at 0.5
    "lcbm": {"classes": ",".join(LABELS)},
    "sound_of_pixels": {"width": 4, "levels": 3, "n_fft": 126, "hop": 63, "bins": 32},
}
"""Options that a method must have for the batches made here."""
GENTLE = {("interference_eraser", "referrer"): 1e-5}
"""Learning rates: from random weights its two sides agree in saying nothing, and a large step ends that at once."""
STRIDES = {"spot": 8, "clip_audio_tran": 16, "clip_text_tran": 16}
"""Pixels a place of the map, where no option output_stride says it."""
PACKAGES = {"spot"}
"""Methods whose encoders come as package files that somebody must have fetched."""
ALL = sorted(METHODS)
TRAINED = [name for name in ALL if method_class(name).trains]
STAGED = [(name, stage) for name in TRAINED for stage in method_class(name).stages or ("",)]
"""Every stage of every method that can be trained."""
BY_HAND = [name for name in ALL if "output_stride" in inspect.signature(method_class(name)).parameters]


@pytest.fixture
def make_batch():
    """Batches with all that any method needs."""
    return noise_batch


@functools.cache
def tiny_clip() -> Path:
    return save_clip(Path(tempfile.mkdtemp(prefix="clip")) / "tiny")


def small(name: str, **options: Option) -> Method:
    if name in PACKAGES:
        for encoder in DEFAULTS:
            cached(encoder)  # skips the test, or fails it where CI must have them
    known = inspect.signature(method_class(name)).parameters
    given = {**SMALL, **SPECIAL.get(name, {}), **({"clip": str(tiny_clip())} if "clip" in known else {}), **options}
    return build(name, **{option: value for option, value in given.items() if option in known})


def stride_of(method: Method) -> int:
    stride = method.options.get("output_stride") or STRIDES[method_name(method)]
    assert isinstance(stride, int)
    return stride


def total(method: Method, batch: Batch) -> torch.Tensor:
    return torch.stack(list(method(batch).values())).sum()


def still(method: Method) -> Method:
    """In training mode, but for what depends on the batch or on chance: batch statistics and dropout."""
    method.train()
    for module in method.modules():
        if isinstance(module, (torch.nn.modules.batchnorm._BatchNorm, torch.nn.modules.dropout._DropoutNd)):
            module.eval()
    return method


@pytest.mark.parametrize("name", ALL)
def test_round_trip_through_a_file_keeps_maps_and_options(name, tmp_path, make_batch):
    torch.manual_seed(1)
    method = small(name).eval()
    batch = make_batch(size=2)
    path = weights.save(method, tmp_path / "weights.safetensors", {"licence": "CC0-1.0", "source": "a test"})
    state = torch.get_rng_state()
    loaded = weights.load(path)
    assert torch.equal(torch.get_rng_state(), state)
    assert type(loaded) is type(method)
    assert not loaded.training
    assert loaded.options == method.options
    assert loaded.initial == method.initial
    assert {origin for part, origin in method.initial.items() if part in {"image", "audio", "flow"}} <= {"random init"}
    assert loaded.provenance["licence"] == "CC0-1.0"
    assert loaded.provenance["method"] == name == method_name(loaded)
    assert loaded.provenance["weights_sha256"] == weights.sha256(path)
    with torch.no_grad():
        torch.testing.assert_close(loaded.localize(batch), method.localize(batch), rtol=0, atol=0)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(("side", "wide"), [(64, 64), (96, 128)])
def test_maps_are_raw_and_of_the_pictures_own_size(name, side, wide, make_batch):
    torch.manual_seed(0)
    method = small(name).eval()
    with torch.no_grad():
        scores = method.localize(make_batch(size=3, image=(side, wide)))
    stride = stride_of(method)
    assert scores.shape == (3, side // stride, wide // stride)
    assert scores.dtype == torch.float32
    low, high = method.score_range or (-math.inf, math.inf)
    assert low - 1e-4 <= scores.min()
    assert scores.max() <= high + 1e-4 or not method.hears  # the prior's bounds are those of ImageNet weights
    assert scores.max() > scores.min()


@pytest.mark.parametrize("name", BY_HAND)
@pytest.mark.parametrize(("stride", "cells"), [(32, 7), (16, 14)])
def test_the_papers_7_x_7_or_14_x_14_by_output_stride(name, stride, cells, make_batch):
    torch.manual_seed(0)
    method = small(name, output_stride=stride).eval()
    with torch.no_grad():
        assert method.localize(make_batch(size=1, image=(224, 224))).shape == (1, cells, cells)


@pytest.mark.parametrize(("name", "stage"), STAGED)
@pytest.mark.parametrize("trainable", ["all", "last_block"])
def test_losses_are_finite_and_reach_whatever_is_trainable(name, stage, trainable, make_batch):
    torch.manual_seed(0)
    method = small(name, trainable=trainable, **({"stage": stage} if stage else {})).train()
    terms = method(make_batch())
    assert terms
    assert all(term.ndim == 0 and term.isfinite() for term in terms.values())
    sum(terms.values()).backward()
    method.after_step()
    reached = {key: value.grad is not None and bool(value.grad.any()) for key, value in method.named_parameters()}
    learning = {key for key, value in method.named_parameters() if value.requires_grad}
    assert {key for key, yes in reached.items() if yes} == learning
    frozen = {key for key in reached if "image.net.conv1" in key and "teacher" not in key}
    if "trainable" in method.options:
        assert bool(frozen & learning) == (trainable == "all")


@pytest.mark.parametrize("name", TRAINED)
def test_vectors_for_retrieval_have_length_1(name, make_batch):
    method = small(name).eval()
    with torch.no_grad():
        for vectors in method.embed(make_batch(size=3)):
            assert vectors.shape[0] == 3
            torch.testing.assert_close(vectors.norm(dim=1), torch.ones(3))


@pytest.mark.parametrize("name", TRAINED)
def test_every_space_has_vectors_of_its_own_and_the_first_is_embed(name, make_batch):
    method, batch = small(name).eval(), make_batch(size=3)
    with torch.no_grad():
        given = {space: give(batch) for space, give in method.spaces().items()}
        own = method.embed(batch)
    assert given.keys() <= {"projected", "backbone"}
    for made, expected in zip(next(iter(given.values())), own, strict=True):
        torch.testing.assert_close(made, expected)
    for image, sound in given.values():
        assert image.shape == sound.shape
        for vectors in (image, sound):
            torch.testing.assert_close(vectors.norm(dim=1), torch.ones(3))
    assert len(given) == 1 or given["projected"][0].shape != given["backbone"][0].shape or not torch.allclose(
        given["projected"][0], given["backbone"][0])  # fmt: skip


@pytest.mark.parametrize(("name", "stage"), STAGED)
def test_the_loss_falls_on_a_made_set(name, stage, make_batch):
    torch.manual_seed(0)
    method, batch = small(name, **({"stage": stage} if stage else {})).train(), make_batch(size=6)
    optimizer = torch.optim.Adam(
        [p for p in method.parameters() if p.requires_grad], lr=GENTLE.get((name, stage), 1e-3)
    )
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = total(method, batch)
        loss.backward()
        optimizer.step()
        method.after_step()
        losses.append(float(loss.detach()))
    assert min(losses[-3:]) < losses[0] - 0.02 * abs(losses[0])


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("case", ["one clip", "a silent clip", "autocast"])
def test_hard_cases_give_finite_losses_gradients_and_maps(name, case, make_batch):
    torch.manual_seed(0)
    method, batch = still(small(name)), make_batch(size=1 if case == "one clip" else 3, audio=(65, 320))
    if case == "a silent clip":
        batch.audio[0] = -1.3
    with torch.autocast("cpu", torch.bfloat16, enabled=case == "autocast"):
        loss = total(method, batch) if method.trains else torch.zeros(())
        with torch.no_grad():
            scores = method.eval().localize(batch)
    assert scores.dtype == torch.float32
    assert scores.isfinite().all()
    assert loss.isfinite()
    if loss.requires_grad:
        loss.backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in method.parameters())


@pytest.mark.parametrize("name", sorted(METHODS))
def test_a_method_says_what_it_is(name):
    cls = method_class(name)
    assert isinstance(cls.trains, bool)
    assert isinstance(cls.stages, tuple)
    assert len(cls.stages) != 1, "a single stage has no name"
    if cls.stages:
        assert inspect.signature(cls).parameters["stage"].default in cls.stages
    first = (inspect.getmodule(cls).__doc__ or "").splitlines()[0]
    assert first, "the file's first line names the paper"
    if name in TRAINED:
        assert small(name).needs <= SUPPLIED


def test_no_method_misses_a_check_but_by_what_it_declares():
    """Not training is `trains`, having no choice of stride is the lack of that option: nothing else leaves one out."""
    assert {name for name in ALL if name not in TRAINED} == {"ogl", "clip_audio_tran", "clip_text_tran"}
    assert {name for name in ALL if name not in BY_HAND} == set(STRIDES)
    assert {name for name, _ in STAGED} == set(TRAINED)
    whole = noise_batch()
    brought = {name for name in ("labels", "mask", "draws") if getattr(whole, name) is not None}
    brought |= {"neighbour" if key.endswith("_neighbour") else key for key in whole.extra}
    assert brought == SUPPLIED, "the batches made here have all that a method may declare to need"


@pytest.mark.parametrize("name", [name for name in ALL if name not in TRAINED])
def test_what_cannot_be_trained_says_so(name, make_batch):
    with pytest.raises(UserError, match="expected a method that can be trained"):
        small(name).loss(make_batch())


def test_two_processes_give_the_loss_and_the_gradients_of_one(tmp_path):
    script = Path(__file__).with_name("every_method_in_two_processes.py")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script)]
    fetched = all(row["path"] for row in encoders.rows() if row["name"] in DEFAULTS) or os.environ.get("CI")
    names = [name for name in TRAINED if fetched or name not in PACKAGES]
    done = subprocess.run([*command, str(tmp_path), *names], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    for name in names:
        torch.manual_seed(0)
        method = still(small(name))
        loss = total(method, noise_batch(size=4))
        loss.backward()
        made = torch.load(tmp_path / f"{name}.pt", weights_only=True)
        assert made["loss"] == pytest.approx(float(loss.detach()), rel=1e-4, abs=1e-5), name
        for key, value in method.named_parameters():
            if value.grad is not None:
                limit = 2e-3 * float(value.grad.abs().max()) + 1e-6
                assert float((made[key] - value.grad).abs().max()) <= limit, (name, key)


@pytest.mark.parametrize("name", sorted(METHODS))
def test_unknown_options_offer_the_nearest(name):
    with pytest.raises(UserError, match="did you mean 'image_size'"):
        build(name, image_sise=224)
    with pytest.raises(UserError, match="image_size: expected int"):
        build(name, image_size="large")


class Outsider(Method):
    """A method of somebody else's."""

    def __init__(self, width: int = 3, factor: float = 1.0) -> None:
        super().__init__()
        self.line = torch.nn.Conv2d(3, 1, width, padding=1)
        self.factor = factor

    def localize(self, batch: Batch) -> torch.Tensor:
        """(B, H, W)."""
        return self.line(batch.image)[:, 0] * self.factor


class Quiet(Outsider):
    """Inherits its constructor, and is asked for its options all the same."""


def test_inherited_constructors_keep_their_options():
    assert list(inspect.signature(Quiet).parameters) == ["width", "factor"]
    assert Quiet(factor=0.5).options == {"width": 3, "factor": 0.5}
    with pytest.raises(UserError, match="did you mean 'factor'"):
        build(f"{__name__}:Quiet", facter=2.0)


def test_unknown_methods_offer_the_nearest():
    with pytest.raises(UserError, match="did you mean 'ez_vsl'"):
        build("ezvsl")
    with pytest.raises(UserError, match="is it installed"):
        build("nosuchpackage.method:Class")
    with pytest.raises(UserError, match="expected a subclass"):
        build("soundspot.types:Clip")


def test_an_outsiders_class_is_named_by_module_and_must_be_trusted_to_load(tmp_path, make_batch):
    place = f"{__name__}:Outsider"
    method = build(place, factor=2)
    assert method.options == {"width": 3, "factor": 2}
    path = weights.save(method, tmp_path / "own.safetensors")
    with pytest.raises(UserError, match="if you trust that code"):
        weights.load(path)
    loaded = weights.load(path, method=place)
    batch = make_batch(size=1)
    torch.testing.assert_close(loaded.localize(batch), method.localize(batch))
