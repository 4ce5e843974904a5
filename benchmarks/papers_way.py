"""How the field's own code loads clips and evaluates maps, written from its description, for the benchmarks to time.

Loading, as in EZ-VSL and SLAVC: in every item the whole JPEG is decoded and enlarged or reduced in full, the whole WAV
is read though 3 s of it are used, and SciPy takes the spectrogram in double precision. Evaluating: a map at a time is
enlarged to 224 x 224, stretched to 0..1, mixed with an object prior, sorted in full and compared with its boxes in
NumPy; a heat map over the picture is written for each. SLAVC's own statistics are in `scoring.py`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from PIL import Image
from scipy.io import wavfile
from scipy.signal import spectrogram
from torch.utils.data import Dataset
from torchvision import transforms
from torchvision.transforms import InterpolationMode

from soundspot.types import Box

GRID = 224
"""Side of what maps and boxes are compared on."""
WINDOW, HOP_EZ_VSL, HOP_SSL_ALIGN = 512, 238, 159
SECONDS = 3.0
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
PRIOR_SHARE_EZ_VSL = 0.6
"""Of the object prior in EZ-VSL's mixture (its alpha, the share of the sound's map, is 0.4)."""
THRESHOLDS = [0.05 * number for number in range(21)]

Scores = npt.NDArray[np.float64]


class PapersClips(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """(image (3, S, S), spectrogram (1, 257, T)) of each clip of a folder's frames/ and audio/, made anew each time."""

    def __init__(self, folder: Path, image_size: int = GRID, *, train: bool = True, hop: int = HOP_EZ_VSL) -> None:
        self.folder, self.hop = folder, hop
        sounds = {path.stem for path in (folder / "audio").glob("*.wav")}
        self.ids = sorted(path.stem for path in (folder / "frames").glob("*.jpg") if path.stem in sounds)
        bicubic = InterpolationMode.BICUBIC
        cut = [
            transforms.Resize(int(image_size * 1.1), bicubic),
            transforms.RandomCrop(image_size),
            transforms.RandomHorizontalFlip(),
        ]
        whole = [transforms.Resize((image_size, image_size), bicubic)]
        finish = [transforms.ToTensor(), transforms.Normalize(MEAN, STD)]
        self.transform = transforms.Compose([*(cut if train else whole), *finish])

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        name = self.ids[index]
        picture = self.transform(Image.open(self.folder / "frames" / f"{name}.jpg").convert("RGB"))
        return picture, log_spectrogram(self.folder / "audio" / f"{name}.wav", self.hop)


def log_spectrogram(path: Path, hop: int = HOP_EZ_VSL) -> torch.Tensor:
    """(1, 257, T) of the middle 3 s at the file's own rate, log(S + 1e-7) / 12; a short sound is repeated."""
    sample_rate, pcm = wavfile.read(path)
    samples = pcm / 32768.0
    if samples.ndim == 2:
        samples = samples.mean(axis=1)
    wanted = int(SECONDS * sample_rate)
    if len(samples) < wanted:
        samples = np.tile(samples, -(-wanted // len(samples)))
    start = (len(samples) - wanted) // 2
    _, _, power = spectrogram(samples[start : start + wanted], sample_rate, nperseg=WINDOW, noverlap=WINDOW - hop)
    return torch.from_numpy(np.log(power + 1e-7) / 12).float()[None]


def stretched(scores: Scores) -> Scores:
    """To 0..1."""
    return (scores - scores.min()) / (scores.max() - scores.min())


def enlarged(scores: torch.Tensor, mode: str = "bilinear") -> Scores:
    """(h, w) -> (224, 224), corner to corner: EZ-VSL's test bilinear, SLAVC's bicubic."""
    large = F.interpolate(scores[None, None], (GRID, GRID), mode=mode, align_corners=True)
    return large[0, 0].numpy()


def truth_of(boxes: tuple[Box, ...]) -> Scores:
    """(224, 224), 1 in any of the boxes."""
    truth = np.zeros((GRID, GRID))
    for box in boxes:
        left, top, right, bottom = (np.clip(np.array(box), 0, 1) * GRID).astype(int)
        truth[top:bottom, left:right] = 1
    return truth


def overlap_of(scores: Scores, truth: Scores) -> float:
    """cIoU of the better half of a (224, 224) map."""
    claimed = scores >= np.sort(scores.flatten())[int(GRID * GRID * 0.5)]
    inside = np.sum(claimed * truth)
    return float(inside / (np.sum(truth) + np.sum(claimed * (truth == 0))))


class PerItemEzVsl:
    """EZ-VSL's test, an item at a time: the sound's map and, where there is a prior, the prior's and their mixture."""

    def __init__(self, pictures: Path | None = None) -> None:
        self.overlaps: dict[str, list[float]] = {}
        self.pictures = pictures
        """Where heat maps are written; None writes none."""

    def add(
        self,
        name: str,
        image: torch.Tensor,
        scores: torch.Tensor,
        boxes: tuple[Box, ...],
        prior: torch.Tensor | None = None,
    ) -> None:
        """Image (3, 224, 224) as the method saw it, maps (h, w)."""
        maps = {"av": stretched(enlarged(scores))}
        if prior is not None:
            maps["obj"] = stretched(enlarged(prior))
            maps["av_obj"] = stretched((1 - PRIOR_SHARE_EZ_VSL) * maps["av"] + PRIOR_SHARE_EZ_VSL * maps["obj"])
        for kind, scores_large in maps.items():
            self.overlaps.setdefault(kind, []).append(overlap_of(scores_large, truth_of(boxes)))
            if self.pictures is not None:
                heat_map(image, scores_large).save(self.pictures / f"{name}_pred_{kind}.jpg")

    def statistics(self) -> dict[str, dict[str, float]]:
        """Of each kind of map: cIoU@0.5, the mean overlap and AUC."""
        found = {}
        for kind, overlaps in self.overlaps.items():
            shares = [float(np.mean(np.array(overlaps) >= threshold)) for threshold in THRESHOLDS]
            found[kind] = {
                "ciou": shares[10],
                "mean": float(np.mean(overlaps)),
                "auc": float(np.trapezoid(shares, THRESHOLDS)),
            }
        return found


def heat_map(image: torch.Tensor, scores: Scores) -> Image.Image:
    """The map in rainbow colours, one fifth, over the picture."""
    colours = np.clip(1.5 - np.abs(4 * scores[..., None] - np.array([3.0, 2.0, 1.0])), 0, 1)
    picture = (image * torch.tensor(STD)[:, None, None] + torch.tensor(MEAN)[:, None, None]).numpy().transpose(1, 2, 0)
    return Image.fromarray((np.clip(0.8 * picture + 0.2 * colours, 0, 1) * 255).astype(np.uint8))
