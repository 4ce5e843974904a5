"""Classes without names, as DSOL and Interference Eraser find them: clusters of features, clips' labels, class heads.

k-means puts the training clips' object vectors into clusters; a clip's cluster is its pseudo label, kept by clip id and
found again when a run is resumed. Names come last: `tune` matches clusters with the labels of clips kept for that
(training or calibration scenes, never those that are scored), and then maps and probabilities are of classes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from soundspot import ops
from soundspot.lookup import find
from soundspot.methods.base import positive
from soundspot.methods.labels import class_names
from soundspot.methods.towers import TwoTowers
from soundspot.metrics.classes import match_clusters
from soundspot.types import Batch, UserError

RESTARTS = 4
ROUNDS = 100
CHUNK_ROWS = 2**14
HEAD_STD = 0.01
"""Spread of a fresh class head's weights, as in DSOL's code; biases are 0."""


def kmeans(
    vectors: Tensor, count: int, generator: torch.Generator, *, restarts: int = RESTARTS, rounds: int = ROUNDS
) -> tuple[Tensor, Tensor]:
    """(N, C) -> centres (count, C) float64, each vector's cluster (N,); both on the CPU, the same for equal generators.

    Lloyd's rounds from k-means++ starts, the best of `restarts`. A cluster that loses all its vectors takes the one
    farthest from its centre. UserError for fewer vectors than clusters, or such as are no numbers.
    """
    points = vectors.detach().to("cpu", torch.float64)
    if len(points) < count or not bool(points.isfinite().all()):
        raise UserError(
            f"expected at least {count} vectors of finite numbers for {count} clusters, got {len(points)} of which"
            f" {int(points.isfinite().all(dim=1).sum())} are; give more clips, or lower clusters"
        )
    found = [_lloyd(points, _starts(points, count, generator), rounds) for _ in range(max(1, restarts))]
    centres, labels, _ = min(found, key=lambda each: each[2])
    return centres, labels


def _starts(points: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """k-means++: each next centre is a point drawn by its squared distance to the nearest so far."""
    chosen = [int(torch.randint(len(points), (), generator=generator))]
    least = torch.full((len(points),), torch.inf, dtype=torch.float64)
    while len(chosen) < count:
        least = torch.minimum(least, (points - points[chosen[-1]]).square().sum(dim=1))
        weights = least if bool(least.any()) else torch.ones_like(least)  # all points stand where a centre does
        steps = weights.cumsum(dim=0)
        place = torch.rand((), dtype=torch.float64, generator=generator) * steps[-1]
        chosen.append(min(int(torch.searchsorted(steps, place, right=True)), len(points) - 1))
    return points[chosen].clone()


def _lloyd(points: Tensor, centres: Tensor, rounds: int) -> tuple[Tensor, Tensor, float]:
    labels = torch.full((len(points),), -1)
    for _ in range(rounds):
        new, squares = _nearest(points, centres)
        counts = torch.bincount(new, minlength=len(centres))
        for empty in torch.nonzero(counts == 0).flatten().tolist():
            farthest = int(torch.where(counts[new] > 1, squares, -1.0).argmax())
            counts[new[farthest]] -= 1
            new[farthest], counts[empty], squares[farthest] = empty, 1, 0.0
        if torch.equal(new, labels):
            break
        labels = new
        sums = torch.zeros_like(centres).index_add_(0, labels, points)
        centres = sums / counts[:, None]
    return centres, labels, float((points - centres[labels]).square().sum())


def _nearest(points: Tensor, centres: Tensor) -> tuple[Tensor, Tensor]:
    """(N, C), (K, C) -> the nearest centre's number (N,) and squared distance (N,)."""
    parts = []
    for some in points.split(CHUNK_ROWS):
        squares = some.square().sum(dim=1, keepdim=True) - 2 * some @ centres.T + centres.square().sum(dim=1)
        parts.append(squares.min(dim=1))
    return torch.cat([part.indices for part in parts]), torch.cat([part.values for part in parts]).clamp_min(0)


def dilated(mask: Tensor) -> Tensor:
    """(B, h, w) of 0 and 1 -> the same, grown by a cell up, down, left and right; cells at the border do not grow."""
    inner = torch.zeros_like(mask)
    inner[:, 1:-1, 1:-1] = mask[:, 1:-1, 1:-1]
    down = F.max_pool2d(inner[:, None], (3, 1), stride=1, padding=(1, 0))[:, 0]
    across = F.max_pool2d(inner[:, None], (1, 3), stride=1, padding=(0, 1))[:, 0]
    return torch.maximum(mask, torch.maximum(down, across))


DIVISORS = ("cells", "mask")
"""What sums over a mask are divided by: all cells of the map, or those in the mask."""


def object_vectors(features: Tensor, maps: Tensor, threshold: float, divide_by: str = "cells") -> Tensor:
    """(B, C, h, w), (B, h, w) -> (B, C): what is where the dilated map is above `threshold`, summed and divided.

    Where no place is, it is the best one's neighbourhood: of nothing there would be no direction.
    """
    best = maps.amax(dim=(1, 2), keepdim=True)
    mask = dilated(((maps > threshold) | ((best <= threshold) & (maps == best))).float())
    sums = (features.float() * mask[:, None]).sum(dim=(2, 3))
    if divide_by == "cells":
        return sums / mask[0].numel()
    return sums / mask.sum(dim=(1, 2)).clamp_min(1)[:, None]


def cluster_means(vectors: Tensor, labels: Tensor, centres: Tensor) -> Tensor:
    """(N, C), (N,), (K, C) -> (K, C) mean vector a cluster; the centre of one that has none."""
    counts = torch.bincount(labels, minlength=len(centres))
    sums = torch.zeros(centres.shape, dtype=torch.float64).index_add_(0, labels, vectors.to("cpu", torch.float64))
    return torch.where(counts[:, None] > 0, sums / counts.clamp_min(1)[:, None], centres.to("cpu", torch.float64))


def names_as_bytes(names: Iterable[str]) -> Tensor:
    """Clips' ids as one tensor, since a checkpoint holds nothing else."""
    return torch.from_numpy(np.frombuffer("\n".join(names).encode(), np.uint8).copy())


def bytes_as_names(held: Tensor) -> list[str]:
    """What `names_as_bytes` was given."""
    return bytes(held.cpu().numpy()).decode().split("\n")


def agree(*tensors: Tensor) -> None:
    """Give the first process's values to all, in place: all must go on with the same clusters."""
    if ops.is_distributed():
        for tensor in tensors:
            torch.distributed.broadcast(tensor, 0)


class ClassHead(nn.Module):
    """Class logits (B, channels) -> (B, count), whose weights learn `rate` times as fast under Adam.

    Heads that start anew after each clustering need that; DSOL's code gives them an optimizer of their own for it.
    """

    def __init__(self, channels: int, count: int, rate: float = 1.0) -> None:
        super().__init__()
        self.rate = rate
        self.weight = nn.Parameter(torch.empty(count, channels))
        self.bias = nn.Parameter(torch.empty(count))
        self.restart()

    @torch.no_grad()
    def restart(self) -> None:
        """Forget everything."""
        self.weight.normal_(0, HEAD_STD / self.rate)
        self.bias.zero_()
        agree(self.weight, self.bias)

    def forward(self, vectors: Tensor) -> Tensor:
        return F.linear(vectors, self.weight * self.rate, self.bias * self.rate)


OUTPUTS = {"classes": True, "one": False}
"""A map a class, or one for all."""


class Clustered(TwoTowers):
    """Two towers whose classes are clusters of object vectors, until `tune` gives the clusters names.

    `classes` are the names, see labels.class_names; "" takes those of the clips that `tune` sees. There may be more
    `clusters` than classes. `output`: a map a class, or one map for all ("one"). The first `first_epochs` learn to
    localize; from then on clusters are found anew every 1 + `class_epochs` epochs, of which the first `class_epochs`
    learn the clusters and the last one to localize. `nothing`: see `shares`. What is seen and heard is as in DSOL's
    music code, unless told.
    """

    score_range = (0.0, 1.0)
    centres: Tensor
    class_of_cluster: Tensor
    clustered: Tensor

    def __init__(
        self,
        classes: str = "",
        clusters: int = 11,
        output: str = "classes",
        first_epochs: int = 2,
        class_epochs: int = 3,
        head_rate: float = 10.0,
        nothing: float = 0.0,
        output_stride: int = 16,
        spectrogram: str = "logmel",
        seconds: float = 1.0,
        sample_rate: int = 16000,
        **towers: Any,
    ) -> None:
        super().__init__(
            output_stride=output_stride, spectrogram=spectrogram, seconds=seconds, sample_rate=sample_rate, **towers
        )
        if clusters < 2 or first_epochs < 0 or class_epochs < 1:
            raise UserError(
                "expected clusters of 2 or more, first_epochs of 0 or more and class_epochs of 1 or more, got"
                f" {clusters}, {first_epochs} and {class_epochs}; change them"
            )
        self.classes = class_names(classes) if classes else ()
        self.by_class = find(OUTPUTS, output, "output")
        self.first_epochs, self.class_epochs = first_epochs, class_epochs
        self.head_rate, self.nothing = positive(head_rate, "head_rate"), nothing
        self.num_clusters = clusters
        self.register_buffer("class_of_cluster", torch.full((clusters,), -1))
        self.register_buffer("clustered", torch.zeros((), dtype=torch.bool))
        self.labels: dict[str, int] = {}
        self.phase = "both"

    def keep_centres(self, width: int) -> None:
        """Make room for the clusters' centres, unit vectors of `width` numbers; random until clips are clustered."""
        self.register_buffer("centres", ops.unit(torch.randn(self.num_clusters, width)))

    def frozen_picture(self, batch: Batch) -> Tensor:
        """What the picture tower's frozen stages make of a batch, kept or made now; nothing is listened to."""
        return batch.extra["image"] if "image" in batch.extra else self.image.frozen(batch.image)

    def frozen_sound(self, batch: Batch) -> Tensor:
        """The same of the sound; nothing is looked at."""
        return batch.extra["audio"] if "audio" in batch.extra else self.audio.frozen(batch.audio)

    # What the classes are.

    @property
    def matched(self) -> bool:
        """Whether the clusters have names."""
        return bool(self.classes) and bool((self.class_of_cluster >= 0).any())

    @property
    def tag_names(self) -> tuple[str, ...]:  # type: ignore[override]
        """The classes, or numbered clusters while nobody has matched them."""
        return self.classes if self.matched else tuple(f"cluster {number}" for number in range(self.num_clusters))

    @property
    def class_names(self) -> tuple[str, ...]:  # type: ignore[override]
        """The same; none where one map stands for all."""
        return self.tag_names if self.by_class else ()

    def shares(self, maps: Tensor, factor: float) -> Tensor:
        """(B, K, h, w) of clusters -> each class's share of each place: the softmax of `factor` times the maps.

        Where `nothing` is above 0 a further class has that value everywhere and takes its share: else places at which
        no class is anything are shared out evenly, and of few classes each would have much of them.
        """
        if self.nothing <= 0:
            return self.summed((factor * maps).softmax(dim=1))
        beside = torch.full_like(maps[:, :1], self.nothing)
        return self.summed((factor * torch.cat([maps, beside], dim=1)).softmax(dim=1)[:, :-1])

    def summed(self, values: Tensor) -> Tensor:
        """(B, K, ...) of clusters -> (B, classes, ...): a class has the sum of its clusters. Unmatched: as they are."""
        if not self.matched:
            return values
        return torch.einsum("bk...,kc->bc...", values, self._members(values))

    def best(self, values: Tensor) -> Tensor:
        """(B, K, ...) in 0..1 of clusters -> (B, classes, ...): a class has the highest of its clusters, or 0."""
        if not self.matched:
            return values
        members = self._members(values)
        shape = (1, *members.T.shape, *(1,) * (values.ndim - 2))
        return (values[:, None] * members.T.reshape(shape)).amax(dim=2)

    def _members(self, like: Tensor) -> Tensor:
        """(K, classes), 1 where a cluster belongs to a class."""
        numbers = torch.arange(len(self.classes), device=self.class_of_cluster.device)
        return (self.class_of_cluster[:, None] == numbers).to(like)

    # Clusters.

    def vectors(self, batch: Batch) -> Tensor:
        """(B, C): of each picture what sounds in it, of any length; this is what is clustered."""
        raise NotImplementedError

    def nearest(self, vectors: Tensor) -> Tensor:
        """(B, C) of any length -> (B,), the cluster whose centre is nearest to the unit vector."""
        return _nearest(ops.unit(vectors), self.centres)[0]

    def clusters_of(self, batch: Batch) -> Tensor:
        """(B,), each clip's cluster as its picture and sound say, whatever any survey said."""
        with torch.no_grad():
            return self.nearest(self.vectors(batch))

    def pseudo_labels(self, batch: Batch) -> Tensor:
        """(B,), each clip's cluster; clips that no survey has seen, held-out ones, have the one that is nearest."""
        numbers = [self.labels.get(name, -1) for name in batch.clip_ids]
        known = torch.tensor(numbers, device=self.centres.device)
        return known if min(numbers, default=0) >= 0 else torch.where(known < 0, self.clusters_of(batch), known)

    def find_clusters(self, ids: Sequence[str], vectors: Tensor) -> Tensor:
        """Cluster the unit vectors of (N, C) and note the clips' labels -> labels (N,), on the CPU."""
        seed = int(torch.randint(2**31, ()))
        centres, labels = kmeans(ops.unit(vectors), self.num_clusters, torch.Generator().manual_seed(seed))
        return self._take(ids, centres, labels)

    def keep_clusters(self, ids: Sequence[str], vectors: Tensor) -> Tensor:
        """Give the clips of (N, C) the nearest of the clusters there are -> labels (N,), on the CPU."""
        return self._take(ids, self.centres, self.nearest(vectors.to(self.centres)))

    def _take(self, ids: Sequence[str], centres: Tensor, labels: Tensor) -> Tensor:
        numbers = labels.to(self.centres.device)
        self.centres.copy_(centres)
        agree(numbers, self.centres)
        self.labels = dict(zip(ids, numbers.tolist(), strict=True))
        self.clustered.fill_(True)
        return numbers.cpu()

    def memory(self) -> dict[str, Tensor]:
        """The labels by clip id."""
        if not self.labels:
            return {}
        return {"label_ids": names_as_bytes(self.labels), "labels": torch.tensor(list(self.labels.values()))}

    def recall(self, memory: Mapping[str, Tensor]) -> None:
        """Take the labels back."""
        if "labels" in memory:
            self.labels = dict(zip(bytes_as_names(memory["label_ids"]), memory["labels"].tolist(), strict=True))

    # When what is learned.

    def surveys(self, epoch: int) -> bool:
        """Before the first of each run of epochs that learn clusters."""
        return self.alternates and epoch >= self.first_epochs and self._turn(epoch) == 0

    def before_epoch(self, epoch: int) -> None:
        """Settle what the epoch learns; what moves has no names any more."""
        if epoch == 0:
            self.class_of_cluster.fill_(-1)
        if self.alternates:
            learns_classes = epoch >= self.first_epochs and self._turn(epoch) < self.class_epochs
            self.phase = "classes" if learns_classes else "places"

    def _turn(self, epoch: int) -> int:
        return (epoch - self.first_epochs) % (1 + self.class_epochs)

    @property
    def alternates(self) -> bool:
        """Whether this stage takes turns at places and classes."""
        raise NotImplementedError

    # Names.

    @torch.no_grad()
    def tune(self, batches: Iterable[Batch]) -> None:
        """Match clusters with the classes of labelled scenes kept for that; of these count those with one label.

        UserError where there is none, or a label is none of the option `classes`.
        """
        found: list[int] = []
        labels: list[str] = []
        for batch in batches:
            for own, cluster in zip(batch.labels, self.clusters_of(batch).tolist(), strict=True):
                if len(own) == 1:
                    labels.append(own[0])
                    found.append(cluster)
        if not labels:
            raise UserError("expected scenes with one label each to match clusters with, got none; give solo scenes")
        if not self.classes:
            self.options["classes"] = ";".join(sorted(set(labels)))
            self.classes = class_names(str(self.options["classes"]))
        numbers = {name: number for number, name in enumerate(self.classes)}
        items = [find(numbers, label, "label among the classes:") for label in labels]
        matched = match_clusters(items, found, len(numbers), self.num_clusters)
        owners = torch.from_numpy(matched.argmax(axis=0))
        self.class_of_cluster.copy_(torch.where(torch.from_numpy(matched.any(axis=0)), owners, -1))
