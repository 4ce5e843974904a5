"""What may choose a checkpoint (held-out training clips, no boxes), and what may only be watched (a test set)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.utils.data import DataLoader

from soundspot.data.decoding import AREAS, Pair
from soundspot.data.loader import LoadedClip, Stack, reading, split_missing, to_batch
from soundspot.data.shards import Packed
from soundspot.data.training import Plan, load_held_out
from soundspot.media.errors import MediaError
from soundspot.predict import predict
from soundspot.train.checkpoint import random_state, restore_random_state
from soundspot.train.distributed import Ranks
from soundspot.types import Clip, Missing, Target, UserError

if TYPE_CHECKING:
    from soundspot.methods.base import Method
    from soundspot.predictions import Predictions


@dataclass(frozen=True)
class Curve:
    """A benchmark to score after every epoch: a diagnostic that never chooses a checkpoint."""

    name: str
    pairs: Sequence[tuple[Clip, Target]]
    score: Callable[[Predictions, Sequence[Target]], Mapping[str, float]]
    metric: str
    """The score whose best, last and gap are reported."""

    def after_epoch(self, method: Method, batch_size: int, device: torch.device, num_workers: int) -> dict[str, float]:
        clips = [clip for clip, _ in self.pairs]
        made = predict(method, clips, batch_size=batch_size, device=device, num_workers=num_workers, progress=False)
        scores = dict(self.score(made, [target for _, target in self.pairs]))
        if self.metric not in scores:
            raise UserError(f"curve {self.name}: expected the score {self.metric!r}, got {', '.join(scores)}; name one")
        return {**scores, "clips_used": len(self.pairs) - len(made.missing), "clips_listed": len(self.pairs)}


def curve_summary(curve: Curve, history: Sequence[Mapping[str, float]]) -> dict[str, object]:
    """Best, last and their gap over the epochs, as in SLAVC (arXiv 2209.09634), Table 2."""
    values = [entry[curve.metric] for entry in history]
    best = max(values)
    return {
        "benchmark": curve.name,
        "metric": curve.metric,
        "best_on_test": best,
        "best_on_test_epoch": values.index(best) + 1,
        "last": values[-1],
        "gap": best - values[-1],
        "epochs": list(history),
    }


@contextmanager
def looking(method: Method) -> Iterator[None]:
    """Evaluation mode without gradients that leaves no trace: random generators go back to where they were."""
    was_training, randoms = method.training, random_state()
    method.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        method.train(was_training)
        restore_random_state(randoms)


@dataclass(frozen=True)
class Validation:
    """The held-out clips and how to read them."""

    pairs: Sequence[Pair]
    batch_size: int
    device: torch.device
    num_workers: int = 0
    sample_rate: int | None = None
    packed: Packed | None = None
    """Where they lie that have no files."""

    def loss(self, method: Method, ranks: Ranks) -> float:
        """Mean loss of the batches; all ranks take part, since losses may gather over them. Expects `looking`.

        A short last batch is left out (unless it is the only one): fewer negatives make an easier loss.
        """
        plan = Plan(
            len(self.pairs),
            self.batch_size,
            drop_last=len(self.pairs) >= self.batch_size,
            rank=ranks.rank,
            num_ranks=ranks.count,
        )
        mine = [batch for step in plan.steps(0) for batch in step]
        total, clips = 0.0, 0
        for stacks, _ in self._load(method, mine):
            count = ranks.smallest(len(stacks[0].clips) if stacks else 0)
            if count == 0:
                continue
            terms = method.loss(to_batch(stacks[0].first(count), method.inputs, self.device))
            total += count * float(sum(term.detach().float() for term in terms.values()))
            clips += count
        if clips == 0:
            raise UserError(
                "expected held-out clips that can be read, got none; raise validation_fraction or check the data"
            )
        return ranks.mean([total / clips])[0]

    def retrieval(self, method: Method) -> dict[str, float]:
        """R@1 from sound to picture and back among the held-out clips, by `embed`. Expects `looking`; one rank only."""
        indices = list(range(len(self.pairs)))
        size = self.batch_size
        chunks = [indices[start : start + size] for start in range(0, len(indices), size)]
        images, sounds = [], []
        for stacks, _ in self._load(method, chunks):
            for stacked in stacks:
                image, sound = method.embed(to_batch(stacked, method.inputs, self.device))
                images.append(image.float().cpu())
                sounds.append(sound.float().cpu())
        if not images:
            raise UserError(
                "expected held-out clips that can be read, got none; raise validation_fraction or check the data"
            )
        return retrieval_at_one(torch.cat(images), torch.cat(sounds))

    def _load(self, method: Method, chunks: list[list[int]]) -> DataLoader[tuple[list[Stack], list[Missing]]]:
        areas = sorted(method.needs & AREAS.keys())

        held_out = _HeldOut(self, method, areas)
        return reading(held_out, self.num_workers, batch_sampler=chunks, collate_fn=split_missing)


class _HeldOut(torch.utils.data.Dataset[tuple[Clip, LoadedClip] | Missing]):
    """Held-out clips by the evaluation rule, with their masks where the method's loss needs them."""

    def __init__(self, validation: Validation, method: Method, areas: Collection[str]) -> None:
        self.validation, self.inputs, self.areas = validation, method.inputs, areas

    def __getitem__(self, index: int) -> tuple[Clip, LoadedClip] | Missing:
        pair = self.validation.pairs[index]
        try:
            loaded = load_held_out(pair, self.inputs, self.areas, self.validation.packed)
        except MediaError as error:
            return Missing(pair[0].id, str(error))
        if self.validation.sample_rate not in (None, loaded.sample_rate):
            others = self.validation.sample_rate
            return Missing(pair[0].id, f"sound at {loaded.sample_rate} Hz among sounds at {others} Hz")
        return pair[0], loaded


def retrieval_at_one(images: torch.Tensor, sounds: torch.Tensor) -> dict[str, float]:
    """(N, C), (N, C) unit vectors of N true pairs -> share of queries whose own partner is strictly the nearest.

    A tie is a miss: embeddings that collapsed to one point must not look perfect.
    """
    return {"sound_to_image": _share_nearest(sounds, images), "image_to_sound": _share_nearest(images, sounds)}


def _share_nearest(queries: torch.Tensor, answers: torch.Tensor, chunk: int = 1024) -> float:
    hits = 0
    for start in range(0, len(queries), chunk):
        likeness = queries[start : start + chunk] @ answers.T
        rows = torch.arange(len(likeness))
        own = likeness[rows, start + rows].clone()
        likeness[rows, start + rows] = -torch.inf
        hits += int((own > likeness.amax(dim=1)).sum())
    return hits / len(queries)
