"""RCGrad against numbers of the published code, and Grad-CAM at both layers."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from soundspot.media.audio import SPECTROGRAMS
from soundspot.methods import build
from soundspot.methods.rcgrad import RCGrad
from soundspot.nets.gradcam import first_norm, grad_cam, last_block
from soundspot.nets.image import ImageTower
from soundspot.train.recipe import DataSpec
from soundspot.types import Batch, UserError

SMALL = {"image_backbone": "resnet10t", "audio_backbone": "resnet10t"}


def test_loss_and_gradients_of_the_published_code(golden, close, tiny_towers):
    arrays = golden("rcgrad_infonce__a")
    method = RCGrad(**tiny_towers)
    method.log_scale.data.fill_(float(arrays["par_log_scale"]))
    cells, sounds = (torch.tensor(arrays[name], requires_grad=True) for name in ("in_img_feat", "in_aud"))
    loss = method.contrast(*method.vectors(cells, sounds))
    loss.backward()
    close(loss, arrays["out_loss"])
    close(cells.grad, arrays["out_grad_img"], atol=0, rtol=2e-3)
    close(sounds.grad, arrays["out_grad_aud"], atol=0, rtol=2e-3)
    close(method.log_scale.grad, arrays["out_grad_log_scale"], atol=0, rtol=2e-3)


def test_map_of_the_published_code(golden, close, tiny_towers):
    arrays = golden("rcgrad_cam__a")
    scores = RCGrad(**tiny_towers).scores(torch.tensor(arrays["in_act"]), torch.tensor(arrays["in_aud"]))

    def scaled(maps):
        maps = maps - maps.amin(dim=(1, 2), keepdim=True)
        return maps / (1e-7 + maps.amax(dim=(1, 2), keepdim=True))

    shown = scaled(F.interpolate(scaled(scores)[:, None], size=(224, 224), mode="bilinear")[:, 0])
    at = torch.tensor(arrays["par_probe_rows_cols"])
    close(shown[:, at][:, :, at], arrays["out_cam"], atol=1e-5, rtol=0)
    close(shown.mean(dim=(1, 2)), arrays["out_cam_mean"], atol=1e-5, rtol=0)


def test_the_code_variant_is_grad_cam_of_the_last_blocks_output(make_batch):
    """The product that needs no gradients, against the gradients; once with heads, which must not add a bias."""
    torch.manual_seed(0)
    for options in ({}, {"dim": 24}):
        method = RCGrad(**SMALL, **options).eval()
        batch = make_batch(size=2, image=(64, 96))
        with torch.no_grad():
            sounds = method.encode(batch)[1]
            cam = grad_cam(
                method.image,
                last_block(method.image.net),
                batch.image,
                lambda maps, to=sounds, head=method.image_head: (head(maps).mean(dim=(2, 3)) * to).sum(),
            )
            assert cam.max() > 0
            torch.testing.assert_close(cam, method.localize(batch), rtol=1e-4, atol=1e-5 * float(cam.max()))


def test_the_papers_variant_is_grad_cam_by_the_formula_at_the_first_norm_layer(make_batch):
    torch.manual_seed(0)
    method = RCGrad(**SMALL, variant="paper").eval()
    batch = make_batch(size=2)
    net = method.image.net
    layer = net.layer4[-1].bn1
    assert first_norm(method.image, "resnet10t") is layer
    kept = []
    hook = layer.register_forward_hook(lambda module, args, output: (kept.append(output), output.clone())[1])
    vector = net.forward_features(batch.image).mean(dim=(2, 3))
    hook.remove()
    (gradient,) = torch.autograd.grad(vector, kept[0], method.encode(batch)[1])
    expected = torch.einsum("bc,bchw->bhw", gradient.mean(dim=(2, 3)), kept[0]).relu()
    with torch.no_grad():
        scores = method.localize(batch)
    assert scores.max() > 0
    assert not scores.requires_grad
    torch.testing.assert_close(scores, expected.detach(), rtol=1e-4, atol=1e-5 * float(scores.max()))


@pytest.mark.parametrize("trainable", ["all", "heads"])
def test_the_papers_variant_leaves_no_gradients_behind(trainable, make_batch):
    method = RCGrad(**SMALL, variant="paper", trainable=trainable).eval()
    before = {name: value.clone() for name, value in method.state_dict().items()}
    batch = make_batch(size=1)
    with torch.no_grad():
        first = method.localize(batch)
        torch.testing.assert_close(first, method.localize(batch), rtol=0, atol=0)
    assert first.shape == (1, 4, 4)
    assert all(parameter.grad is None for parameter in method.parameters())
    assert all(torch.equal(before[name], value) for name, value in method.state_dict().items())
    sum(method.train()(make_batch()).values()).backward()  # and training still reaches what learns
    learning = [value for name, value in method.named_parameters() if value.requires_grad]
    assert all(value.grad is not None for value in learning)


@pytest.mark.parametrize(
    ("backbone", "place"),
    [
        ("resnet18", "layer4.1.bn1"),
        ("resnet50", "layer4.2.bn1"),
        ("regnetx_002", "s4.b7.conv1.bn"),
        ("tf_efficientnet_lite0", "blocks.6.0.bn1"),
        ("convnext_atto", "stages.3.blocks.1.norm"),
    ],
)
def test_the_layer_is_found_in_other_families(backbone, place):
    tower = ImageTower(backbone)
    assert first_norm(tower, backbone) is tower.net.get_submodule(place)


@pytest.mark.parametrize(
    ("backbone", "got"),
    [("vit_tiny_patch16_224", "LayerNorm, which"), ("densenet121", "none;"), ("vgg11", "none;")],
)
def test_a_backbone_without_such_a_layer_is_refused_when_built(backbone, got):
    options = {"image_backbone": backbone, "audio_backbone": "resnet10t", "output_stride": 32, "dim": 8}
    assert RCGrad(**options).through_norm is False
    with pytest.raises(UserError, match=rf"{backbone}: expected a norm layer .* got {got}.*choose a ResNet"):
        RCGrad(**options, variant="paper")


def test_a_sound_that_nothing_agrees_with_gives_a_map_of_zeros(tiny_towers):
    scores = RCGrad(**tiny_towers).scores(torch.rand(2, 4, 3, 3), -torch.rand(2, 4))
    assert torch.equal(scores, torch.zeros(2, 3, 3))


def test_the_scale_starts_at_one_over_the_temperature():
    assert RCGrad(**SMALL).log_scale.exp().item() == pytest.approx(1 / 0.07)
    assert RCGrad(**SMALL, temperature=0.5).log_scale.exp().item() == pytest.approx(2)


def test_a_clip_is_heard_alone_unless_the_batch_is_standardised_as_published(make_batch):
    torch.manual_seed(0)
    batch = make_batch(size=3)
    batch.audio[1:] *= 5  # what a batch mate sounds like
    alone = Batch(batch.image[:1], batch.audio[:1], batch.clip_ids[:1])
    for standardise, same in (("clip", True), ("batch", False), ("off", True)):
        torch.manual_seed(0)
        method = RCGrad(**SMALL, standardise=standardise).eval()
        with torch.no_grad():
            together, by_itself = method.embed(batch)[1][:1], method.embed(alone)[1]
        assert torch.allclose(together, by_itself, atol=1e-4) == same


def test_loudness_of_the_spectrogram_is_standardised_away_and_silence_is_no_nan(make_batch):
    torch.manual_seed(0)
    method = RCGrad(**SMALL).eval()
    batch = make_batch(size=2)
    with torch.no_grad():
        expected = method.embed(batch)[1]
        batch.audio.mul_(3).add_(7)
        torch.testing.assert_close(method.embed(batch)[1], expected, rtol=1e-3, atol=1e-4)
        batch.audio.fill_(-16.118)
        silent = method.localize(batch)
        assert silent.isfinite().all()
        batch.audio.zero_()
        torch.testing.assert_close(method.localize(batch), silent, rtol=1e-2, atol=1e-4)


def test_kept_features_give_the_same_and_are_not_standardised_twice(make_batch):
    torch.manual_seed(0)
    method = RCGrad(**SMALL, trainable="last_block", trainable_audio="last_block").eval()
    batch = make_batch(size=3)
    kept = make_batch(size=3)
    kept.extra = method.frozen(batch)
    kept.image, kept.audio = torch.empty(3, 3, 0, 0), torch.empty(3, 1, 0, 0)
    with torch.no_grad():
        torch.testing.assert_close(method.loss(kept), method.loss(batch), rtol=0, atol=0)
        torch.testing.assert_close(method.localize(kept), method.localize(batch), rtol=0, atol=0)
    whole = RCGrad(**SMALL, trainable="last_block", trainable_audio="last_block", standardise="batch")
    assert whole.frozen(batch) == {}


def test_mixed_precision_keeps_maps_and_loss_in_single(make_batch):
    torch.manual_seed(0)
    for variant in ("code", "paper"):
        method = RCGrad(**SMALL, variant=variant).eval()
        batch = make_batch(size=2)
        with torch.no_grad():
            exact = method.localize(batch)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                rough, loss = method.localize(batch), method.loss(batch)["nce"]
        assert rough.dtype == loss.dtype == torch.float32
        torch.testing.assert_close(rough, exact, rtol=0.1, atol=0.1 * float(exact.max()))


def test_the_spectrogram_is_torchaudios():
    """Centred Hann frames of 512 every 353 samples, ends reflected: 5 s at 16 kHz give 227 of them."""
    samples = np.random.default_rng(0).normal(size=80000).astype(np.float32) * 0.1
    found = SPECTROGRAMS["stft_hop353"](torch.from_numpy(samples)[None], 16000)
    assert found.shape == (1, 1, 257, 227)
    padded = np.pad(samples.astype(np.float64), 256, mode="reflect")
    window = np.hanning(513)[:-1]
    for frame in (0, 100, 226):
        spectrum = np.fft.rfft(padded[frame * 353 : frame * 353 + 512] * window)
        expected = np.log(np.abs(spectrum) ** 2 + 1e-7)
        np.testing.assert_allclose(found[0, 0, :, frame].numpy(), expected, atol=1e-3)
    stft = torch.stft(
        torch.from_numpy(samples), 512, 353, window=torch.hann_window(512), center=True, return_complex=True
    )
    torch.testing.assert_close(found[0, 0], (stft.abs() ** 2 + 1e-7).log(), rtol=0, atol=2e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"variant": "papers"}, "unknown variant 'papers'.*did you mean 'paper'"),
        ({"standardise": "clips"}, "unknown standardise 'clips'.*did you mean 'clip'"),
        ({"temperature": 0.0}, "expected temperature above 0, got 0.0"),
        ({"image_backbone": "tf_efficientnet_lite0"}, "expected towers of equal width, got 1280 and 512.*set dim"),
    ],
)
def test_wrong_options_say_what_was_expected(options, message):
    with pytest.raises(UserError, match=message):
        build("rcgrad", **{**SMALL, **options})


def test_the_recipe_is_the_papers():
    from soundspot.recipes import recipe

    built = recipe("rcgrad_vggsound_full")
    assert (built.optimizer, built.learning_rate, built.batch_size, built.epochs) == ("adam", 1e-3, 256, 100)
    assert (built.train_frame, built.train_sound) == ("random", "aligned")
    assert built.data == DataSpec("vggsound", ids="vggsound.csv", test_ids=("vggss.json",))
    defaults = {name: each.default for name, each in inspect.signature(RCGrad).parameters.items()}
    assert (defaults["seconds"], defaults["sample_rate"], defaults["image_norm"]) == (5.0, 16000, "clip")
    pasted = build("rcgrad", **{**recipe("rcgrad_paste").options, "init_image": "", "init_audio": ""})
    assert pasted.whole_batch is None, "YAMNet's input must stay as it was trained on"
