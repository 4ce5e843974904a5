"""The Sound of Pixels (Zhao et al., ECCV 2018, arXiv 1804.03160): a pixel's vector picks its sound out of a mixture.

Sounds of several clips are mixed, and each clip's picture has to find its own again (mix and separate): a U-Net makes
K maps of the mixture's spectrogram, and K numbers in 0..1, the picture's largest of each, weigh them into a mask.
Afterwards every pixel has such a vector, and so a sound of its own.

What the paper says and what the published code does:

| | variant=paper | variant=code (default: published weights are the code's) |
| --- | --- | --- |
| K (`channels`) | 16, the best of those tried | 32 |
| weight of a point in the loss (`weighting`) | none | log(1 + magnitude of the mixture) in 0.001..10 |
| a binary mask is 1 where (`mask=binary`) | the source is as loud as the loudest | it has over half of the mixture |
| a mixture is | the sum of its sources | their mean, each played 0.5 to 1.5 times as loud and cut off at 1 |
| learns at a tenth of the rate (`image_rate`) | the picture's tower and head | the tower alone |
| masks while listening (`listening`) | soft: nothing is said | hard: 1 above 0.5, where they are binary |

They agree on 11,025 Hz, 5.94 s, frames of 1022 samples every 256, 256 logarithmic bands, seven levels and L1 for ratio
masks. Both take three frames of a film (`num_frames=3`); the default of one works on stills too. DSOL's comparisons run
the same code at 16,000 Hz on 16,383 samples (`sample_rate=16000 seconds=1.02`) and four frames.

Left out: the paper's silent clips of scenery (a data set's own silent clips do the same), and its thresholded vectors
and clusters of pixels. Initial weights of the U-Net are torch's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from soundspot import ops
from soundspot.device import on_device
from soundspot.lookup import find
from soundspot.methods.base import Method, media_inputs, positive, weights_path
from soundspot.nets.image import ImageTower
from soundspot.nets.separation import Stft, Target, dominant, half, heard, loudness_weights, ratio
from soundspot.nets.unet import UNet
from soundspot.types import Batch, UserError

CHUNK_ELEMENTS = 2**24
"""Most points of masks that are held at once while all pixels are listened to (64 MiB of float32)."""
HARD_FROM = 0.5
"""A hard mask is 1 above this."""
QUIETEST = 1e-20
"""Energy below which a mixture counts as silent: every pixel then has none of it."""


@dataclass(frozen=True)
class Variant:
    """Where paper and code differ and no option says otherwise; see the table above."""

    channels: int
    weighted: bool
    target: Target
    mean: bool
    """Whether a mixture is the mean of its sources, not their sum."""
    loudness: float
    """How far, up or down from 1, a clip's loudness is drawn in training."""
    slow_head: bool
    """Whether the picture's head learns as slowly as its tower."""
    hard: bool


VARIANTS: dict[str, Variant] = {
    "paper": Variant(16, weighted=False, target=dominant, mean=False, loudness=0.0, slow_head=True, hard=False),
    "code": Variant(32, weighted=True, target=half, mean=True, loudness=0.5, slow_head=False, hard=True),
}


class SoundOfPixels(Method):
    """Separates sounds by what is seen; the map is how much of the sound each pixel takes.

    `channels=0` and the value "variant" of `weighting` and `listening` stand for the variant's own. `num_mix`: clips
    mixed together, each with the ones after it in the batch. `levels` and `width` are the U-Net's; for sounds of less
    than 2 ** levels frames take fewer levels. `region`: "mean" or "max" of a region's pixels is its vector; the paper
    listens to single pixels. `image_rate`: the picture's share of the learning rate, exact with sgd
    but for weight decay, without effect on adam. Training from kept features draws no loudness.
    """

    score_range = (0.0, 1.0)

    def __init__(
        self,
        variant: str = "code",
        channels: int = 0,
        num_mix: int = 2,
        mask: str = "binary",
        weighting: str = "variant",
        listening: str = "variant",
        region: str = "mean",
        levels: int = 7,
        width: int = 64,
        n_fft: int = 1022,
        hop: int = 256,
        bins: int = 256,
        sample_rate: int = 11025,
        seconds: float = 5.94,
        window: str = "centre",
        image_backbone: str = "resnet18",
        output_stride: int = 16,
        init_image: str = "",
        trainable: str = "all",
        image_size: int = 224,
        image_norm: str = "imagenet",
        resize: str = "squash",
        num_frames: int = 1,
        image_rate: float = 0.1,
    ) -> None:
        super().__init__()
        self.variant = find(VARIANTS, variant, "variant")
        own = self.variant
        self.weighted = find({"variant": own.weighted, "log_magnitude": True, "none": False}, weighting, "weighting")
        self.binary = find({"binary": True, "ratio": False}, mask, "mask")
        self.hard = find({"variant": own.hard and self.binary, "hard": True, "soft": False}, listening, "listening")
        self.region = find({"mean": _means, "max": _largest}, region, "region")
        _check(num_mix, num_frames, channels, levels, bins, sample_rate)
        self.num_mix, self.image_rate = num_mix, positive(image_rate, "image_rate")
        self.stft = Stft(n_fft, hop, bins)
        given = media_inputs(
            image_size=image_size,
            image_norm=image_norm,
            resize=resize,
            spectrogram="psd_hop238",  # not listened to: the sound itself is
            seconds=seconds,
            sample_rate=sample_rate,
            window=window,
        )
        films = num_frames > 1
        self.inputs = replace(given, waveform=True, views=("frames",) if films else (), num_frames=num_frames)
        self.needs = frozenset({"waveform", *(("draws",) if own.loudness else ()), *(("frames",) if films else ())})
        self.image = ImageTower(
            image_backbone,
            output_stride=output_stride,
            pretrained=weights_path(init_image),
            dilated=True,
            trainable=trainable,
        )
        count = channels or own.channels
        self.image_head = nn.Conv2d(self.image.channels, count, kernel_size=3, padding=1)
        self.audio = UNet(count, levels=levels, width=width)
        self.scale = nn.Parameter(torch.ones(count))
        self.bias = nn.Parameter(torch.zeros(1))
        self.initial = {"image": self.image.initial, "audio": "random init"}

    def frozen(self, batch: Batch) -> dict[str, Tensor]:
        """The frames' features before what learns, "image" (B, T, ...), and the sound; nothing if all of it learns."""
        if not self.image.keeps:
            return {}
        return {"image": self._through_frozen(batch), "waveform": _waveform(batch)}

    def _through_frozen(self, batch: Batch) -> Tensor:
        if "image" in batch.extra:
            return batch.extra["image"]
        frames = batch.extra["frames"] if self.inputs.num_frames > 1 and "frames" in batch.extra else None
        frames = batch.image[:, None] if frames is None else frames
        return self.image.frozen(frames.flatten(0, 1)).unflatten(0, frames.shape[:2])

    def seen(self, batch: Batch) -> Tensor:
        """(B, K, h, w) in 0..1, each pixel's vector; of several frames the largest."""
        frames = self._through_frozen(batch)
        cells = self._slowed(self.image.rest(frames.flatten(0, 1)), not self.variant.slow_head)
        maps = self._slowed(self.image_head(cells), self.variant.slow_head)
        return maps.unflatten(0, frames.shape[:2]).amax(dim=1).float().sigmoid()

    def _slowed(self, x: Tensor, wanted: bool) -> Tensor:
        """`x`, before which all learns at `image_rate` of the rate if that is wanted."""
        if wanted and x.requires_grad:
            x.register_hook(lambda gradient: gradient * self.image_rate)
        return x

    def channels(self, magnitude: Tensor) -> Tensor:
        """Magnitudes of a mixture on the logarithmic axis (B, bins, T) -> the U-Net's K maps (B, K, bins, T)."""
        return self.audio(heard(magnitude)[:, None]).float()

    def masks(self, vectors: Tensor, channels: Tensor) -> Tensor:
        """(B, R, K), (B, K, bins, T) -> masks before their sigmoid (B, R, bins, T): weighted sums and a bias."""
        with torch.autocast(channels.device.type, enabled=False):
            return torch.einsum("brk,bkft->brft", vectors.float() * self.scale, channels) + self.bias

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """How far each picture's mask is from its own sound's share of the mixture, mean over all points.

        Cross-entropy of binary masks, absolute difference of ratio masks, weighted by loudness. As many mixtures as
        clips: each clip with the num_mix - 1 after it among those of all processes (fewer where there are not so many).
        """
        waves, vectors = ops.gather(self._played(batch)), ops.gather(ops.max_pool(self.seen(batch)))
        places = ops.rank() * len(batch) + torch.arange(len(batch), device=waves.device)
        count = min(self.num_mix, len(waves))
        members = (places + torch.arange(count, device=waves.device)[:, None]) % len(waves)
        spectra = self.stft.spectrum(waves[members]) / (count if self.variant.mean else 1)
        sources, mixture = (self.stft.warp(each.abs()) for each in (spectra, spectra.sum(dim=0)))
        made = self.masks(vectors[members].transpose(0, 1), self.channels(mixture)).transpose(0, 1)
        weights = loudness_weights(mixture) if self.weighted else torch.ones_like(mixture)
        if self.binary:
            target = self.variant.target(sources, mixture)
            each = F.binary_cross_entropy_with_logits(made, target, reduction="none")
        else:
            each = (made.sigmoid() - ratio(sources, mixture)).abs()
        return {"separation": (weights * each).mean()}

    def _played(self, batch: Batch) -> Tensor:
        """(B, N): the clips' sounds as loud as was drawn."""
        waves = _waveform(batch)
        if not self.variant.loudness or batch.draws is None:
            return waves
        louder = 1 + self.variant.loudness * (2 * on_device(batch.draws[:, :1], waves.device) - 1)
        return (waves * louder).clamp(-1, 1)

    def localize(self, batch: Batch) -> Tensor:
        """Each pixel's share of the sound's energy, (B, h, w) in 0..1; 0 everywhere in silence.

        E(x, y) = sum over f, t of (M_xy(f, t) |S(f, t)|)^2, over the sum of |S(f, t)|^2, with the soft mask M_xy of the
        pixel's vector on the linear axis. The paper shows "the sound energy (or volume) of each pixel" without a
        formula and the code has no such map: this is ours.
        """
        spectrum, channels = self._listen(batch)
        power = spectrum.abs().square()
        vectors = self.seen(batch)
        through = [
            self.stft.energy(self.masks(some, channels).sigmoid(), power)
            for some in self._few(vectors.flatten(2).transpose(1, 2), spectrum)
        ]
        shares = torch.cat(through, dim=1) / power.sum(dim=(1, 2)).clamp_min(QUIETEST)[:, None]
        return shares.clamp(0, 1).unflatten(1, vectors.shape[-2:])

    def separate(self, batch: Batch, regions: Tensor | None = None) -> Tensor:
        """The sound of each region, (B, R, N) at the inputs' sample rate: the mixture under its mask, with its phase.

        `regions` (B, R, h, w): how much each pixel counts in a region, whose vector is their mean, or the largest of
        each number with `region="max"`; None takes every pixel by itself, row by row. UserError where a region has no
        pixel.
        """
        spectrum, channels = self._listen(batch)
        vectors = self.seen(batch)
        picked = vectors.flatten(2).transpose(1, 2)
        if regions is not None:
            picked = self.region(vectors, _checked(regions, vectors).to(vectors))
        parts = []
        for some in self._few(picked, spectrum):
            masks = self.stft.unwarp(self.masks(some, channels).sigmoid())
            masks = (masks > HARD_FROM).float() if self.hard else masks
            parts.append(self.stft.waves(masks * spectrum[:, None], _waveform(batch).shape[1]))
        return torch.cat(parts, dim=1)

    def _listen(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The sound's complex spectrum (B, rows, T) and its channels (B, K, bins, T)."""
        spectrum = self.stft.spectrum(_waveform(batch))
        return spectrum, self.channels(self.stft.warp(spectrum.abs()))

    def _few(self, vectors: Tensor, spectrum: Tensor) -> Iterator[Tensor]:
        """(B, R, K) -> the same, so many R at a time as memory is meant for."""
        yield from vectors.split(max(1, CHUNK_ELEMENTS // spectrum.numel()), dim=1)

    def embed(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """A picture's weighted vector, and a sound's channels averaged by loudness: their product is a mask's mean.

        Ours: the paper retrieves nothing.
        """
        magnitude = self.stft.warp(self.stft.spectrum(_waveform(batch)).abs())
        weights = loudness_weights(magnitude)[:, None]
        sounds = (self.channels(magnitude) * weights).sum(dim=(-2, -1)) / weights.sum(dim=(-2, -1))
        return ops.unit(ops.max_pool(self.seen(batch)) * self.scale), ops.unit(sounds)


def _waveform(batch: Batch) -> Tensor:
    """(B, N)."""
    if "waveform" not in batch.extra:
        raise UserError(
            'sound_of_pixels: expected batch.extra["waveform"] (B, N), got none; read clips with inputs.waveform=True'
        )
    return batch.extra["waveform"].float()


def _checked(regions: Tensor, vectors: Tensor) -> Tensor:
    """(B, R, h, w) as they are. UserError unless they fit the pixels' vectors (B, K, h, w) and none is empty."""
    if regions.ndim != 4 or regions.shape[0] != len(vectors) or regions.shape[-2:] != vectors.shape[-2:]:
        raise UserError(
            f"expected regions ({len(vectors)}, R, {vectors.shape[-2]}, {vectors.shape[-1]}),"
            f" got {tuple(regions.shape)}; give a weight a pixel"
        )
    if bool((regions < 0).any()) or not bool((regions.amax(dim=(-2, -1)) > 0).all()):
        raise UserError("expected regions with weights of 0 or more that hold a pixel, got others; enlarge them")
    return regions


def _means(vectors: Tensor, regions: Tensor) -> Tensor:
    """(B, K, h, w), (B, R, h, w) -> (B, R, K), each region's weighted mean."""
    return torch.einsum("bkhw,brhw->brk", vectors, regions) / regions.sum(dim=(-2, -1))[..., None]


def _largest(vectors: Tensor, regions: Tensor) -> Tensor:
    """The same, the largest of the pixels that count at least half as much as the region's most: as training pools."""
    inside = regions >= regions.amax(dim=(-2, -1), keepdim=True) / 2
    return torch.where(inside[:, :, None], vectors[:, None], -torch.inf).amax(dim=(-2, -1))


def _check(num_mix: int, num_frames: int, channels: int, levels: int, bins: int, sample_rate: int) -> None:
    if num_mix < 2 or num_frames < 1 or channels < 0 or sample_rate < 1:
        raise UserError(
            "sound_of_pixels: expected num_mix of 2 or more, num_frames and sample_rate of 1 or more and channels of 0"
            f" or more, got {num_mix}, {num_frames}, {sample_rate} and {channels}; change them"
        )
    if 2**levels > bins:
        raise UserError(f"sound_of_pixels: expected 2 ** levels of at most bins={bins}, got levels={levels}; lower it")
