"""Compositional retrieval (SSLalign, arXiv 2407.13676, Figure 7): a picture and sounds together look for a picture."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from soundspot.embeddings import Embeddings
from soundspot.metrics.retrieval import compose, nearest
from soundspot.types import Clip, UserError

if TYPE_CHECKING:
    from PIL.Image import Image

Picture = npt.NDArray[np.uint8]

TILE = (240, 180)
"""Width and height of a picture on the sheet."""
GAP = 8
BAR = 6
"""Pixels a bar of a sound's wave, two of them free."""
WAVE_SECONDS, WAVE_RATE = 10.0, 8000
COLOURS = {"query": (230, 159, 0), "found": (86, 180, 233)}


@dataclass(frozen=True)
class Composed:
    """A query and what it found."""

    picture: str
    sounds: tuple[str, ...]
    share: float
    found: tuple[tuple[str, float], ...]
    """Clip ids whose pictures are nearest, and their cosines with the query."""
    labels: Mapping[str, tuple[str, ...]]
    """Of all these clips; empty where the data set gives none."""

    def told(self, clip_id: str) -> str:
        """The clip's labels; its id where it has none."""
        return ", ".join(self.labels[clip_id]) or clip_id


def compose_and_find(
    embeddings: Embeddings, picture: str, sounds: Sequence[str], *, share: float = 0.5, count: int = 5
) -> Composed:
    """The pictures nearest to the clip `picture`'s picture and the sounds of `sounds` (clip ids) together.

    `share` is the picture's, in 0..1, see metrics.retrieval.compose. Pictures of the clips that ask, and of those that
    share a picture with them, are not answers: they would be found by themselves. UserError for unknown ids.
    """
    if not 0 <= share <= 1 or count < 1 or not sounds:
        raise UserError(
            f"expected a share in 0..1, 1 or more sounds and 1 or more answers, got {share}, {len(sounds)} and {count};"
            " change them"
        )
    asking = [_row(embeddings, name) for name in (picture, *sounds)]
    query = compose(embeddings.image[asking[0]], embeddings.sound[asking[1:]], share=share)
    members = embeddings.groups_by_clip
    groups = {members[row] for row in asking}
    rows, cosines = nearest(
        query, embeddings.image, count, [row for row, group in enumerate(members) if group in groups]
    )
    found = tuple((embeddings.ids[row], float(cosine)) for row, cosine in zip(rows, cosines, strict=True))
    labels = {embeddings.ids[row]: embeddings.labels_of(row) for row in (*asking, *rows.tolist())}
    return Composed(picture, tuple(sounds), share, found, labels)


def _row(embeddings: Embeddings, name: str) -> int:
    if name in embeddings.ids:
        return embeddings.ids.index(name)
    if name in embeddings.missing:
        raise UserError(f"expected a clip that could be read, got {name} ({embeddings.missing[name]}); choose another")
    near = difflib.get_close_matches(name, embeddings.ids, n=1, cutoff=0.5) or embeddings.ids[:1]
    raise UserError(f"expected the id of an embedded clip, such as {', '.join(near)}, got {name!r}; choose one of them")


def sheet(composed: Composed, clips: Mapping[str, Clip]) -> Picture:
    """The query's picture and sounds, and below them the pictures found, nearest first: (H, W, 3).

    `clips` by id, with media. UserError where one can't be read.
    """
    from PIL import Image

    from soundspot.localize.draw import PANEL_BACKGROUND, caption

    asked = [
        caption(_picture(clips[composed.picture]), f"picture: {composed.told(composed.picture)}", COLOURS["query"])
    ]
    for name in composed.sounds:
        asked.append(caption(_wave(clips[name]), f"+ sound: {composed.told(name)}", COLOURS["query"]))
    answers = [
        caption(_picture(clips[name]), f"{number}. {composed.told(name)}   {cosine:.2f}", COLOURS["found"])
        for number, (name, cosine) in enumerate(composed.found, start=1)
    ]
    height, width, _ = asked[0].shape
    columns = max(len(asked), len(answers))
    size = columns * (width + GAP) + GAP, 2 * height + 4 * GAP
    whole = Image.new("RGB", size, PANEL_BACKGROUND)
    for y, tiles in ((GAP, asked), (height + 3 * GAP, answers)):
        for column, tile in enumerate(tiles):
            whole.paste(Image.fromarray(tile), (GAP + column * (width + GAP), y))
    return np.asarray(whole)


def _picture(clip: Clip) -> Picture:
    """The clip's picture, whole, in the middle of a tile."""
    from PIL import Image, ImageOps

    from soundspot.data.loader import read_picture

    seen = Image.fromarray(read_picture(clip, clip.time_seconds))
    return np.asarray(_on_tile(ImageOps.contain(seen, TILE, Image.Resampling.LANCZOS)))


def _on_tile(picture: Image) -> Image:
    from PIL import Image as images

    tile = images.new("RGB", TILE)
    tile.paste(picture, ((TILE[0] - picture.width) // 2, (TILE[1] - picture.height) // 2))
    return tile


def _wave(clip: Clip) -> Picture:
    """The sound's level over time, as a tile."""
    from PIL import Image, ImageDraw

    from soundspot.data.loader import sound_path
    from soundspot.media.sound import read_waveform

    samples = read_waveform(sound_path(clip), duration_seconds=WAVE_SECONDS, sample_rate=WAVE_RATE).samples[0]
    width, height = TILE
    bars = np.array_split(samples, width // BAR)
    levels = np.sqrt([np.mean(np.square(part)) if len(part) else 0.0 for part in bars])
    reach = 1 + levels / max(float(levels.max()), 1e-6) * height / 3
    tile = Image.new("RGB", TILE)
    pen = ImageDraw.Draw(tile)
    for number, half in enumerate(reach.tolist()):
        x = number * BAR
        pen.rectangle((x, height / 2 - half, x + BAR - 3, height / 2 + half), fill=COLOURS["query"])
    return np.asarray(tile)
