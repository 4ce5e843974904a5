"""AVObject, Audio-Visual Objects from Video (Afouras et al., ECCV 2020, arXiv 2008.04237): what moves as it sounds.

The places of a film that fit its sound at the right time better than the same sound shifted. What this form leaves out
or does in its own way: the picture's tower is one of still pictures, followed by a convolution over time (theirs is 3-D
from the first layer, at 25 frames a second); vectors have length 1, so that scores have bounds (theirs are dot
products); maps are not gathered along optical flow, so peaks are linked from frame to frame where they lie near
(`tracks`); nothing comes after the objects: no correction of synchronisation, no separation of speakers, no
active-speaker detection. The authors released inference for talking heads, without training. A single picture is a film
of one frame, in which nothing moves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from soundspot import ops
from soundspot.methods.towers import TwoTowers, directions
from soundspot.types import Batch, UserError

FIRST_SCALE = 1 / 0.07
"""Of the cosines in the loss; it is learned. The usual start of contrastive losses, for want of the authors'."""


class OverTime(nn.Module):
    """(B, T, C, h, w) -> (B, T, dim, h, w): every cell sees itself in the frames around; ends are repeated."""

    def __init__(self, channels: int, dim: int, width: int) -> None:
        super().__init__()
        self.width = width
        self.conv = nn.Conv3d(channels, dim, kernel_size=(width, 1, 1))

    def forward(self, cells: Tensor) -> Tensor:
        """Also of a single frame, which then is a film that stands still."""
        around = self.width // 2
        film = F.pad(cells.movedim(2, 1), (0, 0, 0, 0, around, around), mode="replicate")
        return self.conv(film).movedim(1, 2)


def best_places(cells: Tensor, sounds: Tensor) -> Tensor:
    """Unit cells (B, T, C, h, w), unit sounds (B, U, C) -> (B, T, U): a frame's best cosine with each moment."""
    with torch.autocast(cells.device.type, enabled=False):
        return torch.einsum("btchw,buc->btuhw", cells.float(), sounds.float()).amax(dim=(-2, -1))


def shift_logits(best: Tensor, max_shift: int) -> Tensor:
    """(B, T, T) -> (B, 1 + 2 S): the mean over frames with the sound in place, then 1, -1, 2, -2, ... frames off.

    S is `max_shift`, but half the film at most: what overlaps must not become too short to tell.
    """
    most = min(max_shift, best.shape[1] // 2)
    offsets = [0, *(sign * shift for shift in range(1, most + 1) for sign in (1, -1))]
    return torch.stack([best.diagonal(offset, dim1=1, dim2=2).mean(dim=-1) for offset in offsets], dim=1)


class AVObject(TwoTowers):
    """Cosines of places and moments; the loss knows no other clip than the one whose sound it shifts."""

    score_range = (-1.0, 1.0)

    def __init__(
        self,
        dim: int = 1024,
        num_frames: int = 30,
        max_shift: int = 15,
        time_width: int = 5,
        output_stride: int = 16,
        audio_stride: int = 8,
        spectrogram: str = "logmel",
        sample_rate: int = 16000,
        window: str = "frame",
        **towers: Any,
    ) -> None:
        """`num_frames` over the sound's window; 1 reads single pictures and cannot be trained, but takes weights.

        `time_width`: frames that the convolution over time sees. `audio_stride`: columns of the spectrogram a step of
        the sound's vectors; it should not be coarser than the frames.
        """
        super().__init__(
            output_stride=output_stride,
            audio_stride=audio_stride,
            spectrogram=spectrogram,
            sample_rate=sample_rate,
            window=window,
            **towers,
        )
        if min(num_frames, max_shift) < 1 or time_width % 2 == 0:
            raise UserError(
                "avobject: expected num_frames and max_shift of 1 or more and an odd time_width, got "
                f"{num_frames}, {max_shift} and {time_width}; change them"
            )
        self.needs = frozenset({"frames"} if num_frames > 1 else ())
        self.inputs = replace(self.inputs, views=("frames",) if num_frames > 1 else (), num_frames=num_frames)
        self.max_shift = max_shift
        self.image_head = OverTime(self.image.channels, dim, time_width)
        self.audio_head = nn.Linear(self.audio.channels, dim)
        self.log_scale = nn.Parameter(torch.tensor(math.log(FIRST_SCALE)))

    def frozen(self, batch: Batch) -> dict[str, Tensor]:
        """What the towers' frozen stages give: "audio" and, of all frames, "frame_features" (B, T, ...).

        The frames are what costs: a sound's tower that learns from its first layer on has the spectrogram itself kept.
        """
        return self.through_frozen(batch) if self.image.keeps else {}

    def through_frozen(self, batch: Batch) -> dict[str, Tensor]:
        """The same, as the batch brings it or made now."""
        given = dict(batch.extra)
        if "audio" not in given:
            given["audio"] = self.audio.frozen(batch.audio)
        if "frame_features" not in given:
            frames = given["frames"] if "frames" in given else batch.image[:, None]
            given["frame_features"] = self.image.frozen(frames.flatten(0, 1)).unflatten(0, frames.shape[:2])
        return {name: given[name] for name in ("frame_features", "audio")}

    def features(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The towers' features: (B, T, C, h, w) of the frames, (B, C', t) of the sound."""
        given = self.through_frozen(batch)
        frames = given["frame_features"]
        cells = self.image.rest(frames.flatten(0, 1)).unflatten(0, frames.shape[:2])
        return cells, self.audio.rest(given["audio"]).amax(dim=2)  # over frequency: time goes on

    def encode(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Unit cells (B, T, dim, h, w) and unit sounds (B, T, dim), one a frame."""
        cells, heard = self.features(batch)
        sounds = F.adaptive_avg_pool1d(heard, cells.shape[1]).movedim(1, 2)
        return _unit(self.image_head(cells), 2), _unit(self.audio_head(sounds), 2)

    def maps(self, batch: Batch) -> Tensor:
        """Cosine at every place of every frame with the sound of its moment, (B, T, h, w)."""
        cells, sounds = self.encode(batch)
        return ops.own_similarity(cells.flatten(0, 1), sounds.flatten(0, 1)).unflatten(0, cells.shape[:2])

    def localize(self, batch: Batch) -> Tensor:
        """The map of the frame in the middle, which is the picture's; or of the picture, where there are no frames."""
        maps = self.maps(batch)
        return maps[:, maps.shape[1] // 2]

    def embed(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Means over places and moments."""
        cells, sounds = self.encode(batch)
        return ops.unit(cells.mean(dim=(1, 3, 4))), ops.unit(sounds.mean(dim=1))

    def embed_backbone(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The same without the heads."""
        cells, heard = self.features(batch)
        return directions(cells.movedim(1, 2).flatten(2, 3), ops.unit(heard).mean(dim=-1))

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Cross-entropy of the sound in place against the same sound shifted; all negatives are of the same clip."""
        cells, sounds = self.encode(batch)
        if cells.shape[1] < 2:
            raise UserError(
                'avobject: expected batch.extra["frames"] (B, T, 3, H, W) of two or more frames, got one; train on'
                " films, with num_frames above 1"
            )
        logits = shift_logits(best_places(cells, sounds), self.max_shift) * self.log_scale.float().exp()
        return {"shift": F.cross_entropy(logits, torch.zeros(len(logits), dtype=torch.long, device=logits.device))}


def _unit(x: Tensor, dim: int) -> Tensor:
    return F.normalize(x.float(), dim=dim, eps=1e-12)


@dataclass(frozen=True)
class Peak:
    """Where a map is highest around: row and column of the cell."""

    row: int
    column: int
    score: float


@dataclass(frozen=True)
class Track:
    """One object through time: a peak a frame, from frame `first` on."""

    first: int
    peaks: tuple[Peak, ...]

    @property
    def score(self) -> float:
        """The mean over its frames."""
        return sum(peak.score for peak in self.peaks) / len(self.peaks)


def peaks(scores: Tensor, *, radius: int = 2, least: float = -math.inf, most: int = 5) -> list[Peak]:
    """(h, w) -> up to `most` cells of `least` or more, highest first, none within `radius` cells of a higher one."""
    found: list[Peak] = []
    left = scores.detach().float().cpu().clone()
    while len(found) < most and bool((left > -math.inf).any()):
        row, column = divmod(int(left.argmax()), left.shape[1])
        if left[row, column] < least:
            break
        found.append(Peak(row, column, float(left[row, column])))
        rows, columns = (slice(max(0, at - radius), at + radius + 1) for at in (row, column))
        left[rows, columns] = -math.inf
    return found


def tracks(
    maps: Tensor, *, radius: int = 2, least: float = -math.inf, most: int = 5, reach: float = 2.0, shortest: int = 1
) -> list[Track]:
    """(T, h, w) -> tracks of its peaks, the highest mean first; a track goes on with the next frame's nearest peak.

    The nearest pairs come first, up to `reach` cells apart; tracks shorter than `shortest` frames are left out.
    """
    ended: list[Track] = []
    running: list[Track] = []
    for number, scores in enumerate(maps):
        free = peaks(scores, radius=radius, least=least, most=most)
        gone_on: list[Track] = []
        pairs = sorted(
            (_apart(track.peaks[-1], peak), i, j) for i, track in enumerate(running) for j, peak in enumerate(free)
        )
        taken: tuple[set[int], set[int]] = (set(), set())
        for distance, i, j in pairs:
            if distance <= reach and i not in taken[0] and j not in taken[1]:
                taken[0].add(i)
                taken[1].add(j)
                gone_on.append(Track(running[i].first, (*running[i].peaks, free[j])))
        ended += [track for i, track in enumerate(running) if i not in taken[0]]
        running = gone_on + [Track(number, (peak,)) for j, peak in enumerate(free) if j not in taken[1]]
    long_enough = [track for track in ended + running if len(track.peaks) >= shortest]
    return sorted(long_enough, key=lambda track: -track.score)


def _apart(one: Peak, other: Peak) -> float:
    return math.hypot(one.row - other.row, one.column - other.column)
