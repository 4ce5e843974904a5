"""A clip's map is its own: whatever clips come along, in whatever order, batches, processes or shards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from test_every_method import ALL, PACKAGES, small

from any_batch import noise_batch, part
from encoder_files import cached
from make_scenes import make_scenes
from soundspot import weights
from soundspot.benchmarks.verify import MAPS_TOLERANCE, compare_predictions, exit_code
from soundspot.data.folder import read_folder
from soundspot.encoders import DEFAULTS
from soundspot.methods.base import Method
from soundspot.predict import predict
from soundspot.predictions import Predictions
from soundspot.types import Batch, Clip

FAMILIES = ("ez_vsl", "lvs", "slavc", "rcgrad", "clip_text_tran", "default")
"""Maximum, threshold, factors, gradients, text, and the default localizer with its own weights."""
AMPLIFIED = {"dmc"}
"""Whose scores are log-odds of 30 times a distance, far beyond -1..1: equal as a share of the largest."""


def at(batch: Batch, places: Sequence[int]) -> Batch:
    """These clips of a batch, in this order."""
    rows = [part(batch, slice(place, place + 1)) for place in places]
    stacked = {name: torch.cat([row.extra[name] for row in rows]) for name in batch.extra}
    assert batch.mask is not None
    assert batch.draws is not None
    return Batch(
        image=torch.cat([row.image for row in rows]),
        audio=torch.cat([row.audio for row in rows]),
        clip_ids=tuple(row.clip_ids[0] for row in rows),
        labels=tuple(row.labels[0] for row in rows),
        mask=batch.mask[list(places)],
        extra=stacked,
        draws=batch.draws[list(places)],
    )


@pytest.mark.parametrize("name", ALL)
def test_no_methods_map_looks_across_the_batch(name: str) -> None:
    torch.manual_seed(0)
    method, batch = small(name).eval(), noise_batch(size=3)
    with torch.no_grad():
        together = method.localize(batch)
        first = method.localize(at(batch, [0]))
        rest = method.localize(at(batch, [2, 1]))
    alone = torch.cat([first, rest[[1, 0]]])
    scale = float(together.abs().max()) if name in AMPLIFIED else 1.0
    assert float((together - alone).abs().max()) <= MAPS_TOLERANCE * scale
    assert float((together[1:] - together[:-1]).abs().max()) > 100 * MAPS_TOLERANCE, "each clip has a map of its own"


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Clip]:
    root = make_scenes(tmp_path_factory.mktemp("scenes"), ["visible", "offscreen", "noise", "silent", "visible"])
    return [clip for clip, _ in read_folder(root)]


def method_of(family: str) -> Method:
    torch.manual_seed(0)
    if family != "default":
        return small(family, image_size=64, seconds=1.0)
    assert {"spot"} == PACKAGES
    for encoder in DEFAULTS:
        cached(encoder)
    return weights.load(weights.find_weights("default"))


@pytest.mark.parametrize("family", FAMILIES)
def test_predictions_do_not_depend_on_batches_order_or_shards(family: str, clips: list[Clip], tmp_path: Path) -> None:
    method = method_of(family)
    run: Callable[..., Predictions] = partial(predict, method, progress=False)
    first = run(clips, batch_size=1)
    shuffled = [clips[place] for place in np.random.default_rng(1).permutation(len(clips))]
    shards = [run(shuffled[start::2], batch_size=2, path=tmp_path / f"{start}.safetensors") for start in (0, 1)]
    merged = Predictions({**shards[0].maps, **shards[1].maps}, {}, first.provenance)
    for other in (run(shuffled, batch_size=3), run(clips, batch_size=32), merged):
        assert exit_code(compare_predictions(first, other)) == 0
        assert other.maps.keys() == {clip.id for clip in clips}
        for clip in clips:
            assert np.abs(first.maps[clip.id] - other.maps[clip.id]).max() <= MAPS_TOLERANCE


@pytest.mark.parametrize("family", ["rcgrad", "default"])
def test_predictions_do_not_depend_on_who_reads(family: str, clips: list[Clip]) -> None:
    """Of gradients and of the default: maps are equal to the bit where the batches are."""
    method = method_of(family)
    here = predict(method, clips, batch_size=2, num_workers=0, progress=False)
    there = predict(method, clips, batch_size=2, num_workers=2, progress=False)
    for clip in clips:
        assert np.array_equal(here.maps[clip.id], there.maps[clip.id])
