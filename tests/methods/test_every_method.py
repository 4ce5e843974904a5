"""What every method in the table must do."""

from __future__ import annotations

import inspect

import pytest
import torch

from soundspot import weights
from soundspot.methods import METHODS, build, method_class, method_name
from soundspot.methods.base import Method
from soundspot.types import Batch, UserError

SMALL = {"image_backbone": "resnet10t", "audio_backbone": "resnet10t"}
OWN_FILES = {"spot"}  # methods with tests of their own, because they need encoders from package files
TWO_TOWERS = sorted(set(METHODS) - OWN_FILES)
HEARING = sorted(set(TWO_TOWERS) - {"ogl"})


def small(name, **options):
    known = inspect.signature(method_class(name)).parameters
    return build(name, **{option: value for option, value in SMALL.items() if option in known}, **options)


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
    method = small(name).eval()
    with torch.no_grad():
        scores = method.localize(make_batch(size=3, image=(side, wide)))
    stride = method.options["output_stride"]
    assert scores.shape == (3, side // stride, wide // stride)
    assert scores.dtype == torch.float32
    low, high = method.score_range
    assert low - 1e-4 <= scores.min()
    assert scores.max() <= high + 1e-4 or not method.hears  # the prior's bounds are those of ImageNet weights
    assert scores.max() > scores.min()


@pytest.mark.parametrize("name", HEARING)
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


@pytest.mark.parametrize("name", HEARING)
def test_vectors_for_retrieval_have_length_1(name, make_batch):
    method = small(name).eval()
    with torch.no_grad():
        for vectors in method.embed(make_batch(size=3)):
            assert vectors.shape[0] == 3
            torch.testing.assert_close(vectors.norm(dim=1), torch.ones(3))


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
