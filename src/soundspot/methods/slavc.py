"""SLAVC (Mo and Morgado, NeurIPS 2022, arXiv 2209.09634): localize and correspond apart, towards slow teachers."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from soundspot import ops
from soundspot.lookup import find
from soundspot.methods.base import positive
from soundspot.methods.ez_vsl import audio_head, image_head
from soundspot.methods.towers import TwoTowers, directions
from soundspot.nets.audio import AudioTower
from soundspot.nets.image import ImageTower
from soundspot.types import Batch, UserError


@dataclass(frozen=True)
class Space:
    """One subspace's unit cells (B, C, h, w) and unit sounds (B, C)."""

    cells: Tensor
    sounds: Tensor

    def gathered(self) -> Space:
        """The same of all processes."""
        return Space(ops.gather(self.cells), ops.gather(self.sounds))


Spaces = dict[str, Space]
"""By name: "avc" tells which sound belongs to a place, "loc" which place of a picture sounds."""


class Branch(nn.Module):
    """Towers, dropout on their outputs, and a linear head a subspace and modality."""

    def __init__(
        self, image: ImageTower, audio: AudioTower, dim: int, spaces: tuple[str, ...], dropout: tuple[float, float]
    ) -> None:
        super().__init__()
        self.image, self.audio = image, audio
        self.image_dropout, self.audio_dropout = nn.Dropout(dropout[0]), nn.Dropout(dropout[1])
        self.image_heads = nn.ModuleDict({name: image_head(image.channels, dim) for name in spaces})
        self.audio_heads = nn.ModuleDict({name: audio_head(audio.channels, dim) for name in spaces})

    def forward(self, given: Mapping[str, Tensor]) -> Spaces:
        """Every subspace of a batch, from what the towers' frozen stages made of it."""
        places = self.image_dropout(self.image.rest(given["image"]))
        sounds = self.audio_dropout(ops.max_pool(self.audio.rest(given["audio"])))
        return {
            name: Space(ops.unit(self.image_heads[name](places)), ops.unit(self.audio_heads[name](sounds)))
            for name in self.image_heads
        }


JOINT_COPIES = 6
"""Tensors of the similarities' size that the joint probability takes: two similarities, each one's logarithm of the
softmax, their sum, and what is pooled of it."""


def joint_log_probability(
    image: Spaces,
    audio: Spaces,
    temperature: float,
    pool: Callable[[Tensor], Tensor],
    *,
    chunk_elements: int = ops.CHUNK_ELEMENTS,
) -> Tensor:
    """Pictures of one branch, sounds of another -> (B, M): `pool` over places of log(P_avc * P_loc), paper eq. 3 and 4.

    P_avc is a softmax over sounds at each place, P_loc one over the places of a picture: each picture has its own. In
    logarithms, where the published code's products of softmaxes would underflow.
    """

    def joint(avc_cells: Tensor, loc_cells: Tensor, avc_sounds: Tensor, loc_sounds: Tensor) -> Tensor:
        avc = ops.similarity(avc_cells, avc_sounds).flatten(-2) / temperature
        loc = ops.similarity(loc_cells, loc_sounds).flatten(-2) / temperature
        return pool(avc.log_softmax(dim=1) + loc.log_softmax(dim=-1))

    cells, sounds = ([spaces[name] for name in ("avc", "loc")] for spaces in (image, audio))
    elements = JOINT_COPIES * len(sounds[0].sounds) * cells[0].cells.shape[-2:].numel()
    return ops.by_pictures(
        joint,
        [each.cells for each in cells],
        [each.sounds for each in sounds],
        elements,
        chunk_elements=chunk_elements,
    )


def _log_sum(x: Tensor) -> Tensor:
    return x.logsumexp(dim=-1)


def _max(x: Tensor) -> Tensor:
    return x.max(dim=-1).values


def _as_coded(online: Spaces, teacher: Spaces, temperature: float) -> dict[str, Tensor]:
    """The published code: the sum over places, and both terms choose among sounds."""
    return {
        "image_to_audio": ops.info_nce(joint_log_probability(online, teacher, temperature, _log_sum)),
        "audio_to_image": ops.info_nce(joint_log_probability(teacher, online, temperature, _log_sum)),
    }


def _as_written(online: Spaces, teacher: Spaces, temperature: float) -> dict[str, Tensor]:
    """Paper eq. 6: the best place; the term with online sounds chooses among pictures."""
    return {
        "image_to_audio": ops.info_nce(joint_log_probability(online, teacher, temperature, _max)),
        "audio_to_image": ops.info_nce(joint_log_probability(teacher, online, temperature, _max).T),
    }


def _undivided(online: Spaces, teacher: Spaces, temperature: float) -> dict[str, Tensor]:
    """Without the decomposition: EZ-VSL's loss (paper eq. 1) towards the teachers, in the one subspace there is."""
    ours, theirs = online["loc"], teacher["loc"]
    forth = ops.pooled_similarity(ours.cells, theirs.sounds, ops.max_pool) / temperature
    back = ops.pooled_similarity(theirs.cells, ours.sounds, ops.max_pool) / temperature
    return {"image_to_audio": ops.info_nce(forth), "audio_to_image": ops.info_nce(back.T)}


VARIANTS: dict[str, Callable[[Spaces, Spaces, float], dict[str, Tensor]]] = {"code": _as_coded, "paper": _as_written}
INFERENCES: dict[str, tuple[str, ...]] = {"both": ("avc", "loc"), "avc": ("avc",), "avloc": ("loc",)}
"""Which subspaces' cosines make the map (their mean), as in the paper's table 4d."""


class SLAVC(TwoTowers):
    """EZ-VSL's towers with heavy dropout, two subspaces, and momentum teachers as targets.

    `variant="code"` is the default because the published numbers and weights come from the published code.
    Every row of the paper's table 4: `dropout_image`, `dropout_audio`, the momenta, `decomposition`, `inference`.

    The teachers move in `after_step`, towards the weights that the step has just made. The published code moves them
    inside forward, before it takes targets, towards the weights that the step will start from. As teachers start as
    copies of the online towers, its first move changes nothing, and the teachers that give the targets are the
    same at every step; only those saved after the last step are one move further along here.

    Stages that never learn are the same in both, so the online towers' serve the teachers too.
    """

    def __init__(
        self,
        dim: int = 512,
        temperature: float = 0.03,
        variant: str = "code",
        decomposition: bool = True,
        inference: str = "both",
        infer_with: str = "teacher",
        dropout_image: float = 0.9,
        dropout_audio: float = 0.0,
        momentum_image: float = 0.999,
        momentum_audio: float = 0.999,
        **towers: Any,
    ) -> None:
        super().__init__(**towers)
        self.temperature = positive(temperature, "temperature")
        self.score_range = (-1 / temperature, 1 / temperature)
        self.terms = find(VARIANTS, variant, "variant") if decomposition else _undivided
        self.shown = find(INFERENCES, inference, "inference")
        if not decomposition and inference != "avloc":
            raise UserError(f"slavc: expected inference='avloc' with decomposition=False, got {inference!r}; set it")
        self.infer_with_teacher = find({"teacher": True, "online": False}, infer_with, "infer_with")
        self.momenta = {"image": momentum_image, "audio": momentum_audio}
        spaces = ("avc", "loc") if decomposition else ("loc",)
        self.online = Branch(self.image, self.audio, dim, spaces, (dropout_image, dropout_audio))
        del self.image, self.audio  # they live in the branch, under its names
        self.teacher = copy.deepcopy(self.online).requires_grad_(False)

    def towers(self) -> tuple[ImageTower, AudioTower]:
        """The online towers; their frozen stages serve the teachers too."""
        return self.online.image, self.online.audio

    @property
    def shown_branch(self) -> Branch:
        """The branch that localization and retrieval use."""
        return self.teacher if self.infer_with_teacher else self.online

    def encode(self, batch: Batch) -> Spaces:
        """The subspaces that localization and retrieval use."""
        return self.shown_branch(self.through_frozen(batch))

    def localize(self, batch: Batch) -> Tensor:
        """Mean cosine of the shown subspaces over temperature, (B, h, w): paper eq. 7 up to a constant factor."""
        return self.scores(self.encode(batch))

    def scores(self, spaces: Spaces) -> Tensor:
        """Subspaces of a batch -> (B, h, w)."""
        shown = [ops.own_similarity(spaces[name].cells, spaces[name].sounds) for name in self.shown]
        return torch.stack(shown).mean(dim=0) / self.temperature

    def embed(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The subspace of correspondence (the only one without decomposition); a picture is the mean of its cells."""
        spaces = self.encode(batch)
        space = spaces.get("avc", spaces["loc"])
        return ops.unit(ops.mean_pool(space.cells)), space.sounds

    def embed_backbone(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """As of two towers, by those of the branch that `embed` uses."""
        branch, given = self.shown_branch, self.through_frozen(batch)
        return directions(branch.image.rest(given["image"]), ops.max_pool(branch.audio.rest(given["audio"])))

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Online pictures against the teachers' sounds, and the other way round, over the pairs of all processes."""
        given = self.through_frozen(batch)
        online = self.online(given)
        with torch.no_grad():
            teacher = self.teacher(given)
        return self.terms(_gathered(online), _gathered(teacher), self.temperature)

    @torch.no_grad()
    def after_step(self) -> None:
        """Move the teachers: parameters only; their batch norms take statistics from their own forward passes."""
        slow = dict(self.teacher.named_parameters())
        for modality, momentum in self.momenta.items():
            # what does not learn is the same in both; rounding would let it drift
            moving = {
                name: online.detach()
                for name, online in self.online.named_parameters()
                if online.requires_grad and name.startswith(modality)
            }
            teachers: list[Tensor] = [slow[name] for name in moving]
            torch._foreach_mul_(teachers, momentum)
            torch._foreach_add_(teachers, list(moving.values()), alpha=1 - momentum)


def _gathered(spaces: Spaces) -> Spaces:
    return {name: space.gathered() for name, space in spaces.items()}
