"""Spot, soundspot's own default: two small frozen encoders, a learned head for known sounds, a bridge for all others.

Not from a paper. The learned part answers "where is what I hear" for sounds like those it was trained on (composites
with exact masks, so it is supervised). The bridge needs no sounds to learn from: what YAMNet hears names ImageNet
classes, and the image encoder's classifier says where they are: at every cell of the picture, and for whole regions,
which come from objectness, a map that never hears. `fusion` weighs region, cell and objectness, fitted on
scenes kept for that (`soundspot calibrate`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from soundspot import encoders, ops
from soundspot.lookup import find
from soundspot.methods.base import Method
from soundspot.nets.bridge import NUM_IMAGENET, PERSON_INDEX, Bridge
from soundspot.nets.bridge_table import GENERIC
from soundspot.nets.compiled import CompiledLite, CompiledYAMNet
from soundspot.nets.lite import IMAGE_MEAN, IMAGE_STD, LiteEncoder
from soundspot.nets.proposals import Regions, crop_regions, find_regions
from soundspot.nets.yamnet import EMBEDDING, YAMNet
from soundspot.types import Batch, Inputs

IMAGE_ENCODER = "tf_efficientnet_lite0"
CHANNELS = (40, 112, 320)
"""Of the image encoder's stages at strides 8, 16 and 32."""
ACTIVE_SHARE = 0.1
"""A patch of sound counts if it holds this share of the loudest patch's energy: pauses say nothing about the source."""
CELL_WEIGHT = 4.0
"""Of the cell-wise cross-entropy beside the overlap term: most cells are easy background."""
NO_MATCH = -7.0
"""The log of the share of a region's classes that counts as none at all."""
OBJECTNESS_BOUND = 6.0
PERSON_LABEL = "person"
PARTS: dict[str, tuple[str, ...]] = {
    "all": ("learned", "bridge", "people"),
    "learned": ("learned",),
    "bridge": ("bridge", "people"),
    "objectness": ("objectness",),
}
"""Which maps make up what `localize` gives: all, as the default does, or some; objectness never hears: a floor."""
FUSION_START = (1.0, 0.3, 0.3, 2.0)
"""Weights of region, cell and objectness, and the offset, before they are fitted."""


class Decoder(nn.Module):
    """Stages at strides 8, 16, 32 -> objectness (B, h, w) and cells (B, dim, h, w) at stride 8."""

    def __init__(self, width: int, dim: int) -> None:
        super().__init__()
        self.enter = nn.ModuleList(
            nn.Sequential(nn.Conv2d(c, width, 1, bias=False), nn.BatchNorm2d(width)) for c in CHANNELS
        )
        self.refine = nn.ModuleList(_separable(width) for _ in range(3))
        self.objectness = nn.Conv2d(width, 1, 1)
        self.cells = nn.Sequential(nn.Dropout2d(0.1), nn.Conv2d(width, dim, 1))

    def forward(self, stride8: Tensor, stride16: Tensor, stride32: Tensor) -> tuple[Tensor, Tensor]:
        x = self.enter[2](stride32)
        x = F.interpolate(x, size=stride16.shape[-2:], mode="bilinear") + self.enter[1](stride16)
        x = x + self.refine[0](x)
        x = F.interpolate(x, size=stride8.shape[-2:], mode="bilinear") + self.enter[0](stride8)
        x = x + self.refine[1](x)
        x = x + self.refine[2](x)
        return self.objectness(x)[:, 0], self.cells(x)


def _separable(width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False),
        nn.Conv2d(width, width, 1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
    )


class Look(NamedTuple):
    """What is seen in a batch of pictures, before anything is heard."""

    objectness: Tensor
    """(B, h, w) log-odds of any object."""
    cells: Tensor
    """(B, dim, h, w) unit vectors."""
    regions: Regions
    classes: Tensor
    """(R, 1000) probabilities for each region."""
    class_map: Tensor
    """(B, 1000, h', w') logits for each cell at stride 32."""


class Spot(Method):
    """The default localizer. `localize` gives the log-odds, at stride 8, that the sound comes from a place."""

    needs = frozenset({"mask", "objects"})
    side_by_side = True

    def __init__(
        self, width: int = 96, dim: int = 64, image_size: int = 416, seconds: float = 3.0, part: str = "all"
    ) -> None:
        super().__init__()
        self.inputs = Inputs(
            image_size=image_size,
            image_mean=IMAGE_MEAN,
            image_std=IMAGE_STD,
            sample_rate=16000,
            seconds=seconds,
            spectrogram="yamnet",
            train_scale=1.0,
        )
        find(PARTS, part, "part")
        self.part = part
        self.decoder = _last(Decoder(width, dim))
        self.sound_head = nn.Sequential(nn.Dropout(0.3), nn.Linear(EMBEDDING, dim))
        self.scale = nn.Parameter(torch.tensor(5.0))
        self.offset = nn.Parameter(torch.tensor(-2.0))
        self.person: Tensor
        self.register_buffer("person", torch.zeros(EMBEDDING))  # mean of the training sounds that people make
        self.fusion: Tensor
        self.register_buffer("fusion", torch.tensor(FUSION_START))
        self._encoders: tuple[LiteEncoder, YAMNet, Bridge] | None = None
        self._compiled: tuple[CompiledLite, CompiledYAMNet] | None = None
        self.compiles = True
        """Whether the frozen encoders run compiled where they can: the same but for rounding, in half the time."""

    def encoders(self) -> tuple[LiteEncoder, YAMNet, Bridge]:
        """The frozen image encoder, the frozen sound encoder, and the bridge between their classes.

        They come as package files that everybody can fetch: loaded at first use and kept out of the state dict, so
        that the weights we ship are the heads alone.
        """
        if self._encoders is None:
            device = self.scale.device
            image = LiteEncoder.load(encoders.ensure(IMAGE_ENCODER), IMAGE_ENCODER).to(device).requires_grad_(False)
            sound = YAMNet.load(encoders.ensure("yamnet")).to(device).requires_grad_(False)
            # channels last: convolutions on a CPU are up to twice as fast
            self._encoders = _last(image), _last(sound), Bridge(sound.class_names)
        return self._encoders

    def _running(self, given: Tensor) -> tuple[LiteEncoder | CompiledLite, YAMNet | CompiledYAMNet]:
        """The encoders in their fastest form for what is given."""
        image, sound, _ = self.encoders()
        if not self.compiles or given.device.type != "cpu" or torch.jit.is_tracing() or torch.compiler.is_compiling():
            return image, sound
        if self._compiled is None:
            self._compiled = CompiledLite(image), CompiledYAMNet(sound)
        return self._compiled

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        for encoder in (self._encoders or ())[:2]:
            encoder._apply(fn)
        self._compiled = None
        return super()._apply(fn, recurse)

    @property
    def tag_names(self) -> tuple[str, ...]:  # type: ignore[override]
        """AudioSet's class names."""
        return self.encoders()[1].class_names

    @property
    def vague_tags(self) -> frozenset[str]:  # type: ignore[override]
        """AudioSet's names for families, such as "Animal"."""
        return frozenset(GENERIC)

    def hear(self, batch: Batch) -> Tensor:
        """(B, 521) probability of each AudioSet class, over the parts of the sound that are not pauses."""
        return self.heard(batch)[1]

    @torch.no_grad()
    def frozen(self, batch: Batch) -> dict[str, Tensor]:
        """What the frozen encoders make of a batch; the same in every epoch, so the training loop may keep it."""
        return {**self.encode(batch.image, closely=False), "sound": self.heard(batch)[0]}

    def encode(self, image: Tensor, closely: bool = True) -> dict[str, Tensor]:
        """What the decoder reads, of pictures (B, 3, H, W), and, if `closely`, the class map."""
        *stages, class_map = self._running(image)[0].stages_and_classes(image)
        encoded = dict(zip(("stride8", "stride16", "stride32"), stages, strict=True))
        return {**encoded, "class_map": class_map} if closely else encoded

    @torch.no_grad()
    def heard(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """(B, 1024) embedding and (B, 521) tags of the patches that hold sound."""
        sound = self.encoders()[1]
        energy = sound.patches(batch.audio).exp().mean(dim=(2, 3, 4))
        active = (energy > ACTIVE_SHARE * energy.amax(dim=1, keepdim=True)).float()[..., None]
        patches = self._running(batch.audio)[1].embedding(batch.audio)
        tags = sound.classifier(patches).sigmoid()
        return (patches * active).sum(1) / active.sum(1), (tags * active).sum(1) / active.sum(1)

    def _seen(self, frozen: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Objectness (B, h, w) and unit cells (B, dim, h, w)."""
        stages = (frozen[name].float() for name in ("stride8", "stride16", "stride32"))
        objectness, cells = self.decoder(*(stage.contiguous(memory_format=torch.channels_last) for stage in stages))
        return objectness, ops.unit(cells)

    def _learned(self, cells: Tensor, sound: Tensor) -> Tensor:
        """(B, dim, h, w), (B, 1024) -> (B, h, w) log-odds by the learned head."""
        return self.scale * ops.own_similarity(cells, ops.unit(self.sound_head(sound))) + self.offset

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Cell by cell: is this what sounds (with an overlap term), and is there an object at all."""
        frozen = batch.extra if "stride8" in batch.extra else self.frozen(batch)
        assert batch.mask is not None
        names = [name for name in ("stride8", "stride16", "stride32") if name in frozen]
        maps = {**{name: frozen[name] for name in names}, "mask": batch.mask, "objects": batch.extra["objects"]}
        if torch.rand(()) < 0.5:  # frozen features of a mirrored picture are nearly the mirrored features
            maps = {name: value.flip(-1) for name, value in maps.items()}
        objectness, cells = self._seen(maps)
        scores = self._learned(cells, frozen["sound"].float())
        truth, objects = (_to_grid(maps[n], scores) for n in ("mask", "objects"))
        return {
            "where": CELL_WEIGHT * F.binary_cross_entropy_with_logits(scores, truth),
            "overlap": 0.5 * _missed_overlap(scores, truth),
            "objectness": F.binary_cross_entropy_with_logits(objectness, objects),
        }

    def localize(self, batch: Batch) -> Tensor:
        """Log-odds (B, 52, 52) for pictures of 416: the learned head, the bridge, people who speak, as a soft "or"."""
        return self.localize_and_hear(batch)[0]

    def localize_and_hear(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Both at once: the sound passes its encoder once."""
        sound, tags = self.heard(batch)
        seen = self.look(batch.image, self.encode(batch.image, closely="bridge" in PARTS[self.part]))
        return combine(self.maps(seen, sound, tags), self.part), tags

    def look(self, image: Tensor, frozen: Mapping[str, Tensor]) -> Look:
        """What is seen, whatever is heard: objectness, cells, and the classes of regions where `encode` looked closely.

        `frozen` is what `encode` gave, which is the same for all heads.
        """
        objectness, cells = self._seen(frozen)
        class_map = frozen.get("class_map", image.new_zeros(0, NUM_IMAGENET, 1, 1))
        regions = find_regions(objectness[: len(class_map)])
        return Look(objectness, cells, regions, self._classes(image, regions), class_map)

    def maps(self, seen: Look, sound: Tensor, tags: Tensor) -> dict[str, Tensor]:
        """All maps (B, h, w) by name, of which `combine` makes one; `sound` and `tags` are what `heard` gave."""
        return {
            "objectness": seen.objectness,
            "learned": self._learned(seen.cells, sound),
            "bridge": self.bridge_terms(seen, tags) @ self.fusion,
            "people": self.people(seen.cells, self.encoders()[2].weights(tags)[:, PERSON_INDEX]),
        }

    def people(self, cells: Tensor, weight: Tensor) -> Tensor:
        """(B, dim, h, w), (B,) -> (B, h, w): where people are, as far as people are heard."""
        seen = self._learned(cells, self.person.expand(len(cells), -1))
        return seen + weight.clamp_min(math.exp(NO_MATCH)).log().view(-1, 1, 1)

    @torch.no_grad()
    def bridge_terms(self, seen: Look, tags: Tensor) -> Tensor:
        """What `fusion` weighs, (B, h, w, 4): regions that match the tags, cells that do, objectness, and one.

        Zeros where nothing was looked at closely.
        """
        bridge, shape = self.encoders()[2], seen.objectness.shape
        match = self.match(seen, bridge.weights(tags))
        cells = match.new_zeros(shape)
        if len(seen.class_map):
            cells = F.interpolate(bridge.map(seen.class_map, tags)[:, None], size=shape[1:], mode="bilinear")[:, 0]
        objectness = seen.objectness.clamp(-OBJECTNESS_BOUND, OBJECTNESS_BOUND)
        return torch.stack([match, cells, objectness, torch.ones_like(match)], dim=-1)

    @torch.no_grad()
    def _classes(self, image: Tensor, regions: Regions) -> Tensor:
        """(R, 1000) probabilities of ImageNet's classes for each region.

        The encoder looks at each region again, larger: at a small object's own scale its classes are far surer.
        """
        if not len(regions.picture):
            return image.new_zeros(0, NUM_IMAGENET)
        return self._running(image)[0].classes(crop_regions(image, regions)).softmax(dim=1)

    @torch.no_grad()
    def match(self, seen: Look, weights: Tensor) -> Tensor:
        """(B, 1001) weights of the classes heard -> (B, h, w), the log of each region's share of such classes."""
        match = torch.full_like(seen.objectness, NO_MATCH)
        agree = (seen.classes * weights[seen.regions.picture, : seen.classes.shape[1]]).sum(dim=1)
        scores = (agree + math.exp(NO_MATCH)).log()
        for picture, mask, score in zip(seen.regions.picture.tolist(), seen.regions.mask, scores, strict=True):
            match[picture][mask] = score
        return match

    def embed(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """A picture is its cells' mean; retrieval is not what this method is for."""
        frozen = batch.extra if "stride8" in batch.extra else self.frozen(batch)
        _, cells = self._seen(frozen)
        return ops.unit(ops.mean_pool(cells)), ops.unit(self.sound_head(frozen["sound"].float()))

    def tune(self, batches: Iterable[Batch]) -> None:
        """Fit what the bridge counts for, and learn what people sound like, on labelled scenes kept for that.

        Each batch brings its mask. A logistic regression over cells: `bridge_terms` against truth.
        """
        terms, truths, people = [], [], []
        with torch.no_grad():
            for batch in batches:
                assert batch.mask is not None
                sound, tags = self.heard(batch)
                seen = self.look(batch.image, self.encode(batch.image))
                terms.append(self.bridge_terms(seen, tags).flatten(0, 2).double())
                truths.append(_to_grid(batch.mask, seen.objectness).flatten().double())
                people += [row for row, labels in zip(sound, batch.labels, strict=True) if PERSON_LABEL in labels]
        self.fusion.copy_(_logistic(torch.cat(terms), torch.cat(truths)))
        if people:
            self.person.copy_(torch.stack(people).mean(dim=0))


def combine(maps: Mapping[str, Tensor], part: str = "all") -> Tensor:
    """The maps of `part` as one, (B, h, w): a place sounds if any of them says so."""
    return torch.logsumexp(torch.stack([maps[name] for name in PARTS[part]]), dim=0)


M = TypeVar("M", bound=nn.Module)


def _last(module: M) -> M:
    return module.to(memory_format=torch.channels_last)


def _to_grid(area: Tensor, like: Tensor) -> Tensor:
    """(B, 1, H, W) area -> (B, h, w), the share of each cell of `like`."""
    return F.adaptive_avg_pool2d(area.float(), (like.shape[-2], like.shape[-1]))[:, 0]


def _logistic(terms: Tensor, truth: Tensor) -> Tensor:
    """(N, K), (N,) in 0..1 -> (K,) weights of least cross-entropy."""
    weights = torch.zeros(terms.shape[1], dtype=terms.dtype, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = F.binary_cross_entropy_with_logits(terms @ weights, truth)
        loss.backward()
        return loss

    optimizer.step(closure)
    return weights.detach()


def _missed_overlap(scores: Tensor, truth: Tensor) -> Tensor:
    """1 - Dice, over the pictures in which something sounds."""
    share = scores.sigmoid()
    dice = (2 * (share * truth).sum((1, 2)) + 1) / (share.sum((1, 2)) + truth.sum((1, 2)) + 1)
    heard = (truth.sum((1, 2)) > 0).float()
    return ((1 - dice) * heard).sum() / heard.sum().clamp_min(1)
