"""SSL-TIE (Liu et al., ACM MM 2022, arXiv 2206.12772): LVS on a picture and its turned copy, whose maps must agree.

What the authors' code draws once a batch (the scale, the mirroring) comes here from the draws of the first clip of the
first process: every process moves its share alike, and N processes do what one does with the whole batch. Under
`motion="clip"` each clip has its own. The draws lie on the host and the processes tell each other there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from soundspot import ops
from soundspot.augment import PHOTOS, PICTURE_DRAWS, SPEC_DRAWS, Photo, distort, spec_augment
from soundspot.device import on_device
from soundspot.lookup import find
from soundspot.media.audio import LOG_SCALE, SPECTROGRAMS
from soundspot.methods.lvs import LVS
from soundspot.types import Batch, UserError

MOTION_AT = PICTURE_DRAWS + SPEC_DRAWS
"""The first of the columns of draws after those of picture and spectrogram: angle, scale, mirror; then the mixing."""
MIX_AT = MOTION_AT + 3
SMALL = 0.5
"""A batch is turned at full size or, as often, at this scale."""
MASKED = 0.8
"""Share of the sounds that lose a band of time and one of frequency."""
MIX_STEP, MIX_START = 0.01, 0.1
"""By how much the share and the probability of a mixed-in sound grow each epoch, and where the probability starts."""

PHOTOGRAPHS: dict[str, Photo | None] = {
    "ssl_tie": replace(PHOTOS["moco_v2"], scale=(0.3, 1.0)),
    **PHOTOS,
    "none": None,
}
"""How both views' picture is changed before one of them is moved; the code's crops keep 0.3 to 1 of the area."""

LOG_POWER = {
    "mel257_db": math.log(10) / 10,
    "psd_hop238": LOG_SCALE,
    "psd_hop159": LOG_SCALE,
    "logmel": LOG_SCALE,
    "stft_hop353": 1.0,
    "yamnet": 2.0,
}
"""What a spectrogram's values times this number are the log power of (YAMNet's are logarithms of magnitudes)."""


MOTIONS = {"batch": False, "clip": True}
"""Whether each clip is mirrored for itself, and none made smaller."""
VIEWS = ("image_still", "image_moved", "audio_masked")
"""What passes the towers."""


@dataclass(frozen=True)
class Motion:
    """How a batch is moved: every clip turned by its own angle, all scaled alike. kornia's conventions."""

    degrees: Tensor
    """(B,), counter-clockwise on the screen."""
    scale: float
    mirror: Tensor
    """(B,), true where a clip is mirrored too."""

    @classmethod
    def drawn(cls, draws: Tensor, max_angle: int, *, by_clip: bool = False) -> Motion:
        """Draws (B, 3) or more -> whole degrees up to `max_angle` either way.

        Scale and mirror come from the very first row; under `by_clip` each clip's mirror is its own, the scale 1.
        """
        degrees = (draws[:, 0] * (2 * max_angle + 1)).floor() - max_angle
        if by_clip:
            return cls(degrees, 1.0, draws[:, 2] < 0.5)
        _, scale, mirror = ops.gather(draws[:1, :3])[0].tolist()  # on the host: the scale decides the picture's size
        return cls(degrees, SMALL if scale < 0.5 else 1.0, torch.full_like(degrees, mirror < 0.5, dtype=torch.bool))

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Of what comes out for (height, width)."""
        return int(height * self.scale), int(width * self.scale)

    def matrices(self, height: int, width: int) -> Tensor:
        """(B, 2, 3): from a picture's pixel to where it moves, about (width / 2, height / 2); float64."""
        angle = torch.deg2rad(self.degrees.double())
        cosine, sine = self.scale * angle.cos(), self.scale * angle.sin()
        x, y = width / 2, height / 2
        rows = (cosine, sine, (1 - cosine) * x - sine * y, -sine, cosine, sine * x + (1 - cosine) * y)
        return torch.stack(rows, dim=1).reshape(-1, 2, 3)

    def apply(self, maps: Tensor, canvas: tuple[int, int], size: tuple[int, int]) -> Tensor:
        """(B, C, h, w) -> (B, C, *size): enlarged to the canvas, turned and scaled there (0 outside), then resized."""
        grid = F.affine_grid(on_device(self._back(*canvas), maps.device), [len(maps), 1, *canvas], align_corners=True)
        turned = F.grid_sample(_resized(maps.float(), canvas), grid, align_corners=True)
        moved = _resized(turned, size)
        mirror = on_device(self.mirror, maps.device)[:, None, None, None]
        return torch.where(mirror, moved.flip(-1), moved)

    def _back(self, height: int, width: int) -> Tensor:
        """(B, 2, 3): where a pixel comes from, in -1..1 between the centres of the outermost pixels.

        The inverse of a turn is written out: solving for it would make the host wait where the angles are a GPU's.
        """
        (cosine, sine, right), (_, _, down) = (row.unbind(1) for row in self.matrices(height, width).unbind(1))
        cosine, sine = cosine / self.scale**2, sine / self.scale**2
        x, y = max(width - 1, 1) / 2, max(height - 1, 1) / 2  # pixels in one unit of -1..1
        rows = (
            *(cosine, -sine * (y / x), cosine - (cosine * right + sine * (y - down)) / x - 1),
            *(sine * (x / y), cosine, cosine + (sine * (x - right) - cosine * down) / y - 1),
        )
        return torch.stack(rows, dim=1).reshape(-1, 2, 3).float()


def _resized(maps: Tensor, size: tuple[int, int]) -> Tensor:
    return maps if maps.shape[-2:] == size else F.interpolate(maps, size=size, mode="bilinear", align_corners=False)


class SSLTIE(LVS):
    """LVS's network and loss, twice: on the changed picture, and on the same picture turned, scaled and mirrored."""

    needs = frozenset({"draws"})

    def __init__(
        self,
        equivariance: float = 1.0,
        max_angle: int = 30,
        motion: str = "batch",
        photo: str = "ssl_tie",
        time_mask: int = 180,
        frequency_mask: int = 35,
        audmix: bool = False,
        mix_epochs: int = 40,
        spectrogram: str = "mel257_db",
        **lvs: Any,
    ) -> None:
        """`equivariance` weighs the maps' squared difference; masks are the widest in columns and rows (0: none).

        `motion="clip"` mirrors each clip for itself and makes none smaller: then what the frozen stages say of both
        views can be kept, where in the published code the whole batch is at one of two scales.

        With `audmix`, some sounds get a growing share, until epoch `mix_epochs`, of the most similar sound among their
        process's share of the batch; the code asks a queue of 4,000 of the training set, and mixes waveforms where we
        add powers.
        """
        super().__init__(spectrogram=spectrogram, **lvs)
        if not 0 <= mix_epochs < 1 / MIX_STEP:
            raise UserError(
                f"ssl_tie: expected mix_epochs in 0..99, got {mix_epochs}; the share grows by 0.01 an epoch"
            )
        if max_angle < 0 or equivariance < 0 or min(time_mask, frequency_mask) < 0:
            raise UserError(
                "ssl_tie: expected max_angle, equivariance and masks of 0 or more, got "
                f"{max_angle}, {equivariance}, {time_mask} and {frequency_mask}; 0 leaves each out"
            )
        self.equivariance, self.max_angle = equivariance, max_angle
        self.by_clip = find(MOTIONS, motion, "motion")
        self.photo = find(PHOTOGRAPHS, photo, "photo")
        self.widest = (time_mask, frequency_mask)
        self.silence = _silence(spectrogram)
        self.mix_epochs = mix_epochs if audmix else 0
        self.mix_unit = find(LOG_POWER, spectrogram, "spectrogram that sounds can be mixed in") if audmix else 1.0
        self.mix_share = 0.0

    @property
    def keeps(self) -> bool:
        """Not where scales differ from batch to batch, or sounds are mixed more from epoch to epoch."""
        return super().keeps and self.by_clip and not self.mix_epochs

    def frozen(self, batch: Batch) -> dict[str, Tensor]:
        """As of two towers; where the batch brings draws, of both views, and how the second one moved."""
        if not self.keeps or batch.draws is None:
            return super().frozen(batch)
        views, motion = self._views(batch)
        return {**views, "degrees": motion.degrees, "mirror": motion.mirror.float()}

    def before_epoch(self, epoch: int) -> None:
        """The curriculum of mixing: nothing in the first epoch, then a share that grows."""
        self.mix_share = MIX_STEP * min(epoch, self.mix_epochs)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Half LVS's loss of each view, and how far their maps are from moving alike; as in the published code."""
        views, motion = self._views(batch)
        still, moved, sounds = (views[name] for name in VIEWS)
        canvas = (
            (self.inputs.image_size,) * 2
            if "degrees" in batch.extra
            else (batch.image.shape[-2], batch.image.shape[-1])
        )
        heard = ops.unit(self.audio_head(ops.max_pool(self.audio.rest(sounds))))
        return self.terms(self._cells(still), self._cells(moved), heard, motion, canvas)

    def _views(self, batch: Batch) -> tuple[dict[str, Tensor], Motion]:
        """What the frozen stages make of VIEWS, and how the second moved: as the batch brings it, or made now."""
        if "degrees" in batch.extra:
            motion = Motion(batch.extra["degrees"], 1.0, batch.extra["mirror"] > 0.5)
            return {name: batch.extra[name] for name in VIEWS}, motion
        if batch.draws is None:
            raise UserError(
                "ssl_tie: expected batch.draws, random numbers for its views, got none; give (B, NUM_DRAWS)"
            )
        draws = batch.draws
        image = batch.image if self.photo is None else distort(batch.image, draws, self.inputs, self.photo)
        audio = self.masked(self.mixed(batch.audio, draws[:, MIX_AT]), draws[:, PICTURE_DRAWS:])
        motion = Motion.drawn(draws[:, MOTION_AT:], self.max_angle, by_clip=self.by_clip)
        canvas = (image.shape[-2], image.shape[-1])
        moved = motion.apply(image, canvas, motion.size(*canvas))
        made = (self.image.frozen(image), self.image.frozen(moved), self.audio.frozen(audio))
        return dict(zip(VIEWS, made, strict=True)), motion

    def _cells(self, maps: Tensor) -> Tensor:
        return ops.unit(self.image_head(self.image.rest(maps)))

    def terms(
        self, cells: Tensor, moved: Tensor, sounds: Tensor, motion: Motion, canvas: tuple[int, int]
    ) -> dict[str, Tensor]:
        """Unit cells of both views, unit sounds -> the loss; like the code, neither map is held fixed."""
        still_map, moved_map = ops.own_similarity(cells, sounds), ops.own_similarity(moved, sounds)
        followed = motion.apply(still_map[:, None], canvas, (moved_map.shape[-2], moved_map.shape[-1]))[:, 0]
        everybody = ops.gather(sounds)
        return {
            "nce": 0.5 * self._contrast(cells, everybody),
            "nce_moved": 0.5 * self._contrast(moved, everybody),
            "equivariance": self.equivariance * F.mse_loss(moved_map, followed),
        }

    def _contrast(self, cells: Tensor, sounds: Tensor) -> Tensor:
        logits = self.logits(cells, sounds, first=ops.rank() * len(cells))
        return F.cross_entropy(logits, torch.zeros(len(cells), dtype=torch.long, device=cells.device))

    def masked(self, audio: Tensor, draws: Tensor) -> Tensor:
        """(B, 1, F, T), draws (B, SPEC_DRAWS) or more -> most sounds without a band of time and one of frequency."""
        time, frequency = self.widest
        return spec_augment(audio, draws, time=time, frequency=frequency, probability=MASKED, fill=self.silence)

    def mixed(self, audio: Tensor, draws: Tensor) -> Tensor:
        """(B, 1, F, T), draws (B,) -> the sounds, some of them with a share of the most similar other one."""
        if self.mix_share == 0 or len(audio) < 2:
            return audio
        partner = audio[self._most_similar(audio)]
        ours, theirs = (2 * math.log(share) for share in (1 - self.mix_share, self.mix_share))
        both = torch.logaddexp(audio * self.mix_unit + ours, partner * self.mix_unit + theirs) / self.mix_unit
        chosen = on_device(draws < MIX_START + self.mix_share, audio.device)
        return torch.where(chosen[:, None, None, None], both, audio)

    @torch.no_grad()
    def _most_similar(self, audio: Tensor) -> Tensor:
        """(B,), each sound's nearest other; in evaluation mode, since batch norm shall not see a sound twice."""
        was_training = self.audio.training
        self.audio.eval()
        sounds = ops.unit(ops.max_pool(self.audio(audio)))
        self.audio.train(was_training)
        return (sounds @ sounds.T).fill_diagonal_(-torch.inf).argmax(dim=1)


def _silence(spectrogram: str) -> float:
    """What a spectrogram shows where there is no sound: what the published masking leaves."""
    return float(find(SPECTROGRAMS, spectrogram, "spectrogram")(torch.zeros(1, 16000), 16000).min())
