"""SSL-TIE against numbers of the published code, and what its options do."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from soundspot import ops
from soundspot.media.audio import SPECTROGRAMS
from soundspot.methods.ssl_tie import MIX_AT, MOTION_AT, SSLTIE, Motion
from soundspot.types import NUM_DRAWS, UserError

SMALL = {"image_backbone": "resnet10t", "audio_backbone": "resnet10t"}


def drawn(batch, **columns):
    draws = torch.rand(len(batch), NUM_DRAWS, generator=torch.Generator().manual_seed(3))
    for column, value in columns.items():
        draws[:, {"angle": MOTION_AT, "scale": MOTION_AT + 1, "mirror": MOTION_AT + 2, "mix": MIX_AT}[column]] = value
    return replace(batch, draws=draws)


@pytest.mark.parametrize("case", ["a", "b"])
def test_step_of_the_published_code(golden, close, tiny_towers, case):
    arrays = golden(f"tie_step__{case}")
    method = SSLTIE(**tiny_towers, equivariance=float(arrays["par_lambda"]), diagonal_quirk=True)
    names = ("in_img_feat", "in_img_feat_t", "in_aud_featmap")
    image, moved_image, audio = (torch.tensor(arrays[name], requires_grad=True) for name in names)
    canvas = (int(arrays["par_canvas"]),) * 2
    degrees = torch.tensor(arrays["par_angle_deg"]).float()
    mirror = torch.full_like(degrees, bool(arrays["par_hflip"]), dtype=torch.bool)
    motion = Motion(degrees, float(arrays["par_scale"]), mirror)
    close(motion.matrices(*canvas), arrays["out_warp_matrix"])
    cells, moved, sounds = ops.unit(image), ops.unit(moved_image), ops.unit(ops.max_pool(audio))
    still = ops.own_similarity(cells, sounds)
    close(still, arrays["out_map"])
    close(ops.own_similarity(moved, sounds), arrays["out_map_t"])
    close(motion.apply(still[:, None], canvas, motion.size(14, 14))[:, 0], arrays["out_warped_map"])
    terms = method.terms(cells, moved, sounds, motion, canvas)
    close(2 * terms["nce"], arrays["out_loss_cl"])
    close(2 * terms["nce_moved"], arrays["out_loss_cl_t"])
    close(terms["equivariance"], arrays["out_loss_equiv"])
    loss = sum(terms.values())
    close(loss, arrays["out_loss"])
    loss.backward()
    for got, name in ((image, "img"), (moved_image, "img_t"), (audio, "aud")):
        close(got.grad, arrays[f"out_grad_{name}"], atol=0, rtol=2e-3)


def test_a_quarter_turn_is_counter_clockwise():
    picture = torch.zeros(1, 1, 9, 9)
    picture[0, 0, 4, 7] = 1.0  # right of the centre
    turned = Motion(torch.tensor([90.0]), 1.0, torch.tensor([False])).apply(picture, (9, 9), (9, 9))
    # about (4.5, 4.5) on a grid whose middle is 4: (x, y) -> (y, 9 - x)
    assert turned[0, 0].argmax().item() == 2 * 9 + 4
    assert turned.sum().item() == pytest.approx(1.0, abs=1e-5)
    mirrored = Motion(torch.tensor([0.0]), 1.0, torch.tensor([True])).apply(picture, (9, 9), (9, 9))
    torch.testing.assert_close(mirrored, picture.flip(-1))


def test_angles_are_each_clips_own_and_scale_and_mirror_the_first_ones():
    draws = torch.tensor([[0.0, 0.2, 0.9], [0.999, 0.9, 0.1], [0.5, 0.9, 0.1]])
    motion = Motion.drawn(draws, 30)
    assert motion.degrees.tolist() == [-30.0, 30.0, 0.0]
    assert (motion.scale, motion.mirror.tolist()) == (0.5, [False] * 3)
    motion = Motion.drawn(draws[1:], 0)
    assert motion.degrees.tolist() == [0.0, 0.0]
    assert (motion.scale, motion.mirror.tolist()) == (1.0, [True] * 2)


def test_every_process_moves_its_share_as_the_first_processs_first_clip_says(monkeypatch):
    first = torch.tensor([[0.3, 0.1, 0.1]])
    monkeypatch.setattr(ops, "gather", lambda rows: torch.cat([first, rows]))
    motion = Motion.drawn(torch.tensor([[0.0, 0.9, 0.9]]), 30)
    assert (motion.scale, motion.mirror.tolist()) == (0.5, [True])
    assert motion.degrees.tolist() == [-30.0]


def test_a_map_that_follows_the_picture_costs_nothing(tiny_towers):
    """A map made of the moved picture's own warped map has no equivariance loss, one that stands still has."""
    method = SSLTIE(**tiny_towers)
    motion = Motion(torch.tensor([20.0, -10.0]), 1.0, torch.tensor([True, True]))
    cells = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    sounds = torch.ones(2, 1)
    followed = motion.apply(cells, (64, 64), (8, 8))
    assert method.terms(cells, followed, sounds, motion, (64, 64))["equivariance"].item() < 1e-10
    assert method.terms(cells, cells, sounds, motion, (64, 64))["equivariance"].item() > 1e-3


def test_without_changes_the_loss_is_lvs_twice(make_batch):
    torch.manual_seed(0)
    plain = {"photo": "none", "time_mask": 0, "frequency_mask": 0, "max_angle": 0}
    method = SSLTIE(**SMALL, **plain).eval()
    batch = drawn(make_batch(), scale=0.9, mirror=0.9)
    with torch.no_grad():
        terms = method.loss(batch)
        cells, sounds = method.encode(batch)
        once = F.cross_entropy(method.logits(cells, sounds), torch.zeros(4, dtype=torch.long))
    assert terms["nce"].item() == pytest.approx(0.5 * once.item(), rel=1e-5)
    assert terms["nce_moved"].item() == pytest.approx(0.5 * once.item(), rel=1e-3)
    # turned by nothing, a map still loses what enlarging it and shrinking it again smooths away
    assert terms["equivariance"].item() < 1e-4


def test_views_are_changed_only_where_the_options_say(make_batch):
    torch.manual_seed(0)
    batch = drawn(make_batch())
    losses = {}
    for name, options in {
        "plain": {"photo": "none", "time_mask": 0, "frequency_mask": 0},
        "photo": {"time_mask": 0, "frequency_mask": 0},
        "mask": {"photo": "none"},
    }.items():
        torch.manual_seed(0)
        with torch.no_grad():
            losses[name] = SSLTIE(**SMALL, **options).eval().loss(batch)["nce"].item()
    assert len({round(value, 6) for value in losses.values()}) == 3


def test_masks_are_silence(tiny_towers, make_batch):
    method = SSLTIE(**tiny_towers, time_mask=10_000, frequency_mask=0)
    draws = torch.tensor([[0.1, 0.0, 0.0, 0.9999, 0.0], [0.9, 0.0, 0.0, 0.9999, 0.0]])
    masked = method.masked(torch.ones(2, 1, 5, 8), draws)
    assert masked[0].unique().tolist() == pytest.approx([-100.0])  # dB
    assert masked[1].unique().tolist() == [1.0]


def mixing(tiny_towers, **options):
    method = SSLTIE(**tiny_towers, audmix=True, **options)
    method.before_epoch(10)
    return method


def test_the_share_of_a_mixed_in_sound_grows(tiny_towers):
    method = SSLTIE(**tiny_towers, audmix=True, mix_epochs=40)
    shares = []
    for epoch in (0, 1, 10, 40, 90):
        method.before_epoch(epoch)
        shares.append(method.mix_share)
    assert shares == pytest.approx([0.0, 0.01, 0.1, 0.4, 0.4])
    without = SSLTIE(**tiny_towers)
    without.before_epoch(40)
    assert without.mix_share == 0.0


def test_powers_add_up_and_only_of_those_drawn(tiny_towers, monkeypatch):
    method = mixing(tiny_towers)
    monkeypatch.setattr(method, "_most_similar", lambda audio: torch.tensor([1, 0]))
    powers = torch.tensor([2.0, 50.0])
    audio = (10 * powers.log10()).reshape(2, 1, 1, 1).expand(2, 1, 6, 1)
    got = 10 ** (method.mixed(audio, torch.tensor([0.19, 0.21])) / 10)  # probability 0.1 + 0.01 * 10
    assert got[0].unique().tolist() == pytest.approx([0.9**2 * 2 + 0.1**2 * 50], rel=1e-4)
    assert got[1].unique().tolist() == pytest.approx([50.0], rel=1e-4)


@pytest.mark.parametrize(("name", "apart"), [("psd_hop238", 0.05), ("mel257_db", 1.0), ("yamnet", 0.5)])
def test_mixing_powers_is_mixing_waveforms_that_do_not_correlate(tiny_towers, monkeypatch, name, apart):
    seconds = torch.arange(16000) / 16000
    ours, theirs = (torch.sin(2 * math.pi * pitch * seconds)[None] for pitch in (440, 3000))
    method = mixing(tiny_towers, spectrogram=name)
    monkeypatch.setattr(method, "_most_similar", lambda audio: torch.tensor([1, 0]))
    both = torch.cat([SPECTROGRAMS[name](wave, 16000) for wave in (ours, theirs)])
    expected = SPECTROGRAMS[name](0.9 * ours + 0.1 * theirs, 16000)[..., 1:-1]
    loud = expected > expected.max() - (expected.max() - expected.min()) / 2  # where neither is all but silent
    got = method.mixed(both, torch.zeros(2))[:1, ..., 1:-1]
    torch.testing.assert_close(got[loud], expected[loud], rtol=0, atol=apart)
    assert (both[:1, ..., 1:-1] - expected)[loud].abs().max() > 3 * apart


def test_the_input_is_mel_power_in_decibels():
    """By torch's own STFT and by triangles in Hz between points that lie evenly on the mel scale."""
    wave = torch.randn(1, 16000, generator=torch.Generator().manual_seed(0))
    window = torch.hann_window(512)
    stft = torch.stft(wave, 512, hop_length=239, window=window, center=True, pad_mode="reflect", return_complex=True)
    power = stft.abs().square()[0] / window.square().sum()
    mel = [2595 * math.log10(1 + 8000 / 700) * step / 258 for step in range(259)]
    points = [700 * (10 ** (value / 2595) - 1) for value in mel]
    got = SPECTROGRAMS[SSLTIE(**SMALL).inputs.spectrogram](wave, 16000)
    assert got.shape == (1, 1, 257, 1 + 16000 // 239)
    for band in (3, 100, 256):
        low, middle, high = points[band : band + 3]
        at_bins = torch.tensor(
            [
                max(0.0, min((31.25 * k - low) / (middle - low), (high - 31.25 * k) / (high - middle)))
                for k in range(257)
            ]
        )
        expected = 10 * (at_bins @ power).clamp_min(1e-10).log10()
        torch.testing.assert_close(got[0, 0, band], expected, rtol=0, atol=2e-3)


def test_the_most_similar_other_sound_is_taken_and_nothing_learned(tiny_towers):
    method = mixing(tiny_towers).train()
    audio = torch.randn(3, 1, 6, 1, generator=torch.Generator().manual_seed(1))
    audio = torch.cat([audio, audio[:1] * 1.01])
    before = {name: value.clone() for name, value in method.audio.state_dict().items()}
    nearest = method._most_similar(audio)
    assert nearest[0] == 3
    assert nearest[3] == 0
    assert all(torch.equal(value, before[name]) for name, value in method.audio.state_dict().items())
    assert method.audio.training


def test_one_clip_alone_has_nobody_to_mix_with(tiny_towers):
    audio = torch.randn(1, 1, 6, 1)
    assert mixing(tiny_towers).mixed(audio, torch.zeros(1)) is audio


def test_the_sounds_tower_does_not_stride_in_its_last_stage():
    method = SSLTIE()
    with torch.no_grad():
        assert method.eval().audio(torch.zeros(1, 1, 257, 64)).shape == (1, 512, 17, 4)
    assert sum(parameter.numel() for parameter in method.parameters()) == 23_422_928 - 1_076_176


FROZEN = {**SMALL, "trainable": "last_block", "trainable_audio": "last_block"}


@pytest.mark.parametrize("options", [{}, {"motion": "clip", "audmix": True}])
def test_nothing_is_kept_of_views_that_change(make_batch, options):
    assert SSLTIE(**FROZEN, **options).frozen(drawn(make_batch())) == {}


def test_by_clip_each_is_mirrored_for_itself_and_both_views_are_kept(make_batch):
    torch.manual_seed(0)
    method = SSLTIE(**FROZEN, motion="clip").eval()
    batch = drawn(make_batch(), scale=0.1, mirror=torch.tensor([0.1, 0.9, 0.9, 0.1]))
    method.inputs = replace(method.inputs, image_size=batch.image.shape[-1])
    with torch.no_grad():
        kept = method.frozen(batch)
        assert kept["mirror"].tolist() == [1.0, 0.0, 0.0, 1.0]
        assert kept["image_moved"].shape == kept["image_still"].shape  # none made smaller
        blank = replace(batch, image=batch.image[..., :0, :0], audio=batch.audio[..., :0], draws=None, extra=kept)
        torch.testing.assert_close(method.loss(blank), method.loss(batch))
        plain = method.frozen(replace(batch, draws=None))
    assert plain.keys() == {"image", "audio"}  # what a map is made of


def test_a_mirrored_clip_moves_no_other(make_batch):
    picture = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    motion = Motion(torch.zeros(2), 1.0, torch.tensor([True, False]))
    moved = motion.apply(picture, (8, 8), (8, 8))
    torch.testing.assert_close(moved, torch.stack([picture[0].flip(-1), picture[1]]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"photo": "moco"}, "did you mean 'moco_v2'"),
        ({"max_angle": -1}, "0 leaves each out"),
        ({"time_mask": -1}, "0 leaves each out"),
        ({"mix_epochs": 100}, r"expected mix_epochs in 0\.\.99"),
        ({"audmix": True, "spectrogram": "pcen"}, "unknown spectrogram that sounds can be mixed in 'pcen'"),
    ],
)
def test_wrong_options_say_what_is_known(tiny_towers, options, message):
    with pytest.raises(UserError, match=message):
        SSLTIE(**tiny_towers, **options)


def test_a_batch_without_draws_is_refused(make_batch):
    with pytest.raises(UserError, match=r"expected batch\.draws"):
        SSLTIE(**SMALL).loss(make_batch())
