"""Spectrograms against published code's numbers and independent formulas; windows, balance, WAV."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import signal

from soundspot.lookup import find
from soundspot.media.audio import LOG_FLOOR, SPECTROGRAMS, fit_window, pcen, stereo_balance, write_wav
from soundspot.media.errors import MediaError
from soundspot.types import UserError

RATES = (8000, 11025, 16000, 22050, 44100, 48000, 96000)


def spectrogram(name: str, samples: np.ndarray, sample_rate: int) -> np.ndarray:
    return SPECTROGRAMS[name](torch.from_numpy(np.atleast_2d(samples).astype(np.float32)), sample_rate)[:, 0].numpy()


def check_golden(found: np.ndarray, arrays: dict[str, np.ndarray]) -> None:
    assert found.shape == tuple(arrays["out_shape"])
    picked = found[np.ix_(arrays["par_freq_idx"], arrays["par_time_idx"])]
    np.testing.assert_allclose(picked, arrays["out_spec"], rtol=0, atol=1e-4)
    np.testing.assert_allclose(found.mean(axis=1), arrays["out_row_mean"], rtol=0, atol=1e-4)
    np.testing.assert_allclose(found.mean(axis=0), arrays["out_col_mean"], rtol=0, atol=1e-4)
    assert found.mean() == pytest.approx(arrays["out_mean"], abs=1e-4)
    assert found.std() == pytest.approx(arrays["out_std"], abs=1e-4)


@pytest.mark.parametrize("case", ["16k", "22k", "44k", "long", "short", "silent"])
def test_centre_three_seconds_equal_ez_vsl(golden, case: str) -> None:
    arrays = golden(f"spec_ez__{case}")
    rate = int(arrays["par_sr"])
    samples = fit_window(arrays["in_pcm"] / arrays["par_pcm_div"], rate, float(arrays["par_dur"]), "centre")
    check_golden(spectrogram("psd_hop238", samples, rate)[0], arrays)


@pytest.mark.parametrize("case", ["16k", "short"])
def test_first_ten_seconds_equal_lvs(golden, case: str) -> None:
    arrays = golden(f"spec_lvs__{case}")
    rate = int(arrays["par_sr"])
    samples = fit_window(arrays["in_pcm"] / arrays["par_pcm_div"], rate, 10.0, "first")
    check_golden(spectrogram("psd_hop238", samples, rate)[0], arrays)


@pytest.mark.parametrize("case", ["16k", "short"])
def test_the_shorter_hop_equals_sslalign(golden, case: str) -> None:
    arrays = golden(f"spec_sslalign__{case}")
    rate = int(arrays["par_sr"])
    samples = fit_window(arrays["in_pcm"] / arrays["par_pcm_div"], rate, 10.0, "first")
    samples = samples[int(16000 * arrays["par_start_s"]) : int(16000 * arrays["par_end_s"])]
    check_golden(spectrogram("psd_hop159", samples, rate)[0], arrays)


def test_rolled_and_cropped_equals_sslaligns_other_loader(golden) -> None:
    arrays = golden("spec_sslalign_roll__short")
    rate, pcm = int(arrays["par_sr"]), arrays["in_pcm"] / arrays["par_pcm_div"]
    samples = np.roll(fit_window(pcm, rate, 10.0, "first"), int((5 - len(pcm) / rate / 2) * rate))
    whole = spectrogram("psd_hop238", samples, rate)[0]
    left = round((whole.shape[1] - 200) / 2)
    check_golden(whole[:, left : left + 200], arrays)


@pytest.mark.parametrize("hop", [238, 159])
def test_density_equals_scipy_for_any_level(hop: int) -> None:
    time = np.arange(30000) / 22050
    rng = np.random.default_rng(0)
    for samples in (
        np.sin(2 * np.pi * 1000 * time),  # one loud bin beside empty ones: the hardest for single precision
        0.9 + 0.1 * np.sin(2 * np.pi * 50 * time),
        rng.normal(size=30000) * 1e-4,
        rng.uniform(-1, 1, 30000),
    ):
        samples = samples.astype(np.float32)
        power = signal.spectrogram(samples.astype(float), 22050, nperseg=512, noverlap=512 - hop)[2]
        found = spectrogram(f"psd_hop{hop}", samples, 22050)[0]
        np.testing.assert_allclose(found, np.log(power + 1e-7) / 12, rtol=0, atol=1e-4)


def mel_triangles(rate: int, num_fft: int, num_bands: int, low: float, high: float) -> np.ndarray:
    """(bands, bins), written out one by one."""

    def mel(hertz: float) -> float:
        return 2595 * np.log10(1 + hertz / 700)

    edges = np.linspace(mel(low), mel(high), num_bands + 2)
    weights = np.zeros((num_bands, num_fft // 2 + 1))
    for band, (left, centre, right) in enumerate(zip(edges[:-2], edges[1:-1], edges[2:], strict=True)):
        for index in range(num_fft // 2 + 1):
            here = mel(index * rate / num_fft)
            if left < here <= centre:
                weights[band, index] = (here - left) / (centre - left)
            elif centre < here < right:
                weights[band, index] = (right - here) / (right - centre)
    return weights


def hann_magnitude(samples: np.ndarray, window: int, hop: int, num_fft: int) -> np.ndarray:
    """(bins, frames), frame by frame in double precision."""
    shape = signal.get_window("hann", window)
    starts = range(0, len(samples) - window + 1, hop)
    return np.abs([np.fft.rfft(samples[start : start + window] * shape, num_fft) for start in starts]).T


def test_yamnets_front_end() -> None:
    samples = np.random.default_rng(1).normal(size=(2, 16000)) * [[0.3], [0.001]]
    found = spectrogram("yamnet", samples, 16000)
    assert found.shape == (2, 64, 98)
    for row, sound in zip(found, samples, strict=True):
        mel = mel_triangles(16000, 512, 64, 125, 7500) @ hann_magnitude(sound, 400, 160, 512)
        np.testing.assert_allclose(row, np.log(mel + 0.001), atol=2e-4)
    with pytest.raises(UserError, match="yamnet: expected a sample rate of 16000 Hz, got 44100"):
        spectrogram("yamnet", samples, 44100)


def test_log_mel_against_the_formula() -> None:
    samples = np.random.default_rng(2).normal(size=24000) * 0.1
    window = signal.get_window("hann", 400)
    magnitude = hann_magnitude(samples, 400, 160, 1024) / window.sum()
    expected = np.log(mel_triangles(16000, 1024, 64, 20, 8000) @ magnitude**2 + 1e-7) / 12
    np.testing.assert_allclose(spectrogram("logmel", samples, 16000)[0], expected, atol=1e-5)


def test_pcen_against_the_recursion() -> None:
    samples = np.random.default_rng(3).normal(size=16000 * 8) * np.linspace(0.001, 0.5, 16000 * 8)
    energy = mel_triangles(16000, 1024, 64, 20, 8000) @ (hann_magnitude(samples, 400, 160, 1024) * 2.0**31)
    time = 0.4 * 16000 / 160
    share = (np.sqrt(1 + 4 * time**2) - 1) / (2 * time**2)
    smooth = np.empty_like(energy)
    smooth[:, 0] = energy[:, 0]
    for step in range(1, energy.shape[1]):  # 798 steps: more than the blocks they are done in
        smooth[:, step] = (1 - share) * smooth[:, step - 1] + share * energy[:, step]
    expected = np.sqrt(energy / (1e-6 + smooth) ** 0.98 + 2) - np.sqrt(2)
    np.testing.assert_allclose(spectrogram("pcen", samples, 16000)[0], expected, rtol=1e-3, atol=1e-3)


def test_pcen_takes_away_a_steady_level() -> None:
    hum = np.random.default_rng(4).normal(size=16000 * 4).astype(np.float32)
    quiet, loud = (spectrogram("pcen", level * hum, 16000)[0] for level in (0.003, 0.3))
    assert abs(loud[:, 100:].mean() / quiet[:, 100:].mean() - 1) < 0.1
    assert np.isfinite(spectrogram("pcen", np.zeros(16000), 16000)).all()
    assert pcen(torch.zeros(1, 16000), 16000).abs().max() < 1e-6


@pytest.mark.parametrize("name", ["logmel", "pcen"])
@pytest.mark.parametrize("rate", RATES)
def test_every_mel_band_hears_something_at_every_rate(name: str, rate: int) -> None:
    samples = np.random.default_rng(5).normal(size=(1, rate)) * 0.1
    found = spectrogram(name, samples, rate)[0]
    assert found.shape[0] == 64
    assert found.shape[1] == pytest.approx(98, abs=1)
    assert (found.std(axis=1) > 1e-3).all()
    assert np.isfinite(found).all()


@pytest.mark.parametrize("name", SPECTROGRAMS)
def test_a_batch_is_its_rows_and_low_comes_first(name: str) -> None:
    time = np.arange(16000) / 16000
    rows = np.stack([np.sin(2 * np.pi * hertz * time) * 0.5 for hertz in (300, 3000)])
    rows[:, 8000:] *= 0.5
    batch = SPECTROGRAMS[name](torch.from_numpy(rows).float(), 16000)
    assert batch.shape[:2] == (2, 1)
    assert batch.dtype == torch.float32
    for row, alone in zip(batch, rows, strict=True):
        np.testing.assert_allclose(row[0], spectrogram(name, alone, 16000)[0], atol=1e-4)
    low, high = (row[0].mean(dim=1).argmax().item() for row in batch)
    assert low < high


@pytest.mark.parametrize("name", SPECTROGRAMS)
def test_the_page_names_it_with_its_height(name: str) -> None:
    page = (Path(__file__).parents[2] / "docs" / "media.md").read_text(encoding="utf-8")
    row = next(line for line in page.splitlines() if line.startswith(f"| `{name}` |"))
    height = SPECTROGRAMS[name](torch.zeros(1, 16000), 16000).shape[2]
    assert row.split("|")[-2].strip() == str(height)


@pytest.mark.parametrize("name", SPECTROGRAMS)
def test_silence_and_gradients_are_finite(name: str) -> None:
    assert SPECTROGRAMS[name](torch.zeros(2, 16000), 16000).isfinite().all()
    samples = (torch.randn(1, 8000, generator=torch.Generator().manual_seed(0)) * 0.1).requires_grad_()
    SPECTROGRAMS[name](samples, 16000).sum().backward()
    assert samples.grad is not None
    assert samples.grad.isfinite().all()


def test_silence_is_the_logarithm_of_the_floor() -> None:
    assert spectrogram("psd_hop238", np.zeros(16000), 16000) == pytest.approx(np.log(LOG_FLOOR) / 12, abs=1e-6)


@pytest.mark.parametrize("name", SPECTROGRAMS)
def test_mixed_precision_does_not_reach_them(name: str) -> None:
    samples = torch.randn(1, 16000, generator=torch.Generator().manual_seed(0)) * 0.1
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = SPECTROGRAMS[name](samples, 16000)
    torch.testing.assert_close(found, SPECTROGRAMS[name](samples, 16000), rtol=0, atol=0)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="not run: no CUDA device")
@pytest.mark.parametrize("name", SPECTROGRAMS)
def test_a_gpu_gives_the_same(name: str) -> None:
    samples = torch.randn(4, 48000, generator=torch.Generator().manual_seed(0)) * 0.1
    found = SPECTROGRAMS[name](samples.cuda(), 16000)
    assert found.is_cuda
    torch.testing.assert_close(found.cpu(), SPECTROGRAMS[name](samples, 16000), rtol=1e-3, atol=1e-4)


def test_wrong_waveforms_are_the_users_error() -> None:
    with pytest.raises(UserError, match=r"expected waveforms \(B, N\), got \(16000,\)"):
        SPECTROGRAMS["psd_hop238"](torch.zeros(16000), 16000)
    with pytest.raises(UserError, match="expected at least 512 samples, got 511"):
        SPECTROGRAMS["psd_hop238"](torch.zeros(1, 511), 16000)
    with pytest.raises(UserError, match="expected a sample rate in Hz, got 0"):
        SPECTROGRAMS["psd_hop159"](torch.zeros(1, 16000), 0)
    with pytest.raises(UserError, match="expected a sample rate of 1000 Hz or more, got 0"):
        SPECTROGRAMS["logmel"](torch.zeros(1, 16000), 0)
    with pytest.raises(UserError, match="did you mean 'psd_hop238'"):
        find(SPECTROGRAMS, "psd_hop23", "spectrogram")


def test_a_window_is_cut_from_the_middle_or_the_start_and_short_sound_repeats() -> None:
    samples = np.arange(100.0)
    assert fit_window(samples, 10, 4, "first").tolist() == list(range(40))
    assert fit_window(samples, 10, 4, "centre").tolist() == list(range(30, 70))
    assert fit_window(np.arange(3.0), 10, 0.8, "centre").tolist() == [0, 1, 2, 0, 1, 2, 0, 1]
    assert fit_window(samples, 10, 10).tolist() == samples.tolist()
    for size in range(30, 60):  # fractions of a sample must not shorten it
        assert fit_window(np.zeros(size), 7, 3.3).shape == (23,)
    with pytest.raises(MediaError, match="expected one channel of sound"):
        fit_window(np.zeros(0), 16000, 3)
    with pytest.raises(UserError, match="did you mean 'centre'"):
        fit_window(samples, 10, 4, "center")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="at least one sample"):
        fit_window(samples, 10, 0)


def test_balance_says_which_side() -> None:
    sound = np.random.default_rng(0).normal(size=1000).astype(np.float32)
    assert stereo_balance(np.stack([sound, 0 * sound])) == -1
    assert stereo_balance(np.stack([0 * sound, sound])) == 1
    assert stereo_balance(np.stack([sound, -sound])) == 0
    assert stereo_balance(np.stack([sound, sound / 2])) == pytest.approx(-0.6, abs=1e-6)
    assert stereo_balance(np.zeros((2, 10))) == 0
    with pytest.raises(UserError, match="expected stereo samples"):
        stereo_balance(sound)


def test_wav_refuses_what_is_no_sound(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="expected finite samples"):
        write_wav(tmp_path / "a.wav", np.array([0.0, np.inf]), 16000)
    assert list(tmp_path.iterdir()) == []
