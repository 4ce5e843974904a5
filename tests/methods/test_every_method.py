"""What every method in the table must do."""

from __future__ import annotations

import inspect
import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from any_batch import LABELS, NUM_FRAMES, noise_batch
from soundspot import weights
from soundspot.methods import METHODS, build, method_class, method_name
from soundspot.methods.base import Method, Option
from soundspot.train.loop import SUPPLIED
from soundspot.types import Batch, UserError

SMALL = {"image_backbone": "resnet10t", "audio_backbone": "resnet10t", "flow_backbone": "resnet10t"}
SPECIAL: dict[str, dict[str, Option]] = {
    "avobject": {"num_frames": NUM_FRAMES, "max_shift": 2},
    "coarse_to_fine": {"classes": ",".join(LABELS), "shown": "cosine"},
    "lcbm": {"classes": ",".join(LABELS)},
}
"""Options that a method must have for the batches made here."""
OWN_FILES = {"spot", "clip_audio_tran", "clip_text_tran"}  # tests of their own: they need encoders from files
TWO_TOWERS = sorted(set(METHODS) - OWN_FILES)
TRAINED = sorted(name for name in TWO_TOWERS if method_class(name).trains)


@pytest.fixture
def make_batch():
    """Batches with all that any method needs."""
    return noise_batch


def small(name: str, **options: Option) -> Method:
    known = inspect.signature(method_class(name)).parameters
    given = {**{option: value for option, value in SMALL.items() if option in known}, **SPECIAL.get(name, {})}
    return build(name, **{**given, **options})


def total(method: Method, batch: Batch) -> torch.Tensor:
    return torch.stack(list(method(batch).values())).sum()


def still(method: Method) -> Method:
    """In training mode, but for what depends on the batch or on chance: batch statistics and dropout."""
    method.train()
    for module in method.modules():
        if isinstance(module, (torch.nn.modules.batchnorm._BatchNorm, torch.nn.modules.dropout._DropoutNd)):
            module.eval()
    return method


@pytest.mark.parametrize("name", TWO_TOWERS)
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
    assert loaded.initial == method.initial == dict.fromkeys(method.initial, "random init")
    assert loaded.provenance["licence"] == "CC0-1.0"
    assert loaded.provenance["method"] == name == method_name(loaded)
    assert loaded.provenance["weights_sha256"] == weights.sha256(path)
    with torch.no_grad():
        torch.testing.assert_close(loaded.localize(batch), method.localize(batch), rtol=0, atol=0)


@pytest.mark.parametrize("name", TWO_TOWERS)
@pytest.mark.parametrize(("side", "wide"), [(64, 64), (96, 128)])
def test_maps_are_raw_and_of_the_pictures_own_size(name, side, wide, make_batch):
    torch.manual_seed(0)
    method = small(name).eval()
    with torch.no_grad():
        scores = method.localize(make_batch(size=3, image=(side, wide)))
    stride = method.options["output_stride"]
    assert scores.shape == (3, side // stride, wide // stride)
    assert scores.dtype == torch.float32
    low, high = method.score_range or (-math.inf, math.inf)
    assert low - 1e-4 <= scores.min()
    assert scores.max() <= high + 1e-4 or not method.hears  # the prior's bounds are those of ImageNet weights
    assert scores.max() > scores.min()


@pytest.mark.parametrize("name", TWO_TOWERS)
@pytest.mark.parametrize(("stride", "cells"), [(32, 7), (16, 14)])
def test_the_papers_7_x_7_or_14_x_14_by_output_stride(name, stride, cells, make_batch):
    torch.manual_seed(0)
    method = small(name, output_stride=stride).eval()
    with torch.no_grad():
        assert method.localize(make_batch(size=1, image=(224, 224))).shape == (1, cells, cells)


@pytest.mark.parametrize("name", TRAINED)
@pytest.mark.parametrize("trainable", ["all", "last_block"])
def test_losses_are_finite_and_reach_whatever_is_trainable(name, trainable, make_batch):
    torch.manual_seed(0)
    method = small(name, trainable=trainable).train()
    terms = method(make_batch())
    assert terms
    assert all(term.ndim == 0 and term.isfinite() for term in terms.values())
    sum(terms.values()).backward()
    method.after_step()
    reached = {key: value.grad is not None and bool(value.grad.any()) for key, value in method.named_parameters()}
    learning = {key for key, value in method.named_parameters() if value.requires_grad}
    assert {key for key, yes in reached.items() if yes} == learning
    frozen = {key for key in reached if "image.net.conv1" in key and "teacher" not in key}
    assert bool(frozen & learning) == (trainable == "all")


@pytest.mark.parametrize("name", TRAINED)
def test_vectors_for_retrieval_have_length_1(name, make_batch):
    method = small(name).eval()
    with torch.no_grad():
        for vectors in method.embed(make_batch(size=3)):
            assert vectors.shape[0] == 3
            torch.testing.assert_close(vectors.norm(dim=1), torch.ones(3))


@pytest.mark.parametrize("name", TRAINED)
def test_the_loss_falls_on_a_made_set(name, make_batch):
    torch.manual_seed(0)
    method, batch = small(name).train(), make_batch(size=6)
    optimizer = torch.optim.Adam([p for p in method.parameters() if p.requires_grad], lr=1e-3)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = total(method, batch)
        loss.backward()
        optimizer.step()
        method.after_step()
        losses.append(float(loss.detach()))
    assert min(losses[-3:]) < losses[0] - 0.02 * abs(losses[0])


@pytest.mark.parametrize("name", TRAINED)
@pytest.mark.parametrize("case", ["one clip", "a silent clip", "autocast"])
def test_hard_cases_give_finite_losses_gradients_and_maps(name, case, make_batch):
    torch.manual_seed(0)
    method, batch = still(small(name)), make_batch(size=1 if case == "one clip" else 3, audio=(65, 320))
    if case == "a silent clip":
        batch.audio[0] = -1.3
    with torch.autocast("cpu", torch.bfloat16, enabled=case == "autocast"):
        loss = total(method, batch)
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


@pytest.mark.parametrize("name", sorted(set(TWO_TOWERS) - set(TRAINED)))
def test_what_cannot_be_trained_says_so(name, make_batch):
    with pytest.raises(UserError, match="expected a method that can be trained"):
        small(name).loss(make_batch())


def test_two_processes_give_the_loss_and_the_gradients_of_one(tmp_path):
    script = Path(__file__).with_name("every_method_in_two_processes.py")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script)]
    done = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    for name in TRAINED:
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
