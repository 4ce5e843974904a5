"""Interference Eraser, IEr (Liu et al., "Visual Sound Localization in the Wild by Cross-Modal Interference Erasing",
AAAI 2022, arXiv 2202.06406).

The authors released no code. Stage `prototypes` learns from solos which picture and sound belong together, and
clusters what sounds: prototypes of K classes in pictures and in sounds. Stage `identifier` hears mixtures: the feature
of a sound takes one step a class, and each class that is in the mixture must come near its prototype, however loud it
is. Stage `referrer` sees films of any kind: what is heard where each class is in view, and what is in view of each
class heard, must agree, so that silent objects and off-screen sounds cancel out. Each stage starts from the one before.

What the sources leave open is decided here; docs/interference_eraser.md lists every such choice with its reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from soundspot import ops
from soundspot.lookup import find
from soundspot.media.audio import SPECTROGRAMS
from soundspot.methods.avol import pair_terms
from soundspot.methods.base import positive
from soundspot.methods.mixing import Curriculum, Level, draw, mix, union
from soundspot.methods.prototypes import (
    ClassHead,
    Clustered,
    agree,
    bytes_as_names,
    cluster_means,
    names_as_bytes,
    object_vectors,
)
from soundspot.types import Batch, UserError

POOLS = {"mean": ops.mean_pool, "max": ops.max_pool}
"""How a map becomes one score in the correspondence loss; the sources say mean."""
IDENTIFIERS = {"steps": True, "none": False}
"""A step a class, or a plain class head (the poster's first ablation)."""


def pooled(audio: Tensor) -> Tensor:
    """(B, C, f, t) -> (B, 2 C): what stands out in a sound, and what lasts."""
    return torch.cat([ops.max_pool(audio), ops.mean_pool(audio)], dim=1)


def shares(seen: Tensor, maps: Tensor, odds: Tensor, threshold: float, temperature: float) -> tuple[Tensor, Tensor]:
    """Class likeness (B, K, h, w), class maps (B, K, h, w), log-odds heard (B, K) -> log shares (B, K) twice.

    The first by sight (what is heard of what is where), the second by ear (what is heard, weighted by how much of the
    picture is above `threshold` for the class). Both look at the places above `threshold` alone, and both are relative
    to the class that is largest in view.
    """
    there = (seen > threshold).float()
    areas = ops.mean_pool(there)
    largest = areas.amax(dim=1, keepdim=True).clamp_min(1 / seen[0, 0].numel())
    by_sight = ops.mean_pool(maps * there) / (temperature * largest)
    return by_sight.log_softmax(dim=1), (areas / largest * odds).log_softmax(dim=1)


def distillation_terms(by_sight: Tensor, by_ear: Tensor) -> dict[str, Tensor]:
    """Log shares (B, K) each -> KL of each from the other; the one that teaches is held fixed."""
    return {
        "sight_from_ear": F.kl_div(by_sight, by_ear.detach(), reduction="batchmean", log_target=True),
        "ear_from_sight": F.kl_div(by_ear, by_sight.detach(), reduction="batchmean", log_target=True),
    }


class InterferenceEraser(Clustered):
    """Cosines with prototypes of what is seen and heard; a class's map is where it is in view and what is heard of it.

    Pictures and sounds share one space of `dim` numbers by a linear head each; 0: the towers' own, where their widths
    are equal. `aligned`: prototypes of what is seen and of what is heard stand in one place, since class maps compare
    sounds with places. `output="one"` is the highest of the class maps. Mixing: up to `mix_most` sources at ratios in
    +-`mix_spread_db`, in the share `mix_share` of clips, reached after `mix_epochs` epochs; at once if there is no
    `curriculum`.
    """

    stages = ("prototypes", "identifier", "referrer")
    sound_centres: Tensor

    def __init__(
        self,
        stage: str = "referrer",
        identifier: str = "steps",
        curriculum: bool = True,
        dim: int = 128,
        pool: str = "mean",
        scale: float = 5.0,
        mask_threshold: float = 0.9,
        temperature: float = 0.1,
        view_threshold: float = 0.5,
        map_factor: float = 10.0,
        place_weight: float = 1.0,
        identity_weight: float = 1.0,
        distil_weight: float = 1.0,
        keep_weight: float = 1.0,
        mix_most: int = 4,
        mix_share: float = 0.75,
        mix_spread_db: float = 10.0,
        mix_epochs: int = 10,
        aligned: bool = True,
        **rest: Any,
    ) -> None:
        super().__init__(**rest)
        self.stage = find({name: name for name in self.stages}, stage, "stage")
        self.by_steps = find(IDENTIFIERS, identifier, "identifier")
        self.pool = find(POOLS, pool, "pool")
        self.mask_threshold, self.view_threshold = mask_threshold, view_threshold
        self.temperature, self.map_factor = positive(temperature, "temperature"), positive(map_factor, "map_factor")
        self.place_weight = positive(place_weight, "place_weight")
        self.identity_weight = positive(identity_weight, "identity_weight")
        self.distil_weight, self.keep_weight = positive(distil_weight, "distil_weight"), keep_weight
        self.aligned = aligned
        self.heard_first: dict[str, Tensor] = {}
        if not (mix_most >= 2 and 0 <= mix_share <= 1 and mix_spread_db >= 0 and mix_epochs >= 0):
            raise UserError(
                "expected mix_most of 2 or more, mix_share in 0..1 and mix_spread_db and mix_epochs of 0 or more, got"
                f" {mix_most}, {mix_share}, {mix_spread_db} and {mix_epochs}; change them"
            )
        self.mix_spread_db = mix_spread_db
        self.curriculum = Curriculum(Level(mix_share, mix_most), mix_epochs if curriculum else 0)
        self.level = self.curriculum.at(0)
        if self.stage == "identifier":
            self._ask_for_waveforms()
        self._build(dim, scale)

    def _ask_for_waveforms(self) -> None:
        if not self.inputs.sample_rate:
            raise UserError("expected one sample_rate for sounds that are mixed, got 0; set it to 16000, say")
        self.inputs = replace(self.inputs, waveform=True)
        self.needs = frozenset({"waveform"})

    def _build(self, dim: int, scale: float) -> None:
        """Every stage and ablation has all parts, so that each can start from any; what it does not use is frozen."""
        self.image_head, self.audio_head = self.heads(dim)
        self.image_head.requires_grad_(self.stage != "referrer")  # else it learns to see nothing: then all agree
        width = dim or self.image.channels
        self.scale = nn.Parameter(torch.tensor(scale), requires_grad=self.stage != "referrer")
        self.steps = nn.Linear(2 * self.audio.channels, self.num_clusters * width)
        nn.init.zeros_(self.steps.weight)
        nn.init.zeros_(self.steps.bias)
        self.class_head = ClassHead(width, self.num_clusters, self.head_rate)
        self.identifies = self.stage != "prototypes"
        self.steps.requires_grad_(self.identifies and self.by_steps)
        self.class_head.requires_grad_(self.identifies and not self.by_steps)
        self.keep_centres(width)
        self.register_buffer("sound_centres", ops.unit(torch.randn(self.num_clusters, width)))

    @property
    def alternates(self) -> bool:
        """In stage prototypes."""
        return not self.identifies

    def surveys(self, epoch: int) -> bool:
        """As clusters are found; and before the first epoch of the later stages, see `survey`."""
        return super().surveys(epoch) or (self.identifies and epoch == 0)

    def before_epoch(self, epoch: int) -> None:
        """Places first, then places and clusters together; and how hard the epoch's mixtures are."""
        super().before_epoch(epoch)
        if epoch >= self.first_epochs:
            self.phase = "both"
        self.level = self.curriculum.at(epoch)
        if self.identifies and not self.clustered:
            before = self.stages[self.stages.index(self.stage) - 1]
            raise UserError(
                f"expected the weights of stage {before} to start stage {self.stage} from, got none; give init"
            )

    def frozen(self, batch: Batch) -> dict[str, Tensor]:
        """As of two towers, and the sound itself where it will be mixed."""
        given = super().frozen(batch)
        return given | {"waveform": _waveform(batch)} if given and self.inputs.waveform else given

    # What is seen and heard.

    def look(self, image: Tensor) -> Tensor:
        """(B, C, h, w) -> unit cells (B, dim, h, w)."""
        return ops.unit(self.image_head(image))

    def sound(self, audio: Tensor) -> Tensor:
        """(B, C', f, t) -> unit sounds (B, dim): the plain feature."""
        return ops.unit(self.audio_head(ops.max_pool(audio)))

    def listen(self, audio: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C', f, t) -> a unit feature a class (B, K, dim), and the class's log-odds (B, K).

        The plain feature and a step of the class; the step alone differs from class to class.
        """
        plain = self.sound(audio)
        own = plain[:, None].expand(-1, self.num_clusters, -1)
        if self.identifies and not self.by_steps:
            return own, self.class_head(plain).float()
        if self.identifies:
            own = F.normalize(own + self.steps(pooled(audio)).float().unflatten(1, (self.num_clusters, -1)), dim=-1)
        with torch.autocast(own.device.type, enabled=False):
            return own, torch.einsum("bkc,kc->bk", own.float(), ops.unit(self.sound_centres)) / self.temperature

    def in_view(self, cells: Tensor) -> Tensor:
        """Unit cells (B, dim, h, w) -> (B, K, h, w) in 0..1: cosine with each class's prototype where it is above 0."""
        return ops.similarity(cells, ops.unit(self.centres)).clamp(0, 1)

    def class_maps(self, cells: Tensor, features: Tensor) -> Tensor:
        """Cells (B, dim, h, w), features (B, K, dim) -> (B, K, h, w): in view, times the cosine with what is heard."""
        with torch.autocast(cells.device.type, enabled=False):
            heard = torch.einsum("bchw,bkc->bkhw", cells.float(), features.float())
        return self.in_view(cells) * heard

    def localize(self, batch: Batch) -> Tensor:
        """A class's share of each place, (B, K, h, w); with output="one" the highest class map, (B, h, w).

        What is in view and silent is below 0 on its class's map, and here as nothing: else the other classes would
        share its place.
        """
        maps = self.raw_class_maps(batch)
        return self.shares(maps, self.map_factor) if self.by_class else maps.amax(dim=1)

    def raw_class_maps(self, batch: Batch) -> Tensor:
        """(B, K, h, w) of clusters, 0 or more."""
        image, audio = self.features(batch)
        return self.class_maps(self.look(image), self.listen(audio)[0]).clamp_min(0)

    def see(self, batch: Batch) -> Tensor:
        """(B, K, h, w) in 0..1: cosine with the class's nearest prototype, where it is above 0."""
        return self.best(self.in_view(self.look(self.image.rest(self.frozen_picture(batch)))))

    def hear(self, batch: Batch) -> Tensor:
        """(B, K) probability of each class by itself; in stage prototypes, which knows no mixtures, shares."""
        odds = self.listen(self.audio.rest(self.frozen_sound(batch)))[1]
        return self.best(odds.sigmoid()) if self.identifies else self.summed(odds.softmax(dim=1))

    def embed(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """A picture is the mean of its cells."""
        image, audio = self.features(batch)
        return ops.unit(ops.mean_pool(self.look(image))), self.sound(audio)

    def vectors(self, batch: Batch) -> Tensor:
        """(B, dim) mean of the cells where something sounds with more than `mask_threshold`, or of the best place."""
        image, audio = self.features(batch)
        return self.objects(self.look(image), self.sound(audio))

    def objects(self, cells: Tensor, sounds: Tensor) -> Tensor:
        """Unit cells (B, dim, h, w), unit sounds (B, dim) -> (B, dim)."""
        maps = (self.scale * ops.own_similarity(cells, sounds)).sigmoid().detach()
        return object_vectors(cells, maps, self.mask_threshold, "mask")

    def survey(self, batches: Iterable[Batch]) -> None:
        """Prototypes: clusters of what sounds in the pictures, and the mean of their sounds.

        Stage identifier keeps the clusters, notes each clip's and takes the means anew. Stage referrer notes what it
        hears in each clip before it learns.
        """
        if self.stage == "referrer":
            for batch in batches:
                odds = self.listen(self.audio.rest(self.frozen_sound(batch)))[1].cpu()
                self.heard_first.update(zip(batch.clip_ids, odds, strict=True))
            return
        ids: list[str] = []
        seen, heard = [], []
        for batch in batches:
            image, audio = self.features(batch)
            sounds = self.sound(audio)
            seen.append(self.objects(self.look(image), sounds).cpu())
            heard.append(sounds.cpu())
            ids += batch.clip_ids
        pictures, sounds = ops.unit(torch.cat(seen)), torch.cat(heard)
        labels = (self.keep_clusters if self.identifies else self.find_clusters)(ids, pictures)
        self.centres.copy_(cluster_means(pictures, labels, self.centres))
        self.sound_centres.copy_(cluster_means(sounds, labels, self.sound_centres))
        agree(self.centres, self.sound_centres)

    def memory(self) -> dict[str, Tensor]:
        """The labels by clip id, and what was heard first."""
        if not self.heard_first:
            return super().memory()
        heard = {"heard_ids": names_as_bytes(self.heard_first), "heard": torch.stack(list(self.heard_first.values()))}
        return super().memory() | heard

    def recall(self, memory: Mapping[str, Tensor]) -> None:
        """Take both back."""
        super().recall(memory)
        if "heard" in memory:
            heard = memory["heard"].cpu()
            self.heard_first = dict(zip(bytes_as_names(memory["heard_ids"]), heard, strict=True))

    # What is lost.

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Stage prototypes: places or classes. Stage identifier: places and mixtures. Stage referrer: distillation."""
        image, audio = self.features(batch)
        cells = self.look(image)
        if self.stage == "referrer":
            features, odds = self.listen(audio)
            seen, maps = self.in_view(cells), self.class_maps(cells, features)
            terms = distillation_terms(*shares(seen, maps, odds, self.view_threshold, self.temperature))
            return {name: self.distil_weight * term for name, term in terms.items()} | self._kept(batch, odds)
        sounds = self.sound(audio)
        terms = self._places(cells, sounds)
        if self.stage == "identifier":
            return terms | self._identity(batch)
        return terms if self.phase == "places" else terms | self._classes(batch, cells, sounds)

    def _kept(self, batch: Batch, odds: Tensor) -> dict[str, Tensor]:
        """How far what is heard of the clips heard before has moved: what is off screen has no other hold."""
        rows = [row for row, name in enumerate(batch.clip_ids) if name in self.heard_first]
        if not rows or not self.keep_weight:
            return {}
        before = torch.stack([self.heard_first[batch.clip_ids[row]] for row in rows]).to(odds)
        moved = F.binary_cross_entropy_with_logits(odds[rows], before.sigmoid())
        least = F.binary_cross_entropy_with_logits(before, before.sigmoid())
        return {"kept": self.keep_weight * (moved - least)}

    def _places(self, cells: Tensor, sounds: Tensor) -> dict[str, Tensor]:
        """Each sound with its own picture and with the next clip's."""
        others = ops.next_clips(cells)
        own, other = (
            self.scale * self.pool(ops.own_similarity(pictures, sounds[: len(pictures)]))
            for pictures in (cells, others)
        )
        return {name: self.place_weight * term for name, term in pair_terms(own, other).items()}

    def _classes(self, batch: Batch, cells: Tensor, sounds: Tensor) -> dict[str, Tensor]:
        """What sounds in the picture, and the sound, must be nearest their cluster's prototypes; aligned, to both."""
        labels = self.pseudo_labels(batch)
        objects = self.objects(cells, sounds)
        vectors = {"seen": (objects, self.centres), "heard": (sounds, self.sound_centres)}
        if self.aligned:
            vectors |= {"seen_as_heard": (objects, self.sound_centres), "heard_as_seen": (sounds, self.centres)}
        return {
            name: F.cross_entropy(ops.products(ops.unit(some), ops.unit(centres)) / self.temperature, labels)
            for name, (some, centres) in vectors.items()
        }

    def _identity(self, batch: Batch) -> dict[str, Tensor]:
        """Each class of a mixture by itself: is it heard or not; aligned, also by the prototypes of what is seen."""
        waveforms, labels = _waveform(batch), self.pseudo_labels(batch)
        plan = draw(len(batch), self.level, self.mix_spread_db, waveforms.device)
        spectrogram = find(SPECTROGRAMS, self.inputs.spectrogram, "spectrogram")
        assert self.inputs.sample_rate is not None
        features, odds = self.listen(self.audio(spectrogram(mix(waveforms, plan), self.inputs.sample_rate)))
        truth = union(labels, plan, waveforms, self.num_clusters)
        terms = {"identity": F.binary_cross_entropy_with_logits(odds, truth)}
        if self.aligned and self.by_steps:
            seen = torch.einsum("bkc,kc->bk", features.float(), ops.unit(self.centres)) / self.temperature
            terms["identity_seen"] = F.binary_cross_entropy_with_logits(seen, truth)
        return {name: self.identity_weight * term for name, term in terms.items()}


def _waveform(batch: Batch) -> Tensor:
    """(B, N)."""
    if "waveform" not in batch.extra:
        raise UserError(
            'interference_eraser: expected batch.extra["waveform"] (B, N) in stage identifier, got none; read clips'
            " with inputs.waveform=True"
        )
    return batch.extra["waveform"].float()
