"""SSPL against numbers of the published code, and what its options do."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from soundspot import ops
from soundspot.methods.sspl import CROPS, SSPL, SimSiam, attend
from soundspot.nets.predictive_coding import PredictiveCoding
from soundspot.types import NUM_DRAWS, UserError

SMALL = {"image_backbone": "resnet10t", "audio_backbone": "resnet10t", "hidden": 32, "bottleneck": 8}
PROJECTOR = {"layer1_0": "0", "layer1_1": "1.norm", "layer2_0": "3", "layer2_1": "4.norm"}
PROJECTOR |= {"layer3_0": "6", "layer3_1": "7.norm"}
PREDICTOR = {"layer1_0": "0", "layer1_1": "1.norm", "layer2": "3"}


def ours(name):
    """The name of a published head's tensor, such as projector_layer1_0_weight, among ours."""
    part, layer, kind = re.fullmatch(
        r"(projector|predictor)_(layer\d(?:_\d)?)_(weight|bias|running_mean|running_var)", name
    ).groups()
    return f"{part}.{(PROJECTOR if part == 'projector' else PREDICTOR)[layer]}.{kind}"


def with_draws(batch):
    return replace(batch, draws=torch.rand(len(batch), NUM_DRAWS, generator=torch.Generator().manual_seed(3)))


@pytest.mark.parametrize("case", ["train", "eval"])
def test_attention_loss_and_gradients_of_the_published_code(golden, close, tiny_towers, case):
    arrays = golden(f"sspl_simsiam__{case}")
    method = SSPL(**tiny_towers, output_stride=16, predictive_coding=False)
    method.simsiam = SimSiam(16, 10, 6).train(bool(arrays["par_train"]))
    state = {ours(name[6:]): torch.tensor(value) for name, value in arrays.items() if name.startswith("par_w_")}
    found = method.simsiam.load_state_dict(state, strict=False)
    assert all(name.endswith("num_batches_tracked") for name in found.missing_keys)
    assert not found.unexpected_keys
    method.audio_head = torch.nn.Identity()
    names = ("in_img1", "in_img2", "in_aud_seg")
    first, second, segments = (torch.tensor(arrays[name], requires_grad=True) for name in names)
    sounds = method.sounds(segments)
    scores, weights, pooled = attend(first, sounds)
    close(scores, arrays["out_sim1"])
    close(weights, arrays["out_att1"])
    close(pooled, arrays["out_fav1"])
    close(attend(second, sounds)[2], arrays["out_fav2"])
    loss = method.agreement([first, second], sounds)
    close(loss, arrays["out_loss"])
    loss.backward()
    for got, name in ((first, "img1"), (second, "img2"), (segments, "aud_seg")):
        close(got.grad, arrays[f"out_grad_{name}"], atol=0, rtol=2e-3)
    after = method.simsiam.state_dict()
    for name, value in arrays.items():
        if name.startswith("out_buf_"):
            close(after[ours(name[8:])], value)


def coding_name(name):
    """The name of a published predictive-coding tensor among ours."""
    name = name.replace("__", ".")
    name = re.sub(r"^PredProcess\.(\d)\.(conv2d\.)?", r"predict.\1.", name)
    name = re.sub(r"^ErrorProcess\.3\.", "out.", name)
    name = re.sub(r"^ErrorProcess\.(\d)\.(convtrans2d\.)?", r"correct.\1.", name)
    name = re.sub(r"^b0\.", "down_rates.", re.sub(r"^a0\.", "up_rates.", name))
    for theirs, mine, levels in (("BNPred", "down_norms", 2), ("BNError", "up_norms", 3)):
        name = re.sub(rf"^{theirs}\.(\d)\.", rf"{mine}.\1.norm.", name)
        name = re.sub(rf"^{theirs}_step\.(\d+)\.", lambda found: f"{mine}.{levels + int(found[1])}.norm.", name)  # noqa: B023
    return name


def published_coding(arrays):
    coding = PredictiveCoding(visual=8, sound=5, out=6, width=8, cycles=int(arrays["par_cycles"]))
    state = {coding_name(name[6:]): torch.tensor(value) for name, value in arrays.items() if name.startswith("par_w_")}
    found = coding.load_state_dict(state, strict=False)
    assert all(name.endswith("num_batches_tracked") for name in found.missing_keys)
    assert not found.unexpected_keys
    return coding


def test_predictive_coding_of_the_published_code(golden, close):
    arrays = golden("sspl_pcm__a")
    visual, sound = (torch.tensor(arrays[name], requires_grad=True) for name in ("in_visual", "in_sound"))
    close(published_coding(arrays).eval()(visual, sound), arrays["out_eval"])
    coding = published_coding(arrays).train()
    got = coding(visual, sound)
    close(got, arrays["out_train"])
    (got * torch.tensor(arrays["in_cotangent"])).sum().backward()
    close(visual.grad, arrays["out_grad_visual"], atol=0, rtol=2e-3)
    close(sound.grad, arrays["out_grad_sound"], atol=0, rtol=2e-3)
    close(coding.down_rates[0].grad, arrays["out_grad_b0_0"], atol=0, rtol=2e-3)


def test_without_a_sound_the_picture_corrects_nothing(golden):
    """A sound equal to what the picture predicts of it at first leaves the first pass as it is without a sound."""
    coding = published_coding({**golden("sspl_pcm__a"), "par_cycles": np.int64(2)}).eval()
    coding.cycles = 0
    visual = torch.randn(2, 8, 14, 14, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        middle = torch.nn.functional.gelu(coding.down_norms[1](coding._below(2, visual)))
        bottom = torch.nn.functional.gelu(coding.down_norms[0](coding._below(1, middle)))
        predicted = torch.nn.functional.gelu(coding.predict[0](bottom)).mean(dim=(2, 3))
        silent = coding(visual, None)
        torch.testing.assert_close(coding(visual, predicted), silent)
        assert (coding(visual, predicted + 1) - silent).abs().max() > 1e-3


@pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 3), (4, 5), (16, 20)])
def test_predictive_coding_keeps_any_grid(height, width):
    coding = PredictiveCoding(visual=4, sound=3, out=2, width=5, cycles=1)
    assert coding(torch.randn(2, 4, height, width), torch.randn(2, 3)).shape == (2, 2, height, width)


def test_attention_by_hand():
    """Cosines 1, 0.6, 0 and -1 become weights 1, 0.8, 0.5 and 0; the features themselves are added, not their mean."""
    features = torch.tensor([[[[2.0, 3.0], [0.0, -1.0]], [[0.0, 4.0], [5.0, 0.0]]]])
    scores, weights, pooled = attend(features, torch.tensor([[1.0, 0.0]]))
    torch.testing.assert_close(scores, torch.tensor([[[1.0, 0.6], [0.0, -1.0]]]))
    torch.testing.assert_close(weights, torch.tensor([[[1.0, 0.8], [0.5, 0.0]]]))
    torch.testing.assert_close(pooled, torch.tensor([[2 + 2.4, 3.2 + 2.5]]))


def test_no_other_clip_takes_part_in_a_clips_loss(make_batch):
    """There are no negatives: where batch norms stand still, a batch's loss is the mean of its clips' own."""
    torch.manual_seed(0)
    method = SSPL(**SMALL).eval()
    batch = with_draws(make_batch(size=3))
    single = []
    with torch.no_grad():
        whole = method.loss(batch)["agreement"].item()
        for row in range(3):
            part = replace(
                batch,
                image=batch.image[row : row + 1],
                audio=batch.audio[row : row + 1],
                clip_ids=batch.clip_ids[row : row + 1],
                draws=batch.draws[row : row + 1],
            )
            single.append(method.loss(part)["agreement"].item())
    assert whole == pytest.approx(np.mean(single), abs=1e-6)
    assert np.ptp(single) > 1e-4


def test_segments_pass_the_sounds_tower_one_by_one(make_batch):
    torch.manual_seed(0)
    method = SSPL(**SMALL, segments=3).eval()
    batch = make_batch(size=2, audio=(65, 50))
    with torch.no_grad():
        kept = method.through_frozen(batch)["audio"]
        assert kept.shape == (2, 3, 1, 65, 16)
        torch.testing.assert_close(kept[:, 1], batch.audio[..., 16:32])
        alone = torch.stack([ops.max_pool(method.audio(kept[:, number])) for number in range(3)], dim=1)
        heard, sounds = method.hear_all(kept)
        torch.testing.assert_close(heard, ops.unit(alone.mean(dim=1)), rtol=1e-4, atol=1e-5)
        expected = ops.unit(torch.stack([method.audio_head(alone[:, number]) for number in range(3)]).mean(dim=0))
        torch.testing.assert_close(sounds, expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(UserError, match="lower segments"):
        method.localize(make_batch(size=2, audio=(65, 2)))


def test_a_pictures_embedding_does_not_know_its_sound(make_batch):
    torch.manual_seed(0)
    method = SSPL(**SMALL).eval()
    batch = make_batch(size=2)
    other = replace(batch, audio=batch.audio.flip(0))
    with torch.no_grad():
        torch.testing.assert_close(method.embed(batch)[0], method.embed(other)[0])
        assert (method.localize(batch) - method.localize(other)).abs().max() > 1e-5


def test_kept_features_hold_both_views(make_batch):
    torch.manual_seed(0)
    method = SSPL(**SMALL, trainable_audio="heads").eval()
    batch = with_draws(make_batch(size=2))
    kept = method.frozen(batch)
    assert kept.keys() == {"image", "audio", "image_view1", "image_view2"}
    assert method.frozen(replace(batch, draws=None)).keys() == {"image", "audio"}
    assert (kept["image_view1"] - kept["image_view2"]).abs().max() > 1e-3
    blind = replace(batch, image=torch.empty(2, 3, 0, 0), audio=torch.empty(2, 1, 0, 0), extra=kept, draws=None)
    with torch.no_grad():
        assert method.loss(blind)["agreement"].item() == pytest.approx(method.loss(batch)["agreement"].item(), abs=1e-6)
        torch.testing.assert_close(method.localize(blind), method.localize(batch))
    with pytest.raises(UserError, match=r"expected batch\.draws"):
        method.loss(make_batch(size=2))


def test_views_are_the_papers_crops():
    """224 of 246 pixels."""
    assert CROPS.scale[0] ** 0.5 == CROPS.scale[1] ** 0.5 == pytest.approx(224 / 246, abs=0.002)
    assert (CROPS.flip, CROPS.jitter, CROPS.grey, CROPS.blur) == (0.5, 0, 0, 0)


def test_vgg_ends_before_the_relu_of_its_last_convolution(make_batch):
    method = SSPL(image_backbone="vgg11", audio_backbone="resnet10t", predictive_coding=False).eval()
    batch = make_batch(size=1, image=(96, 64))
    with torch.no_grad():
        assert method.localize(batch).shape == (1, 6, 4)
        assert method.image(batch.image).min() < 0
    assert all(name.startswith("net.features.") for name, _ in method.image.named_parameters())
    assert not any(parameter.requires_grad for parameter in method.image.parameters())


def test_without_coding_there_are_fewer_weights_and_another_map(make_batch):
    torch.manual_seed(0)
    plain = SSPL(**SMALL, predictive_coding=False)
    assert not [name for name, _ in plain.named_parameters() if name.startswith("coding")]
    few, many = (sum(p.numel() for p in SSPL(**SMALL, cycles=cycles).coding.parameters()) for cycles in (1, 2))
    assert many - few == 2 * (512 + 512) + 2 * (512 + 512 + 512)  # two norms down and three up for every cycle


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image_backbone": "vgg11", "output_stride": 32}, "leave them out"),
        ({"image_backbone": "vgg11", "trainable": "last_block"}, "leave them out"),
        ({**SMALL, "predictive_coding": False, "dim": 8}, "expected dim=0 or 512"),
        ({**SMALL, "segments": 0}, "expected segments >= 1"),
        ({**SMALL, "cycles": -1}, "cycles >= 0"),
    ],
)
def test_wrong_options_say_what_is_known(options, message):
    with pytest.raises(UserError, match=message):
        SSPL(**options)
