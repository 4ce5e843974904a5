"""DSOL (Hu et al., "Discriminative Sounding Objects Localization via Self-supervised Audiovisual Matching", NeurIPS
2020, arXiv 2010.05466; its journal form is CSOL): classes found on solos, then told apart in mixtures.

Stage `solo` learns from clips of one sound where it comes from (a picture with its own sound and another clip's picture
with it), clusters what sounds in the pictures, and learns to name the cluster from picture and sound. Stage `cocktail`,
from those weights, sees mixtures: a map a cluster, likeness to the cluster's mean object vector where there is sound,
must hold as much of each cluster as a frozen copy of the sound's classifier hears.

As the authors' music code, with these differences:

* the code as shipped does not run; its number of clusters stands in one place as 11, its test stops after a batch;
* its cluster-to-class assignment is the best of a million random ones on the labels that are scored; here `tune`
  matches optimally, on other clips;
* it scales class maps by a random number that may be negative, here by 1 before it is learned, and shifts them by one
  that cancels in the softmax: here it stays 0;
* each of its epochs is one of localization and, from the second on, three of classes: here these are epochs of their
  own (`first_epochs`, `class_epochs`; its 15 are 57). Its class heads have an optimizer of their own at ten times the
  rate (`head_rate`), begun anew with them; here Adam's memory of the old heads fades in some ten steps;
* the negative picture is the next clip's, not one of another film; colours are not jittered.

Both are offered where a constant matters: object vectors over all cells of the map (`divide_by="cells"`, the code) or
over those in the mask; the divergence as the mean over all elements (`kl="elements"`, the code: 1 / K of the usual) or
as the sum over clusters ("batch").
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from soundspot import ops
from soundspot.lookup import find
from soundspot.methods.avol import pair_terms
from soundspot.methods.base import positive
from soundspot.methods.prototypes import DIVISORS, ClassHead, Clustered, agree, cluster_means, object_vectors
from soundspot.types import Batch, UserError

REDUCTIONS = {"elements": (0, 1), "batch": (0,)}
"""What the sum of a divergence's terms (B, K) is divided by: the sizes of these axes."""


def quadrant_terms(own: Tensor, other: Tensor) -> dict[str, Tensor]:
    """Log-odds (B, h, w) of pictures with their own sound, (M, h, w) with another -> halves of their mean BCE each.

    Something sounds in the best place of the first; in no quarter of the second.
    """
    quarters = F.adaptive_max_pool2d(other[:, None], 2).flatten()
    wrong = F.softplus(quarters).sum() / max(1, len(quarters))
    return {"positive": F.softplus(-ops.max_pool(own)).mean() / 2, "negative": wrong / 2}


def divergence(student: Tensor, teacher: Tensor, reduction: str = "elements") -> Tensor:
    """Logits (B, K), logits (B, K) -> scalar: KL of the teacher's softmax from the student's, see REDUCTIONS."""
    total = F.kl_div(student.float().log_softmax(dim=1), teacher.float().softmax(dim=1), reduction="sum")
    return total / math.prod(student.shape[axis] for axis in REDUCTIONS[reduction])


class DSOL(Clustered):
    """Cosines of places and sound, scaled: log-odds; clusters of what sounds; class maps gated by the single map.

    `map_factor`: class maps are the softmax of so many times their scores (3 in the authors' test of mixtures). `see`
    is a place's cosine with a cluster's mean object vector.
    """

    stages = ("solo", "cocktail")
    dictionary: Tensor
    taught: Tensor

    def __init__(
        self,
        stage: str = "cocktail",
        dim: int = 128,
        scale: float = 5.0,
        mask_threshold: float = 0.05,
        divide_by: str = "cells",
        kl: str = "elements",
        place_weight: float = 0.5,
        map_factor: float = 3.0,
        **rest: Any,
    ) -> None:
        super().__init__(**rest)
        self.cocktail = find({"solo": False, "cocktail": True}, stage, "stage")
        if dim < 1:
            raise UserError(f"expected dim of at least 1, got {dim}; set it to 128, say")
        find(dict.fromkeys(DIVISORS), divide_by, "divide_by")
        find(REDUCTIONS, kl, "kl")
        self.mask_threshold, self.divide_by, self.kl = mask_threshold, divide_by, kl
        self.place_weight = positive(place_weight, "place_weight")
        self.map_factor = positive(map_factor, "map_factor")
        pictures, sounds = self.image.channels, self.audio.channels
        self.image_head = nn.Sequential(nn.Conv2d(pictures, dim, 1), nn.ReLU(), nn.Conv2d(dim, dim, 1))
        self.audio_head = nn.Sequential(nn.Linear(sounds, dim), nn.ReLU(), nn.Linear(dim, dim))
        self.scale = nn.Parameter(torch.tensor(scale))
        self.image_classes = ClassHead(pictures, self.num_clusters, self.head_rate)
        self.sound_classes = ClassHead(sounds, self.num_clusters, self.head_rate)
        self.keep_centres(pictures)
        self.register_buffer("dictionary", ops.unit(torch.randn(self.num_clusters, pictures)))
        self.object_scale = nn.Parameter(torch.ones(()), requires_grad=self.cocktail)
        self.object_offset = nn.Buffer(torch.zeros(()))
        self.teacher_tower = copy.deepcopy(self.audio).requires_grad_(False)
        self.teacher_head = copy.deepcopy(self.sound_classes).requires_grad_(False)
        self.register_buffer("taught", torch.zeros((), dtype=torch.bool))
        if self.cocktail:
            nn.ModuleList([self.image_classes, self.sound_classes]).requires_grad_(False)

    @property
    def alternates(self) -> bool:
        """In stage solo."""
        return not self.cocktail

    def train(self, mode: bool = True) -> DSOL:
        """As usual, but for the teacher, which stays as it is."""
        super().train(mode)
        self.teacher_tower.eval()
        return self

    def before_epoch(self, epoch: int) -> None:
        """As of all clusters; before the first epoch of mixtures the sound's tower becomes the teacher."""
        super().before_epoch(epoch)
        if not self.cocktail or self.taught:
            return
        if not self.clustered:
            raise UserError("expected the weights of stage solo to start stage cocktail from, got none; give init")
        self.teacher_tower.load_state_dict(self.audio.state_dict())
        self.teacher_head.load_state_dict(self.sound_classes.state_dict())
        self.taught.fill_(True)

    def project(self, image: Tensor, sounds: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, h, w), (B, C') -> unit cells (B, dim, h, w) and unit sounds (B, dim)."""
        return ops.unit(self.image_head(image)), ops.unit(self.audio_head(sounds))

    def odds(self, cells: Tensor, sounds: Tensor) -> Tensor:
        """Unit cells (B, dim, h, w), unit sounds (B, dim) -> log-odds that what sounds is here, (B, h, w)."""
        return self.scale * ops.own_similarity(cells, sounds)

    def embed(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """A picture is the mean of its cells."""
        image, audio = self.features(batch)
        cells, sounds = self.project(image, ops.max_pool(audio))
        return ops.unit(ops.mean_pool(cells)), sounds

    def class_maps(self, image: Tensor, gate: Tensor | float = 1.0) -> Tensor:
        """(B, C, h, w), (B, h, w) in 0..1 -> (B, K, h, w): likeness to each cluster's object vector, by the gate."""
        alike = ops.similarity(image, self.dictionary) * self.object_scale + self.object_offset
        return alike * (gate if isinstance(gate, float) else gate[:, None])

    def localize(self, batch: Batch) -> Tensor:
        """A class's share of each place, (B, K, h, w); with output="one" the probability of any sound, (B, h, w)."""
        image, audio = self.features(batch)
        gate = self.odds(*self.project(image, ops.max_pool(audio))).sigmoid()
        if not self.by_class:
            return gate
        return self.shares(self.class_maps(image, gate), self.map_factor)

    def raw_class_maps(self, batch: Batch) -> Tensor:
        """(B, K, h, w) of clusters."""
        image, audio = self.features(batch)
        return self.class_maps(image, self.odds(*self.project(image, ops.max_pool(audio))).sigmoid())

    def see(self, batch: Batch) -> Tensor:
        """(B, K, h, w) in 0..1: the cosine of each place with the class's likest object vector, where it is above 0."""
        image = self.image.rest(self.frozen_picture(batch))
        return self.best(ops.similarity(ops.unit(image), ops.unit(self.dictionary)).clamp(0, 1))

    def hear(self, batch: Batch) -> Tensor:
        """(B, K): shares of what the sound's class head says; in stage cocktail the teacher's."""
        return self.summed(self.sound_logits(self.frozen_sound(batch)).softmax(dim=1))

    def sound_logits(self, frozen: Tensor) -> Tensor:
        """What the sound tower's frozen stages gave -> (B, K) of the clusters, by the teacher if there is one."""
        if self.cocktail and self.taught:
            return self.teacher_head(ops.max_pool(self.teacher_tower.rest(frozen))).float()
        return self.sound_classes(ops.max_pool(self.audio.rest(frozen))).float()

    def vectors(self, batch: Batch) -> Tensor:
        """(B, C) features of the picture where the dilated map is above `mask_threshold`."""
        image, audio = self.features(batch)
        maps = self.odds(*self.project(image, ops.max_pool(audio))).sigmoid()
        return object_vectors(image, maps, self.mask_threshold, self.divide_by)

    def survey(self, batches: Iterable[Batch]) -> None:
        """Cluster all clips' object vectors, and take each cluster's mean of them into the dictionary."""
        ids: list[str] = []
        seen = []
        for batch in batches:
            seen.append(self.vectors(batch).cpu())
            ids += batch.clip_ids
        vectors = torch.cat(seen)
        labels = self.find_clusters(ids, vectors)
        self.dictionary.copy_(cluster_means(vectors, labels, self.centres))
        agree(self.dictionary)
        for head in (self.image_classes, self.sound_classes):
            head.restart()

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Stage solo: places or classes, whichever the epoch learns. Stage cocktail: places and divergence."""
        return self._cocktail_loss(batch) if self.cocktail else self._solo_loss(batch)

    def _solo_loss(self, batch: Batch) -> dict[str, Tensor]:
        image, audio = self.features(batch)
        heard = ops.max_pool(audio)
        terms: dict[str, Tensor] = {}
        if self.phase != "classes":
            own, other = self.pairs(image, heard)
            terms |= pair_terms(ops.max_pool(own), ops.max_pool(other))
        if self.phase != "places":
            labels = self.pseudo_labels(batch)
            terms["seen"] = F.cross_entropy(self.image_classes(ops.mean_pool(image)).float(), labels)
            terms["heard"] = F.cross_entropy(self.sound_classes(heard).float(), labels)
        return terms

    def pairs(self, image: Tensor, heard: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, h, w), (B, C') -> log-odds (B, h, w) with its own sound, and of the next clip's picture with it."""
        cells, sounds = self.project(image, heard)
        others = ops.next_clips(cells)
        return self.odds(cells, sounds), self.odds(others, sounds[: len(others)])

    def _cocktail_loss(self, batch: Batch) -> dict[str, Tensor]:
        given = self.through_frozen(batch)
        image, audio = self.image.rest(given["image"]), self.audio.rest(given["audio"])
        own, other = self.pairs(image, ops.max_pool(audio))
        with torch.no_grad():
            teacher = self.sound_logits(given["audio"])
        scores = ops.mean_pool(self.class_maps(image, own.sigmoid()))
        places = {name: self.place_weight * term for name, term in quadrant_terms(own, other).items()}
        return {**places, "classes": divergence(scores, teacher, self.kl)}
