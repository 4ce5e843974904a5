"""Clips to neighbours: embed every clip's picture and sound, then mine the nearest of each."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from soundspot import encoders, ops
from soundspot.data.folder import read_folder
from soundspot.data.loader import batches
from soundspot.data.mining import MODALITIES, mine
from soundspot.media.files import written_aside
from soundspot.nets.image import ImageTower
from soundspot.nets.lite import IMAGE_MEAN, IMAGE_STD, LiteEncoder
from soundspot.nets.tags import tagged
from soundspot.nets.yamnet import YAMNet
from soundspot.recipes import recipe
from soundspot.train.clips import find_clips
from soundspot.train.logs import Bar
from soundspot.train.recipe import apply_settings
from soundspot.types import Batch, Clip, Inputs, Missing, UserError
from soundspot.weights import find_weights, load

EMBEDDED = "embedded"
"""Folder of vectors, a part a batch: an interrupted run goes on with the next."""


class Embedder(Protocol):
    """What gives vectors of pictures and sounds: any method does."""

    inputs: Inputs

    def embed(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """(B, C), (B, C')."""
        ...


class Encoders:
    """The package encoders, trained with labels: EfficientNet-Lite's last features and YAMNet's, averaged.

    `image` takes another one for pictures, `timm:ARCHITECTURE.TAG`: a self-supervised one, say.
    """

    def __init__(self, image: str = "") -> None:
        mean, std = IMAGE_MEAN, IMAGE_STD
        self.see: Callable[[Tensor], Tensor]
        if image:
            found = tagged(image)
            mean, std = found.mean, found.std
            self.see = ImageTower(found.architecture, pretrained=found.file).eval()
        else:
            lite = LiteEncoder.load(encoders.ensure("tf_efficientnet_lite0"))
            self.see = lambda pictures: lite(pictures).head
        self.inputs = Inputs(image_mean=mean, image_std=std, sample_rate=16000, seconds=3.0, spectrogram="yamnet")
        self.audio = YAMNet.load(encoders.ensure("yamnet"))

    def embed(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """(B, C) of pictures (1280 numbers of EfficientNet-Lite's) and (B, 1024) of sounds."""
        return ops.mean_pool(self.see(batch.image)), self.audio.embedding(batch.audio).mean(dim=1)


@dataclass(frozen=True)
class Found:
    """Where neighbours are, of how many clips, and which clips could not be read."""

    folder: Path
    clips: int
    missing: list[Missing]


def find_neighbours(
    clips: Sequence[Clip],
    embedder: Embedder,
    out: Path,
    *,
    identity: str,
    k: int = 1000,
    batch_size: int = 32,
    num_workers: int = 0,
) -> Found:
    """Embed all clips and mine the k nearest of each by picture and by sound into `out`; an interrupted run goes on.

    `identity` names the embedder's weights: vectors of another one are made anew. Clips that cannot be read have no
    neighbours and are nobody's. Raises UserError where fewer than k + 1 can be read.
    """
    names, vectors, missing = _embed_all(clips, embedder, identity, out / EMBEDDED, batch_size, num_workers)
    for modality, rows in zip(MODALITIES, vectors, strict=True):
        with Bar(f"neighbours by {modality}", len(names)) as bar:
            mine(rows, names, out, modality, k=k, progress=_steps(bar.advance))
    return Found(out, len(names), missing)


def embedder_of(weights: str, image: str = "") -> tuple[Embedder, str]:
    """The package encoders ("encoders", with `image` see Encoders), or the method of a weights file; and its name."""
    if weights == "encoders":
        return Encoders(image), f"encoders {image}".strip()
    if image:
        raise UserError(f"expected either image or weights, got image={image} and weights={weights}; leave one out")
    method = load(find_weights(weights))
    return method.eval(), method.provenance["weights_sha256"]


def training_clips(root: Path, recipe_name: str | None, settings: Sequence[str]) -> list[Clip]:
    """The training clips of a recipe, or all of a folder of scenes."""
    if recipe_name is None:
        return [clip for clip, _ in read_folder(root)]
    found = find_clips(apply_settings(recipe(recipe_name), settings), root)
    return [clip for clip, _ in found.training]


def _embed_all(
    clips: Sequence[Clip], embedder: Embedder, identity: str, folder: Path, batch_size: int, num_workers: int
) -> tuple[list[str], list[np.ndarray], list[Missing]]:
    """Ids of what could be read, their vectors by modality, and what could not be read."""
    folder.mkdir(parents=True, exist_ok=True)
    names: list[str] = []
    rows: list[list[np.ndarray]] = [[] for _ in MODALITIES]
    missing: list[Missing] = []
    with Bar("embed", len(clips)) as bar:
        for number, start in enumerate(range(0, len(clips), batch_size)):
            part, path = clips[start : start + batch_size], folder / f"{number:06d}.npz"
            if not _is_there(path, part, identity):
                _embed_part(part, embedder, identity, path, num_workers)
            with np.load(path) as kept:
                names += kept["ids"].tolist()
                missing += [Missing(*entry) for entry in json.loads(str(kept["missing"]))]
                for found, modality in zip(rows, MODALITIES, strict=True):
                    found += [kept[modality]] if kept[modality].size else []
            bar.advance(len(part))
    if not names:
        reason = missing[0].reason if missing else "the list is empty"
        raise UserError(f"expected clips that can be read, got none; the first: {reason}")
    return names, [np.concatenate(found) for found in rows], missing


def _embed_part(part: Sequence[Clip], embedder: Embedder, identity: str, path: Path, num_workers: int) -> None:
    ids: list[str] = []
    found: dict[str, list[np.ndarray]] = {modality: [] for modality in MODALITIES}
    missing: list[Missing] = []
    for batch, lost in batches(part, embedder.inputs, batch_size=len(part), num_workers=num_workers):
        missing += lost
        if batch is None:
            continue
        ids += batch.clip_ids
        with torch.no_grad():
            for modality, vectors in zip(MODALITIES, embedder.embed(batch), strict=True):
                found[modality].append(vectors.float().numpy())
    image, audio = (np.concatenate(found[name]) if found[name] else np.zeros((0, 0)) for name in MODALITIES)
    account = json.dumps([(entry.clip_id, entry.reason) for entry in missing])
    with written_aside(path) as aside:
        np.savez(aside, ids=np.array(ids), listed=_listing(part, identity), missing=account, image=image, audio=audio)


def _listing(part: Sequence[Clip], identity: str) -> np.ndarray:
    """What a part was asked for, and of whom."""
    return np.array([identity, *(clip.id for clip in part)])


def _is_there(path: Path, part: Sequence[Clip], identity: str) -> bool:
    if not path.is_file():
        return False
    with np.load(path) as kept:
        return kept["listed"].tolist() == _listing(part, identity).tolist()


def _steps(advance: Callable[[int], None]) -> Callable[[int, int], None]:
    done = 0

    def progress(now: int, total: int) -> None:
        nonlocal done
        advance(now - done)
        done = now

    return progress
