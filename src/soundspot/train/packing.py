"""Pack what a recipe trains on: its clips, as its method reads them, and the lists that it names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

from soundspot.data.decoding import AREAS
from soundspot.data.pack import Form, Written, copy_lists, pack
from soundspot.data.shards import PACK
from soundspot.train.clips import listed_clips
from soundspot.train.recipe import Recipe
from soundspot.train.start import start_method, with_classes
from soundspot.types import UserError


def pack_recipe(
    recipe: Recipe,
    root: Path,
    out: Path,
    *,
    form: Form | None = None,
    jobs: int | None = None,
    progress: bool = False,
    cluster: str | None = None,
    patience_seconds: float = 300.0,
) -> Written:
    """Pack all clips that the recipe's data lists, held-out and leaked ones too: what a run leaves out, it says itself.

    With a `cluster` (auto, or an address) on Ray: see soundspot.cluster.packing, which packs the same bytes.
    The lists of ids and the neighbours that the recipe names are copied, so that `out` can be a run's root.
    """
    if (root / PACK).is_file():
        raise UserError(f"{root}: expected a folder of media, got a pack; give the folder that it was made of")
    pairs, missing, _ = listed_clips(recipe.data, root)
    # the method is built without weights: all that counts is what it eats
    bare = replace(
        recipe, options={name: value for name, value in recipe.options.items() if not name.startswith("init_")}
    )
    method = start_method(with_classes(bare, [clip for clip, _ in pairs]), None).method
    written = _packer(cluster, patience_seconds)(
        pairs,
        method.inputs,
        out,
        areas=sorted(method.needs & AREAS.keys()),
        data=asdict(recipe.data),
        missing=missing,
        form=form,
        jobs=jobs,
        progress=progress,
    )
    named = (recipe.data.ids, recipe.data.neighbours, *recipe.data.test_ids)
    copy_lists(root, out, [name for name in named if name is not None])
    return written


def _packer(cluster: str | None, patience_seconds: float) -> Callable[..., Written]:
    if cluster is None:
        return pack
    from soundspot.cluster.packing import pack_on_cluster

    return partial(pack_on_cluster, cluster=cluster, patience_seconds=patience_seconds)
