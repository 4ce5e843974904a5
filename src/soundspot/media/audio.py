"""Spectrograms in torch, by name, and the small things done to samples before them.

A spectrogram is a function (waveform (B, N) float, sample_rate in Hz) -> (B, 1, F, T), low frequencies first, on the
waveform's device, without padding: frames that don't fit whole are left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from soundspot.device import on_device
from soundspot.lookup import unknown
from soundspot.media.errors import MediaError
from soundspot.media.sound import write_wav as write_wav  # it needs no torch, but is looked for here
from soundspot.types import UserError

Spectrogram = Callable[[Tensor, int], Tensor]

LOG_FLOOR = 1e-7
"""Added before the logarithm by the papers."""
LOG_SCALE = 12.0
"""The papers divide the logarithm by this: about -1.4..1."""
PSD_WINDOW = 512
"""Samples, whatever the rate."""
NUM_MEL_BANDS = 64
MEL_LOWEST_HZ = 20.0
LOWEST_RATE = 1000
"""Hz; below it a 10 ms hop is a handful of samples and mel bands fall between bins."""
INT32_SCALE = 2.0**31
"""PCEN's published constants expect samples in 32-bit integer range."""
YAMNET_RATE = 16000


def log_power_density(waveform: Tensor, sample_rate: int, *, hop: int) -> Tensor:
    """The papers' input, (B, 1, 257, T): log power density of 512-sample frames, log(S + 1e-7) / 12.

    SciPy's `spectrogram(x, sample_rate, nperseg=512, noverlap=512 - hop)`: Tukey(0.25) window, each frame's mean
    removed, one-sided, in units²/Hz (EZ-VSL and SLAVC hop 238, SSLalign 159); T = floor((N - 512 + hop) / hop).
    """
    if sample_rate < 1:
        raise UserError(f"expected a sample rate in Hz, got {sample_rate}; give e.g. 16000")
    frames = _frames(waveform, PSD_WINDOW, hop)
    window = _tukey_window()
    # One-sided: every bin but DC and Nyquist stands for its negative frequency too.
    scale = math.sqrt(2 / (sample_rate * np.square(window).sum()))
    # in place from here on: a batch of spectrograms is a loader's longest work
    frames = (frames - frames.mean(dim=-1, keepdim=True)).mul_(_on(window * scale, frames))
    real, imaginary = torch.view_as_real(torch.fft.rfft(frames)).unbind(-1)
    power = real.square().addcmul_(imaginary, imaginary)
    power[..., :: PSD_WINDOW // 2].mul_(0.5)
    return _as_map(power.add_(LOG_FLOOR).log_().div_(LOG_SCALE))


def log_power(waveform: Tensor, sample_rate: int, *, hop: int) -> Tensor:
    """Wav2CLIP's and RCGrad's input (hop 353, at 16 kHz), (B, 1, 257, T): log(|STFT|² + 1e-7), Hann frames of 512.

    As torchaudio's `Spectrogram(n_fft=512, hop_length=hop)`: frames are centred, the ends reflected; T = 1 + N // hop.
    """
    _frames(waveform, PSD_WINDOW, hop)  # raises for what is no waveform, or too short to be reflected
    padded = torch.nn.functional.pad(waveform, (PSD_WINDOW // 2, PSD_WINDOW // 2), mode="reflect")
    magnitude = _magnitude(padded, window=PSD_WINDOW, hop=hop, num_fft=PSD_WINDOW)
    return _as_map((magnitude.square() + LOG_FLOOR).log())


def log_mel(waveform: Tensor, sample_rate: int) -> Tensor:
    """Log-mel power, (B, 1, 64, T): 25 ms Hann frames every 10 ms, log(mel + 1e-7) / 12, at any rate.

    Power is relative to the window's, so that the values don't depend on the sample rate.
    """
    magnitude, window_sum = _hann_magnitude(waveform, sample_rate)
    return _as_map((_mel((magnitude / window_sum).square(), sample_rate) + LOG_FLOOR).log() / LOG_SCALE)


def pcen(
    waveform: Tensor,
    sample_rate: int,
    *,
    gain: float = 0.98,
    bias: float = 2.0,
    power: float = 0.5,
    time_constant_seconds: float = 0.4,
    floor: float = 1e-6,
) -> Tensor:
    """Per-channel energy normalised mel, (B, 1, 64, T): (E / (floor + M)^gain + bias)^power - bias^power.

    E is mel magnitude and M its first-order smoothing over time, started at the first frame: each band's steady level
    is divided out, what changes stays (Lostanlen et al., "Per-channel energy normalization: why and how", 2018).
    """
    magnitude, _ = _hann_magnitude(waveform, sample_rate)
    energy = _mel(magnitude * INT32_SCALE, sample_rate)
    # The smoothing whose -3 dB point lies at the time constant.
    frames = time_constant_seconds * sample_rate / _hop_10ms(sample_rate)
    smoothing = (math.sqrt(1 + 4 * frames**2) - 1) / (2 * frames**2)
    # exp(-gain * log(.)): a power of values up to 1e12 without leaving float32.
    normalised = energy * torch.exp(-gain * (_smoothed(energy, smoothing) + floor).log())
    return _as_map((normalised + bias) ** power - bias**power)


def yamnet_log_mel(waveform: Tensor, sample_rate: int) -> Tensor:
    """YAMNet's input, (B, 1, 64, T), for 16 kHz only: log(mel magnitude + 0.001), 64 HTK bands from 125 to 7500 Hz."""
    if sample_rate != YAMNET_RATE:
        raise UserError(f"yamnet: expected a sample rate of {YAMNET_RATE} Hz, got {sample_rate}; resample the sound")
    magnitude = _magnitude(waveform, window=400, hop=160, num_fft=512)
    mel = _product(magnitude, _mel_weights(YAMNET_RATE, 512, 64, 125.0, 7500.0))
    return _as_map((mel + 1e-3).log())


def mel_decibels(waveform: Tensor, sample_rate: int, *, num_bands: int, hop: int) -> Tensor:
    """SSL-TIE's input (257 bands, hop 239), (B, 1, bands, T): decibels of mel power, 0 dB at 1, -100 at the lowest.

    As torchaudio's `AmplitudeToDB` of `MelSpectrogram(n_fft=512, hop_length=hop, n_mels=num_bands, normalized=True)`:
    frames are centred, the ends reflected, power is relative to the window's; many low bands lie between bins: -100.
    """
    if sample_rate < LOWEST_RATE:
        raise UserError(f"expected a sample rate of {LOWEST_RATE} Hz or more, got {sample_rate}; give e.g. 16000")
    _frames(waveform, PSD_WINDOW, hop)  # raises for what is no waveform, or too short to be reflected
    padded = torch.nn.functional.pad(waveform, (PSD_WINDOW // 2, PSD_WINDOW // 2), mode="reflect")
    power = _magnitude(padded, window=PSD_WINDOW, hop=hop, num_fft=PSD_WINDOW).square()
    power = power / float(np.square(_hann_window(PSD_WINDOW)).sum())
    mel = _product(power, _mel_weights_hz(sample_rate, PSD_WINDOW, num_bands))
    return _as_map(10 * mel.clamp_min(1e-10).log10())


SPECTROGRAMS: dict[str, Spectrogram] = {
    "psd_hop238": partial(log_power_density, hop=238),
    "psd_hop159": partial(log_power_density, hop=159),
    "stft_hop353": partial(log_power, hop=353),
    "logmel": log_mel,
    "mel257_db": partial(mel_decibels, num_bands=257, hop=239),
    "pcen": pcen,
    "yamnet": yamnet_log_mel,
}
"""Name -> function; look up with soundspot.lookup.find(SPECTROGRAMS, name, "spectrogram")."""


def fit_window(
    samples: npt.NDArray[Any], sample_rate: int, seconds: float, window: Literal["centre", "first"] = "centre"
) -> npt.NDArray[Any]:
    """Exactly `seconds` of samples (N,): the middle or the first of a long sound, a short one repeated until full.

    The middle starts at int(max(duration / 2 - seconds / 2, 0) * sample_rate), as in EZ-VSL's loader.
    """
    if samples.ndim != 1 or samples.size == 0:
        raise MediaError(
            f"expected one channel of sound, got samples of shape {samples.shape}; give at least one sample"
        )
    if window not in ("centre", "first"):
        raise unknown(("centre", "first"), window, "window")
    num_samples = round(seconds * sample_rate)
    if num_samples < 1:
        raise UserError(
            f"expected a window of at least one sample, got {seconds} s at {sample_rate} Hz; give more seconds"
        )
    if samples.size <= num_samples:
        return np.resize(samples, num_samples)  # repeats
    start = int(max(samples.size / sample_rate / 2 - seconds / 2, 0) * sample_rate) if window == "centre" else 0
    return samples[start : start + num_samples]


def stereo_balance(samples: npt.NDArray[Any]) -> float:
    """Where the power of (2, N) samples lies: -1 all left, 0 even (or silent), 1 all right."""
    if samples.ndim != 2 or samples.shape[0] != 2:
        raise UserError(f"expected stereo samples (2, N), got {samples.shape}; read the sound with layout='stereo'")
    left, right = np.square(samples, dtype=np.float64).sum(axis=1)
    return float((right - left) / (right + left)) if right + left > 0 else 0.0


def _frames(waveform: Tensor, size: int, hop: int) -> Tensor:
    """(B, N) -> (B, T, size), a view, in float32 or better."""
    if waveform.ndim != 2:
        raise UserError(f"expected waveforms (B, N), got {tuple(waveform.shape)}; add a batch dimension")
    if waveform.shape[1] < size:
        raise UserError(f"expected at least {size} samples, got {waveform.shape[1]}; repeat the sound (fit_window)")
    if waveform.dtype != torch.float64:
        waveform = waveform.float()
    return waveform.unfold(1, size, hop)


def _magnitude(waveform: Tensor, *, window: int, hop: int, num_fft: int) -> Tensor:
    """(B, N) -> (B, T, num_fft // 2 + 1) of periodic Hann frames."""
    frames = _frames(waveform, window, hop)
    return torch.fft.rfft(frames * _on(_hann_window(window), frames), n=num_fft).abs()


def _hann_magnitude(waveform: Tensor, sample_rate: int) -> tuple[Tensor, float]:
    if sample_rate < LOWEST_RATE:
        raise UserError(f"expected a sample rate of {LOWEST_RATE} Hz or more, got {sample_rate}; give e.g. 16000")
    window = round(0.025 * sample_rate)
    num_fft = _num_fft(sample_rate)
    magnitude = _magnitude(waveform, window=window, hop=_hop_10ms(sample_rate), num_fft=num_fft)
    return magnitude, float(_hann_window(window).sum())


def _hop_10ms(sample_rate: int) -> int:
    return sample_rate // 100


def _num_fft(sample_rate: int) -> int:
    """Twice the next power of two: fine enough that no mel band falls between bins."""
    return 2 * 2 ** math.ceil(math.log2(round(0.025 * sample_rate)))


def _mel(spectrum: Tensor, sample_rate: int) -> Tensor:
    """(B, T, num_fft // 2 + 1) -> (B, T, NUM_MEL_BANDS)."""
    weights = _mel_weights(sample_rate, _num_fft(sample_rate), NUM_MEL_BANDS, MEL_LOWEST_HZ, sample_rate / 2)
    return _product(spectrum, weights)


def _product(tensor: Tensor, weights: npt.NDArray[Any]) -> Tensor:
    # Half precision is too coarse here and overflows; a training loop's autocast must not reach it.
    with torch.autocast(tensor.device.type, enabled=False):
        return tensor @ _on(weights, tensor)


def _smoothed(energy: Tensor, smoothing: float, block: int = 256) -> Tensor:
    """M[t] = (1 - s) M[t - 1] + s E[t] along (B, T, F), M[-1] = E[0]; a block of steps at a time as one product."""
    steps = np.arange(block)
    lag = steps[:, None] - steps[None]
    response = _on(np.where(lag >= 0, smoothing * (1 - smoothing) ** np.maximum(lag, 0), 0.0), energy)
    decay = _on((1 - smoothing) ** (steps + 1.0), energy)[:, None]
    last, parts = energy[:, :1], []
    with torch.autocast(energy.device.type, enabled=False):
        for part in energy.split(block, dim=1):
            size = part.shape[1]
            parts.append(response[:size, :size] @ part + decay[:size] * last)
            last = parts[-1][:, -1:]
    return torch.cat(parts, dim=1)


@lru_cache(maxsize=1)
def _tukey_window() -> npt.NDArray[np.float64]:
    """Periodic: one sample of the symmetric window of 513 is left out. Tapered over a quarter of its length."""
    taper = 0.25 * PSD_WINDOW / 2
    distance = np.minimum(np.arange(PSD_WINDOW), PSD_WINDOW - np.arange(PSD_WINDOW))
    return 0.5 - 0.5 * np.cos(np.pi * np.minimum(distance / taper, 1.0))


@lru_cache(maxsize=16)
def _hann_window(size: int) -> npt.NDArray[np.float64]:
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)


@lru_cache(maxsize=16)
def _mel_weights(
    sample_rate: int, num_fft: int, num_bands: int, low_hz: float, high_hz: float
) -> npt.NDArray[np.float64]:
    """(num_fft // 2 + 1, num_bands): triangles, straight on the HTK mel scale, of height 1."""
    bins = _hz_to_mel(np.arange(num_fft // 2 + 1) * sample_rate / num_fft)[:, None]
    edges = np.linspace(_hz_to_mel(np.array(low_hz)), _hz_to_mel(np.array(high_hz)), num_bands + 2)
    lower, centre, upper = edges[:-2], edges[1:-1], edges[2:]
    triangles = np.minimum((bins - lower) / (centre - lower), (upper - bins) / (upper - centre))
    return np.maximum(triangles, 0.0)


@lru_cache(maxsize=16)
def _mel_weights_hz(sample_rate: int, num_fft: int, num_bands: int) -> npt.NDArray[np.float64]:
    """(num_fft // 2 + 1, num_bands): triangles, straight in Hz between HTK mel points, of height 1; torchaudio's."""
    bins = (np.arange(num_fft // 2 + 1) * sample_rate / num_fft)[:, None]
    mel = np.linspace(0.0, _hz_to_mel(np.array(sample_rate / 2)), num_bands + 2)
    edges = 700.0 * np.expm1(mel / 1127.0)
    lower, centre, upper = edges[:-2], edges[1:-1], edges[2:]
    triangles = np.minimum((bins - lower) / (centre - lower), (upper - bins) / (upper - centre))
    return np.maximum(triangles, 0.0)


def _hz_to_mel(hz: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return 1127.0 * np.log1p(hz / 700.0)


def _on(array: npt.NDArray[Any], like: Tensor) -> Tensor:
    return on_device(torch.from_numpy(array).to(like.dtype), like.device)


def _as_map(spectrum: Tensor) -> Tensor:
    """(B, T, F) -> (B, 1, F, T)."""
    return spectrum.transpose(1, 2).unsqueeze(1).contiguous()
