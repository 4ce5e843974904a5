"""The clips a recipe names: read from the data's folder, checked against the ids that will be tested on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from soundspot.collector import collector_at_rest
from soundspot.data.lists import read_ids, read_list, same_id
from soundspot.data.mining import Neighbours
from soundspot.data.shards import PACK, Packed
from soundspot.lookup import find
from soundspot.media.files import FILMS, PICTURES, SOUNDS
from soundspot.train.recipe import DataSpec, Recipe
from soundspot.types import KINDS, Clip, Missing, Target, UserError

YOUTUBE_ID = 11
"""Characters of a VGGSound id that name the video; the rest is the second at which the clip starts."""

Pair = tuple[Clip, Target | None]


@dataclass(frozen=True)
class TrainingClips:
    """What a run trains on, and an account of every id that was listed."""

    training: list[Pair]
    validation: list[Pair]
    missing: list[Missing]
    """Listed, but no media there."""
    listed: int
    root: Path = Path()
    """Where the data lies."""
    packed: Packed | None = None
    """Where clips were packed, what reads them."""
    limit: int | None = None
    """How many training clips the caller wanted at most."""
    leaks: dict[str, dict[str, int | str]] = field(default_factory=dict)
    """By test list: `ids` that are listed for training too, of how `many`, `same_video`, and what was `done`."""


@collector_at_rest()
def find_clips(recipe: Recipe, root: Path, test_ids: Mapping[str, Iterable[str]] | None = None) -> TrainingClips:
    """The recipe's clips, leaks dealt with and the validation split taken out.

    `test_ids` adds lists by name to the files the recipe names. Raises UserError on a leak that is not allowed.
    """
    found, missing, packed = listed_clips(recipe.data, root)
    listed = len(found) + len(missing)
    lists = {Path(name).stem: read_ids(_beside(root, name)) for name in recipe.data.test_ids}
    lists |= {name: list(ids) for name, ids in (test_ids or {}).items()}
    found, leaks = drop_leaks(recipe, found, missing, lists)
    held_out = [pair for pair in found if is_validation(pair[0], recipe)]
    training = [pair for pair in found if not is_validation(pair[0], recipe)]
    return TrainingClips(training, held_out, missing, listed, root, packed, leaks=leaks)


def listed_clips(spec: DataSpec, root: Path) -> tuple[list[Pair], list[Missing], Packed | None]:
    """The clips of the data's folder, by id, those listed that it has not, and the pack if it is one."""
    if not root.is_dir():
        raise UserError(f"expected the training data in the folder {root}, got no such folder; set data.root")
    packed = Packed.at(root) if (root / PACK).is_file() else None
    found, missing = _read(spec, root) if packed is None else _read_packed(spec, root, packed)
    found.sort(key=lambda pair: pair[0].id)  # the order of a listing on disk must not decide the batches
    return found, missing, packed


def is_validation(clip: Clip, recipe: Recipe) -> bool:
    """Whether a clip is held out: by a hash of its video or group, so that no scene is on both sides."""
    digest = hashlib.blake2b(f"validation/{_source(clip, recipe.data.kind)}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") / 2**64 < recipe.validation_fraction


def find_neighbours(recipe: Recipe, clips: TrainingClips) -> Neighbours:
    """The mined neighbours the recipe names, of its training clips alone. Raises UserError where they do not fit."""
    if clips.validation and recipe.choose != "retrieval":
        raise UserError(
            f"recipe {recipe.name}: expected validation_fraction=0 or choose=retrieval with neighbours, which "
            "held-out clips do not have; set one"
        )
    if recipe.data.neighbours is None:
        raise UserError(
            f"recipe {recipe.name}: expected mined neighbours for {recipe.method}, got none; make them with "
            "`soundspot neighbours`, and set data.neighbours to their folder"
        )
    return Neighbours(_beside(clips.root, recipe.data.neighbours), among=[clip.id for clip, _ in clips.training])


def drop_leaks(
    recipe: Recipe, found: list[Pair], missing: list[Missing], lists: Mapping[str, list[str]]
) -> tuple[list[Pair], dict[str, dict[str, int | str]]]:
    """The clips without the test ids among them (where the recipe says drop), and the account a test list.

    Raises UserError with the count and the ways to go on. Ids without media count too: they are in the published list.
    """
    for name in recipe.allow_leak:
        find(lists, name, "test list in allow_leak")
    # VGGSound's ids are spelled in seconds or in milliseconds
    names = {same_id(clip.id) for clip, _ in found} | {same_id(entry.clip_id) for entry in missing}
    videos = {_source(clip, recipe.data.kind) for clip, _ in found}
    account: dict[str, dict[str, int | str]] = {}
    for name, ids in lists.items():
        asked = {same_id(item) for item in ids}
        shared = sorted(names & asked)
        same_video = {_video_of(item, recipe.data.kind) for item in asked - names} & videos
        done = "allowed" if name in recipe.allow_leak else "dropped"
        if shared and done == "dropped" and recipe.on_leak == "stop":
            raise UserError(
                f"{len(shared)} of the {len(set(ids))} test ids of {name} are among the {len(names)} training ids"
                f" (the first: {shared[0]}); set on_leak=drop to train without them, or allow_leak={name} to keep them"
            )
        account[name] = {"ids": len(shared), "many": len(set(ids)), "same_video": len(same_video), "done": done}
        if done == "dropped":
            found = [pair for pair in found if same_id(pair[0].id) not in asked]
    return found, account


def _read(spec: DataSpec, root: Path) -> tuple[list[Pair], list[Missing]]:
    wanted = None if spec.ids is None else read_list(_beside(root, spec.ids))
    if spec.kind != "folder":
        return _read_frames(spec, root, wanted)
    from soundspot.data.folder import read_folder

    for kind in spec.kinds:
        find(dict.fromkeys(KINDS), kind, "kind in data.kinds")
    read = read_folder(root, split=spec.split)
    pairs: list[Pair] = [(clip, target) for clip, target in read if not spec.kinds or target.kind in spec.kinds]
    if wanted is None:
        return pairs, []
    there = {pair[0].id: pair for pair in pairs}
    return (
        [there[name] for name, _ in wanted if name in there],
        [Missing(name, f"listed in {spec.ids}, but not in {root}") for name, _ in wanted if name not in there],
    )


def _read_packed(spec: DataSpec, root: Path, packed: Packed) -> tuple[list[Pair], list[Missing]]:
    """Of a pack, the clips that the data's words choose. UserError where it was made of others."""
    split = packed.data.get("split")
    if spec.split != split:
        raise UserError(f"{root}: expected a pack of the split {spec.split}, got one of {split}; set data.split")
    pairs = [row.pair() for row in packed.rows.values()]
    if spec.kinds:
        pairs = [pair for pair in pairs if pair[1] is not None and pair[1].kind in spec.kinds]
    if spec.ids is None:
        return pairs, list(packed.missing)
    there = {pair[0].id: pair for pair in pairs}
    lost = {entry.clip_id: entry for entry in packed.missing}
    found: list[Pair] = []
    missing: list[Missing] = []
    for name, labels in dict(read_list(_beside(root, spec.ids))).items():
        if name in there:
            clip, target = there[name]
            found.append((replace(clip, labels=labels or clip.labels), target))
        else:
            missing.append(lost.get(name, Missing(name, f"listed in {spec.ids}, but not packed in {root}")))
    return found, missing


def _read_frames(
    spec: DataSpec, root: Path, wanted: list[tuple[str, tuple[str, ...]]] | None
) -> tuple[list[Pair], list[Missing]]:
    """frames/<id>.jpg with audio/<id>.wav, as EZ-VSL lays them out, or video/<id>.mp4."""
    frames, sounds, films = (
        _by_stem(root / folder, endings)
        for folder, endings in (("frames", PICTURES), ("audio", SOUNDS), ("video", FILMS))
    )
    if not films and not (frames and sounds):
        raise UserError(f"expected frames/ and audio/, or video/, with media in {root}, got none; see docs on layouts")
    if wanted is None:
        wanted = [(name, ()) for name in sorted(films.keys() | (frames.keys() & sounds.keys()))]
    found: list[Pair] = []
    missing: list[Missing] = []
    for name, labels in dict(wanted).items():
        if name in frames and name in sounds:
            found.append((Clip(name, image=frames[name], audio=sounds[name], labels=labels), None))
        elif name in films:
            found.append((Clip(name, video=films[name], labels=labels), None))
        else:
            missing.append(Missing(name, "no media: neither frames/ with audio/ nor video/ has it"))
    return found, missing


def _by_stem(folder: Path, endings: tuple[str, ...]) -> dict[str, Path]:
    """Files of a folder by name without ending; the earlier ending wins where two share a name."""
    if not folder.is_dir():
        return {}
    files = [path for path in folder.iterdir() if path.suffix.lower() in endings]
    files.sort(key=lambda path: (endings.index(path.suffix.lower()), path.name), reverse=True)
    return {path.stem: path for path in files}


def _source(clip: Clip, kind: str) -> str:
    return clip.group or _video_of(clip.id, kind)


def _video_of(clip_id: str, kind: str) -> str:
    return clip_id[:YOUTUBE_ID] if kind == "vggsound" else clip_id


def _beside(root: Path, name: str) -> Path:
    return root / name  # an absolute name stays as it is
