"""Sound of Pixels: the losses by hand, and two tones that a picture tells apart."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from tiny_tower import tiny_image

from soundspot import nets, ops
from soundspot.methods.sound_of_pixels import SoundOfPixels
from soundspot.nets.separation import loudness_weights
from soundspot.types import NUM_DRAWS, Batch, UserError

RATE, SAMPLES, SIDE = 4000, 2016, 8
HERTZ = (350.0, 1400.0)
COLOURS = torch.tensor([[2.0, -1.0, -1.0], [-1.0, -1.0, 2.0]])
SMALL = {
    "image_backbone": "tiny_image", "channels": 4, "levels": 3, "width": 8, "n_fft": 126, "hop": 63, "bins": 32,
    "sample_rate": RATE, "seconds": SAMPLES / RATE, "image_size": SIDE,
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def tiny_tower():
    nets.TOWERS["tiny_image"] = tiny_image
    yield
    del nets.TOWERS["tiny_image"]


def made(images, waves, draws=None):
    size = len(images)
    names = tuple(str(number) for number in range(size))
    return Batch(images, torch.zeros(size, 1, 4, 4), names, extra={"waveform": waves}, draws=draws)


def noise(size=3, seed=0):
    draw = torch.Generator().manual_seed(seed)
    waves = 0.2 * torch.randn(size, SAMPLES, generator=draw)
    return made(torch.randn(size, 3, SIDE, SIDE, generator=draw), waves, torch.rand(size, NUM_DRAWS, generator=draw))


def clips(which, draw):
    """Pictures all of one colour, each with its tone at a phase of its own."""
    which = torch.tensor(which)
    images = COLOURS[which][:, :, None, None] + 0.3 * torch.randn(len(which), 3, SIDE, SIDE, generator=draw)
    phases = torch.rand(len(which), 1, generator=draw)
    cycles = torch.tensor(HERTZ)[which][:, None] * torch.arange(SAMPLES) / RATE
    waves = 0.4 * torch.sin(2 * math.pi * (cycles + phases))
    return made(images, waves, torch.rand(len(which), NUM_DRAWS, generator=draw))


@pytest.fixture(scope="module")
def trained(tiny_tower):
    """A method that has heard two tones mixed for a few seconds, and its losses on the way."""
    torch.manual_seed(0)
    draw = torch.Generator().manual_seed(1)
    method = SoundOfPixels(**SMALL)
    optimizer = torch.optim.Adam(method.parameters(), lr=1e-2)
    losses = []
    for step in range(100):
        loss = method.loss(clips([0, 1, 0, 1] if step % 2 else [0, 1, 1, 0], draw))["separation"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return method.eval(), losses


@pytest.fixture
def scene():
    """A picture, left of the one colour and right of the other, with both tones; and the tones, (2, N)."""
    both = clips([0, 1], torch.Generator().manual_seed(2))
    image = both.image[:1].clone()
    image[..., SIDE // 2 :] = both.image[1:, :, :, SIDE // 2 :]
    return made(image, both.extra["waveform"].sum(dim=0, keepdim=True)), both.extra["waveform"]


@pytest.fixture
def halves():
    regions = torch.zeros(1, 2, SIDE, SIDE)
    regions[0, 0, :, : SIDE // 2] = 1
    regions[0, 1, :, SIDE // 2 :] = 1
    return regions


def decibels(estimate, truth):
    """Signal over distortion, of (..., N)."""
    return 10 * torch.log10(truth.square().sum(dim=-1) / (estimate - truth).square().sum(dim=-1))


def test_the_published_sizes():
    method = SoundOfPixels(image_backbone="resnet10t", width=1)
    num_samples = round(method.inputs.seconds * 11025)
    assert (method.inputs.sample_rate, method.inputs.waveform) == (11025, True)
    assert method.stft.spectrum(torch.zeros(num_samples)).shape == (512, 256)
    assert method.stft.warp(torch.zeros(512, 256)).shape == (256, 256)


# The loss


def blank(**options):
    """A method whose masks are one half everywhere."""
    method = SoundOfPixels(**{**SMALL, **options})
    with torch.no_grad():
        method.scale.zero_()
    return method.eval()


def mixture_of(batch, count, mean):
    waves = batch.extra["waveform"]
    return sum(waves.roll(-number, 0) for number in range(count)) / (count if mean else 1)


def test_the_papers_loss_of_masks_that_know_nothing_is_log_2():
    for mask, expected in (("binary", math.log(2)), ("ratio", None)):
        method, batch = blank(variant="paper", mask=mask, num_mix=3), noise()
        loss = method.loss(batch)["separation"].item()
        if expected is None:
            spectra = method.stft.spectrum(batch.extra["waveform"]).abs()
            whole = method.stft.spectrum(mixture_of(batch, 3, mean=False)).abs()
            shares = (method.stft.warp(spectra)[:, None] / method.stft.warp(whole)[None]).clamp_max(5)
            expected = (0.5 - shares).abs().mean().item()
        assert loss == pytest.approx(expected, rel=1e-4)


def test_the_codes_loss_weighs_by_the_logarithm_of_the_mean_sound():
    method, batch = blank(), replace(noise(), draws=None)
    mixture = method.stft.warp(method.stft.spectrum(mixture_of(batch, 2, mean=True)).abs())
    expected = (mixture.log1p().clamp(1e-3, 10) * math.log(2)).mean()
    torch.testing.assert_close(method.loss(batch)["separation"], expected)
    plain = blank(weighting="none").loss(batch)["separation"].item()
    assert plain == pytest.approx(math.log(2), rel=1e-5)


@pytest.mark.parametrize(
    ("loudness", "wrong"),
    [
        ((1.0, 1.0), {"paper": 0, "code": 2}),  # both are as loud as the loudest; neither has over half
        ((1.0, -0.9), {"paper": 1, "code": 0}),  # one is the louder; both have over half of the little that is left
        ((1.0, 0.0), {"paper": 1, "code": 1}),
    ],
)
def test_two_variants_ask_for_different_masks(loudness, wrong):
    """Of two sounds alike but in loudness, of whose masks the method says that they are 1 everywhere."""
    one = noise(size=1)
    waves = one.extra["waveform"] * torch.tensor(loudness)[:, None]
    for variant, count in wrong.items():
        method = blank(variant=variant, weighting="none")
        with torch.no_grad():
            method.bias.fill_(20.0)
        loss = method.loss(made(one.image.repeat(2, 1, 1, 1), waves))["separation"].item()
        assert loss == pytest.approx(20 * count / 2, abs=0.1)


def test_one_clip_alone_is_its_own_mixture():
    method = blank(weighting="none")
    with torch.no_grad():
        method.bias.fill_(20.0)
    assert method.loss(noise(size=1))["separation"].item() == pytest.approx(0, abs=1e-4)


def test_loudness_follows_the_clips_numbers_in_the_codes_variant_alone():
    batch = noise()
    numbers = torch.zeros_like(batch.draws)
    numbers[:, 0] = 0.5  # as loud as they are
    for variant, moved in (("code", True), ("paper", False)):
        method = blank(variant=variant, weighting="log_magnitude")
        assert ("draws" in method.needs) == moved
        drawn, still, none = (
            method.loss(replace(batch, draws=draws))["separation"].item() for draws in (batch.draws, numbers, None)
        )
        assert still == none
        assert (abs(drawn - still) > 1e-5) == moved


@pytest.mark.parametrize(("variant", "slow"), [("code", {"image"}), ("paper", {"image", "image_head"})])
def test_the_picture_learns_at_its_own_rate(variant, slow):
    found = []
    for rate in (1.0, 0.1):
        torch.manual_seed(0)
        method = SoundOfPixels(**SMALL, variant=variant, image_rate=rate).eval()
        method.loss(noise())["separation"].backward()
        found.append({name: value.grad for name, value in method.named_parameters()})
    for name, gradient in found[0].items():
        factor = 0.1 if name.split(".")[0] in slow else 1.0
        torch.testing.assert_close(found[1][name], factor * gradient, rtol=1e-4, atol=1e-9)


def test_variants_have_their_numbers_and_options_overrule_them():
    small = {**SMALL, "channels": 0}
    code, paper = SoundOfPixels(**small), SoundOfPixels(**small, variant="paper")
    assert (code.scale.numel(), code.weighted, code.hard) == (32, True, True)
    assert (paper.scale.numel(), paper.weighted, paper.hard) == (16, False, False)
    other = SoundOfPixels(**small, variant="paper", weighting="log_magnitude", listening="hard")
    assert (other.weighted, other.hard) == (True, True)
    assert not SoundOfPixels(**small, mask="ratio").hard, "shares are not cut at one half"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"variant": "papers"}, "did you mean 'paper'"),
        ({"mask": "binray"}, "did you mean 'binary'"),
        ({"weighting": "log"}, "unknown weighting 'log'"),
        ({"listening": "softly"}, "did you mean 'soft'"),
        ({"region": "men"}, "did you mean 'mean'"),
        ({"num_mix": 1}, "expected num_mix of 2 or more"),
        ({"sample_rate": 0}, "sample_rate of 1 or more"),
        ({"levels": 6}, r"expected 2 \*\* levels of at most bins=32, got levels=6"),
        ({"levels": 0}, "levels and width of 1 or more, got 4, 0 and 8"),
        ({"n_fft": 127}, "expected an even n_fft"),
        ({"hop": 64}, "a hop of 1 to n_fft / 2"),
        ({"image_rate": 0.0}, "image_rate above 0"),
    ],
)
def test_wrong_options_say_what_is_known(options, message):
    with pytest.raises(UserError, match=message):
        SoundOfPixels(**{**SMALL, **options})


def test_a_batch_without_its_sound_says_so(make_batch):
    with pytest.raises(UserError, match=r'expected batch\.extra\["waveform"\]'):
        SoundOfPixels(**SMALL).localize(make_batch(image=(SIDE, SIDE)))


# What it hears


def test_the_loss_falls(trained):
    _, losses = trained
    assert sum(losses[-10:]) < 0.3 * sum(losses[:10])


def test_each_half_of_the_picture_gives_its_own_tone(trained, scene, halves):
    method, (batch, sources) = trained[0], scene
    with torch.no_grad():
        heard_there = method.separate(batch, halves)[0]
    assert heard_there.shape == (2, SAMPLES)
    gained = decibels(heard_there, sources) - decibels(batch.extra["waveform"], sources)
    assert gained.min() > 10, "decibels over the mixture"
    swapped = decibels(heard_there.flip(0), sources)
    assert swapped.max() < 0, "and not the other's"
    power = torch.fft.rfft(heard_there).abs().square()
    hertz = torch.fft.rfftfreq(SAMPLES, 1 / RATE)
    for number, own in enumerate(HERTZ):
        near = (hertz - own).abs() < 100
        assert power[number, near].sum() > 0.9 * power[number].sum()


def test_pixels_take_the_share_that_their_tone_has(trained, scene):
    method, (batch, sources) = trained[0], scene
    lowered = sources * torch.tensor([[1.0], [0.5]])
    uneven = made(batch.image, lowered.sum(dim=0, keepdim=True))
    with torch.no_grad():
        whole, other = method.localize(batch)[0], method.localize(uneven)[0]
    left, right = (part.median() for part in other.split(SIDE // 2, dim=1))
    assert whole.shape == (SIDE, SIDE)
    assert whole.median() == pytest.approx(0.5, abs=0.1)
    assert left == pytest.approx(0.8, abs=0.1), "1 of 1 + 1/4"
    assert right == pytest.approx(0.2, abs=0.1)


def test_maps_are_the_energy_of_what_each_pixel_separates():
    torch.manual_seed(0)
    method, batch = SoundOfPixels(**SMALL, listening="soft").eval(), noise()
    with torch.no_grad():
        shares = method.localize(batch)
        sounds = method.separate(batch)
        vectors = method.seen(batch).flatten(2).transpose(1, 2)
        spectrum = method.stft.spectrum(batch.extra["waveform"])
        channels = method.channels(method.stft.warp(spectrum.abs()))
        masks = method.stft.unwarp(method.masks(vectors, channels).sigmoid())
    assert shares.shape == (3, SIDE, SIDE)
    assert sounds.shape == (3, SIDE * SIDE, SAMPLES)
    power = spectrum.abs().square()[:, None]
    expected = (masks.square() * power).sum(dim=(2, 3)) / power.sum(dim=(2, 3))
    torch.testing.assert_close(shares.flatten(1), expected)
    in_time = sounds.square().sum(dim=2) / batch.extra["waveform"].square().sum(dim=1, keepdim=True)
    torch.testing.assert_close(in_time, expected, rtol=0.1, atol=0.02)  # overlapping frames are not quite independent
    assert 0 <= shares.min() <= shares.max() <= 1


def test_a_few_pixels_at_a_time_are_all_pixels(monkeypatch):
    torch.manual_seed(0)
    method, batch = SoundOfPixels(**SMALL).eval(), noise()
    with torch.no_grad():
        whole = method.localize(batch), method.separate(batch)
        monkeypatch.setattr("soundspot.methods.sound_of_pixels.CHUNK_ELEMENTS", 1)
        for part, expected in zip((method.localize(batch), method.separate(batch)), whole, strict=True):
            torch.testing.assert_close(part, expected)


@pytest.mark.parametrize(("bias", "share"), [(30.0, 1.0), (-30.0, 0.0)])
def test_masks_of_ones_take_all_and_of_zeros_nothing(bias, share, halves):
    method, batch = blank(), noise(size=1)
    with torch.no_grad():
        method.bias.fill_(bias)
        torch.testing.assert_close(method.localize(batch), torch.full((1, SIDE, SIDE), share))
        sounds = method.separate(batch, halves)[0]
    torch.testing.assert_close(sounds, share * batch.extra["waveform"].expand(2, -1), rtol=0, atol=1e-4)


def test_silence_has_no_energy_anywhere_and_stays_silence(halves):
    torch.manual_seed(0)
    method = SoundOfPixels(**SMALL)
    silent = made(noise(size=1).image, torch.zeros(1, SAMPLES))
    with torch.no_grad():
        assert (method.eval().localize(silent) == 0).all()
        assert (method.separate(silent, halves) == 0).all()
    loss = method.train().loss(made(noise().image, torch.zeros(3, SAMPLES)))["separation"]
    loss.backward()
    assert loss.isfinite()
    assert all(parameter.grad.isfinite().all() for parameter in method.parameters())


@pytest.mark.parametrize("region", ["mean", "max"])
def test_a_regions_vector_is_the_mean_or_the_largest_of_its_pixels(region, monkeypatch):
    torch.manual_seed(0)
    method, batch, asked = SoundOfPixels(**SMALL, region=region).eval(), noise(size=1), []
    vectors = torch.rand(1, 4, SIDE, SIDE, generator=torch.Generator().manual_seed(3))
    masks = method.masks
    monkeypatch.setattr(method, "seen", lambda _: vectors)
    monkeypatch.setattr(method, "masks", lambda some, channels: asked.append(some) or masks(some, channels))
    regions = torch.zeros(1, 2, SIDE, SIDE)
    regions[0, 0, 2, 3] = 0.1
    regions[0, 1, 0, :3] = torch.tensor([0.8, 0.6, 0.2])
    with torch.no_grad():
        method.separate(batch, regions)
    first, second = asked[0][0]
    torch.testing.assert_close(first, vectors[0, :, 2, 3])
    row = vectors[0, :, 0]
    expected = {"mean": (0.8 * row[:, 0] + 0.6 * row[:, 1] + 0.2 * row[:, 2]) / 1.6, "max": row[:, :2].amax(dim=1)}
    torch.testing.assert_close(second, expected[region])  # 0.2 is less than half of the most


@pytest.mark.parametrize(
    ("regions", "message"),
    [
        (torch.ones(1, 2, 3, 3), r"expected regions \(1, R, 8, 8\), got \(1, 2, 3, 3\)"),
        (torch.zeros(1, 2, SIDE, SIDE), "that hold a pixel"),
        (-torch.ones(1, 2, SIDE, SIDE), "weights of 0 or more"),
    ],
)
def test_regions_must_fit_and_hold_a_pixel(regions, message):
    with pytest.raises(UserError, match=message):
        SoundOfPixels(**SMALL).eval().separate(noise(size=1), regions)


def test_of_several_frames_the_largest_counts():
    torch.manual_seed(0)
    method = SoundOfPixels(**SMALL, num_frames=3).eval()
    assert method.inputs.views == ("frames",)
    assert "frames" in method.needs
    batch = noise(size=2)
    frames = torch.randn(2, 3, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(4))
    with torch.no_grad():
        together = method.seen(replace(batch, extra={**batch.extra, "frames": frames}))
        single = [method.seen(replace(batch, image=frames[:, number])) for number in range(3)]
    torch.testing.assert_close(together, torch.stack(single).amax(dim=0))


def test_vectors_of_pictures_and_sounds_multiply_to_the_mean_of_the_mask():
    torch.manual_seed(0)
    method, batch = SoundOfPixels(**SMALL).eval(), noise()
    with torch.no_grad():
        magnitude = method.stft.warp(method.stft.spectrum(batch.extra["waveform"]).abs())
        channels, by = method.channels(magnitude), loudness_weights(magnitude)
        vectors = ops.max_pool(method.seen(batch))
        mean = (method.masks(vectors[:, None], channels)[:, 0] * by).sum(dim=(1, 2)) / by.sum(dim=(1, 2))
        images, sounds = method.embed(batch)
        sound = (channels * by[:, None]).sum(dim=(2, 3)) / by.sum(dim=(1, 2))[:, None]
    lengths = (vectors * method.scale).norm(dim=1) * sound.norm(dim=1)
    torch.testing.assert_close((images * sounds).sum(dim=1) * lengths + method.bias, mean)
