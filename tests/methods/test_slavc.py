"""SLAVC against numbers of the published code, and its teachers' schedule."""

from __future__ import annotations

import copy
import re

import pytest
import torch

from soundspot.methods import slavc
from soundspot.methods.slavc import SLAVC, Space
from soundspot.types import Batch, UserError


def given(batch):
    """A batch as towers without frozen stages take it."""
    return {"image": batch.image, "audio": batch.audio}


def spaces(arrays, suffix="", requires_grad=False):
    def tensor(name):
        return torch.tensor(arrays[f"in_{name}{suffix}"], requires_grad=requires_grad)

    return {"avc": Space(tensor("img1"), tensor("aud1")), "loc": Space(tensor("img2"), tensor("aud2"))}


@pytest.mark.parametrize("case", ["a", "b"])
def test_loss_map_and_gradients_of_the_published_code(golden, close, tiny_towers, case):
    arrays = golden(f"slavc_loss__{case}")
    tau = float(arrays["par_tau"])
    online, teacher = spaces(arrays, requires_grad=True), spaces(arrays, "_mom")
    loss = sum(slavc.VARIANTS["code"](online, teacher, tau).values())
    loss.backward()
    close(loss, arrays["out_loss"])
    method = SLAVC(**tiny_towers, temperature=tau)
    close(method.scores(online), arrays["out_map"])
    close(method.scores(teacher), arrays["out_map_mom"])
    for name, tensor in {
        "img1": online["avc"].cells,
        "img2": online["loc"].cells,
        "aud1": online["avc"].sounds,
        "aud2": online["loc"].sounds,
    }.items():
        close(tensor.grad, arrays[f"out_grad_{name}"], atol=0, rtol=2e-3)


def test_paper_variant_is_equation_6(golden):
    arrays = golden("slavc_loss__a")
    tau = float(arrays["par_tau"])
    online, teacher = spaces(arrays), spaces(arrays, "_mom")

    def best(image, audio):  # max over places of P_loc * P_avc, (pictures, sounds)
        loc = torch.einsum("ncxy,mc->nmxy", image["loc"].cells.double(), audio["loc"].sounds.double()) / tau
        avc = torch.einsum("ncxy,mc->nmxy", image["avc"].cells.double(), audio["avc"].sounds.double()) / tau
        joint = loc.flatten(2).softmax(dim=2) * avc.flatten(2).softmax(dim=1)
        return joint.max(dim=2).values

    first, second = best(teacher, online), best(online, teacher)
    expected = (
        -(first.diagonal() / first.sum(dim=0)).log().mean() - (second.diagonal() / second.sum(dim=1)).log().mean()
    )
    got = sum(slavc.VARIANTS["paper"](online, teacher, tau).values())
    assert got.item() == pytest.approx(expected.item(), rel=1e-5)


def our_name(name):
    """The published name of a tensor, with _ for . -> ours."""
    branch = "teacher." if name.startswith("momentum_") else "online."
    name = name.removeprefix("momentum_")
    kind = "image" if name.startswith("img") else "audio"
    if head := re.fullmatch(r"(?:img|aud)_proj([12])_(\w+)", name):
        return f"{branch}{kind}_heads.{'avc' if head[1] == '1' else 'loc'}.{head[2]}"
    layer = re.fullmatch(r"(?:imgnet|audnet)_(\d)_(\w+)", name)
    return f"{branch}{kind}.net.{layer[1]}.{layer[2]}"


def stage(arrays, prefix):
    """The published weights of one moment, by our names."""
    return {
        our_name(key.removeprefix(prefix)): torch.tensor(value)
        for key, value in arrays.items()
        if key.startswith(prefix)
    }


def check_stage(method, arrays, prefix, close):
    state = method.state_dict()
    for name, value in stage(arrays, prefix).items():
        close(state[name].reshape(value.shape), value.numpy())


@pytest.mark.parametrize("case", ["a", "b"])
def test_two_training_steps_of_the_published_code(golden, close, tiny_towers, case):
    arrays = golden(f"slavc_ema__{case}")
    method = SLAVC(
        **tiny_towers,
        dim=8,
        temperature=float(arrays["par_tau"]),
        dropout_image=0.0,
        momentum_image=float(arrays["par_m_img"]),
        momentum_audio=float(arrays["par_m_aud"]),
    ).train()
    start = {name: value.reshape(method.state_dict()[name].shape) for name, value in stage(arrays, "in_s0_").items()}
    unset = method.load_state_dict(start, strict=False)
    assert all(name.endswith("num_batches_tracked") for name in unset.missing_keys)
    batch = Batch(torch.tensor(arrays["in_img"]), torch.tensor(arrays["in_aud"])[:, None, :, None], tuple("abcd"))

    method.after_step()  # these teachers do not start as copies: the published first forward moves them once
    shown = copy.deepcopy(method)
    close(shown.scores(shown.online(given(batch))), arrays["out_map1"])
    loss = sum(method.loss(batch).values())
    loss.backward()
    close(loss, arrays["out_loss1"])
    check_stage(method, arrays, "out_s1_", close)

    torch.optim.SGD(method.online.parameters(), lr=float(arrays["par_sgd_lr"])).step()
    check_stage(method, arrays, "out_s2_", close)

    method.after_step()
    shown = copy.deepcopy(method)
    close(shown.scores(shown.online(given(batch))), arrays["out_map2"])
    close(sum(method.loss(batch).values()), arrays["out_loss2"])
    check_stage(method, arrays, "out_s3_", close)


def test_every_step_has_the_published_codes_teachers(tiny_towers, make_batch):
    """Moving after the step gives targets by the same teachers as moving inside forward, from the first step on."""
    torch.manual_seed(0)
    method = SLAVC(**tiny_towers, dim=8, momentum_image=0.7, momentum_audio=0.5).train()
    batch = make_batch(size=6, image=(5, 5), audio=(6, 1))
    optimiser = torch.optim.SGD(method.online.parameters(), lr=0.5)
    published = {name: value.clone() for name, value in method.teacher.named_parameters()}
    for _ in range(4):
        with torch.no_grad():  # the published forward: first the move, with the weights before the step
            for name, value in method.online.named_parameters():
                momentum = 0.7 if name.startswith("image") else 0.5
                published[name] = momentum * published[name] + (1 - momentum) * value
        for name, value in method.teacher.named_parameters():
            torch.testing.assert_close(value, published[name])
        optimiser.zero_grad()
        sum(method.loss(batch).values()).backward()
        optimiser.step()
        method.after_step()
    moved = any(not torch.equal(value, published[name]) for name, value in method.teacher.named_parameters())
    assert moved, "after the last step the teachers are one move further along"


def test_momentum_0_makes_the_teachers_the_online_towers(tiny_towers):
    method = SLAVC(**tiny_towers, momentum_image=0.0, momentum_audio=0.0)
    with torch.no_grad():
        for value in method.online.parameters():
            value.add_(1.0)
    method.after_step()
    for online, teacher in zip(method.online.parameters(), method.teacher.parameters(), strict=True):
        torch.testing.assert_close(online, teacher)


def test_localizing_moves_nothing(tiny_towers, make_batch):
    method = SLAVC(**tiny_towers).eval()
    before = {name: value.clone() for name, value in method.state_dict().items()}
    method.localize(make_batch(image=(5, 5), audio=(6, 1)))
    assert all(torch.equal(before[name], value) for name, value in method.state_dict().items())


def test_teachers_have_statistics_and_dropout_of_their_own(tiny_towers, make_batch):
    torch.manual_seed(0)
    method = SLAVC(**tiny_towers, dropout_image=0.5).train()
    batch = make_batch(image=(5, 5), audio=(6, 1))
    one, two = method.online(given(batch)), method.teacher(given(batch))
    assert not torch.allclose(one["loc"].cells, two["loc"].cells)
    assert not torch.equal(method.teacher.image.net[1].running_mean, torch.zeros(16))
    assert all(not parameter.requires_grad for parameter in method.teacher.parameters())


def test_inference_shows_one_subspace_or_both(tiny_towers, make_batch):
    maps = {}
    for inference in ("avc", "avloc", "both"):
        torch.manual_seed(0)
        method = SLAVC(**tiny_towers, inference=inference).eval()
        maps[inference] = method.localize(make_batch(image=(5, 5), audio=(6, 1)))
    assert not torch.allclose(maps["avc"], maps["avloc"])
    torch.testing.assert_close(maps["both"], (maps["avc"] + maps["avloc"]) / 2)


def test_maps_come_from_the_teachers_or_the_online_towers(tiny_towers, make_batch):
    batch = make_batch(image=(5, 5), audio=(6, 1))
    maps = {}
    for infer_with in ("teacher", "online"):
        torch.manual_seed(0)
        method = SLAVC(**tiny_towers, infer_with=infer_with).eval()
        torch.nn.init.normal_(method.online.image_heads["loc"].weight)
        maps[infer_with] = method.localize(batch)
    assert not torch.allclose(maps["teacher"], maps["online"])


def test_without_decomposition_it_is_ez_vsl_towards_teachers(tiny_towers, make_batch):
    method = SLAVC(**tiny_towers, decomposition=False, inference="avloc", dropout_image=0.0).eval()
    assert not [name for name in method.state_dict() if "avc" in name]
    batch = make_batch(image=(5, 5), audio=(6, 1))
    space = method.online(given(batch))["loc"]
    logits = torch.einsum("ncxy,mc->nmxy", space.cells, space.sounds).flatten(2).max(dim=2).values / 0.03
    targets = torch.arange(4)
    expected = torch.nn.functional.cross_entropy(logits, targets) + torch.nn.functional.cross_entropy(logits.T, targets)
    torch.testing.assert_close(sum(method.loss(batch).values()), expected)
    with pytest.raises(UserError, match="inference='avloc'"):
        SLAVC(**tiny_towers, decomposition=False)


def test_published_layout_has_the_published_number_of_weights():
    method = SLAVC()
    assert len(method.state_dict()) == 496
    assert sum(parameter.numel() for parameter in method.parameters()) == 46_794_752


@pytest.mark.parametrize(
    ("options", "message"),
    [({"variant": "papr"}, "did you mean 'paper'"), ({"inference": "avlo"}, "did you mean 'avloc'")],
)
def test_wrong_options_say_what_is_known(tiny_towers, options, message):
    with pytest.raises(UserError, match=message):
        SLAVC(**tiny_towers, **options)


@pytest.mark.parametrize("pool", [slavc._log_sum, slavc._max])
def test_joint_probabilities_a_few_pictures_at_a_time_are_the_same_and_keep_little(pool):
    def spaces(seed):
        made = torch.Generator().manual_seed(seed)
        return {
            name: slavc.Space(
                torch.randn(8, 5, 4, 4, generator=made).requires_grad_(),
                torch.randn(90, 5, generator=made).requires_grad_(),
            )
            for name in ("avc", "loc")
        }

    one_tensor = 8 * 90 * 16
    results, kept = [], []
    for chunk in (2**20, slavc.JOINT_COPIES * one_tensor // 4):
        image, audio = spaces(1), spaces(2)
        sizes = {}

        def pack(tensor, sizes=sizes):
            sizes[tensor.untyped_storage().data_ptr()] = tensor
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            found = slavc.joint_log_probability(image, audio, 0.1, pool, chunk_elements=chunk)
        kept.append(sum(tensor.untyped_storage().nbytes() // 4 for tensor in sizes.values()))
        found.diagonal().sum().backward()
        gradients = [image[name].cells.grad for name in image] + [audio[name].sounds.grad for name in audio]
        results.append([found, *gradients])
    torch.testing.assert_close(results[0], results[1], rtol=1e-5, atol=1e-5)
    assert kept[0] > 2 * one_tensor
    assert kept[1] < one_tensor / 4
