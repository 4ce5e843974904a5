"""Clips through a method to a predictions file: raw maps by clip id, what could not be read, and what made them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from soundspot.coming import OneBehind, Results, Take
from soundspot.data.loader import batches, sound_path
from soundspot.data.workers import choose_workers, telling_of_dead_workers
from soundspot.lookup import find
from soundspot.methods import method_name
from soundspot.predictions import Predictions, PredictionsWriter, unfinished
from soundspot.train.logs import Bar
from soundspot.types import Batch, Clip, Missing, UserError

if TYPE_CHECKING:
    from soundspot.methods.base import Method


def predict(
    method: Method,
    clips: Sequence[Clip],
    *,
    batch_size: int = 32,
    device: torch.device | str = "cpu",
    num_workers: int | None = 0,
    path: Path | None = None,
    resume: bool = False,
    progress: bool = True,
    asked: Mapping[str, str] | None = None,
    made: Mapping[str, Any] | None = None,
) -> Predictions:
    """Every clip's raw map, and by id the reason of each clip that could not be read; nothing takes its place.

    Clips are read by `num_workers` processes ahead of the method (None: as many as suit this machine), or by this one
    (0). With `path` the maps go to that file while they are made; `resume` goes on from what an interrupted run left
    there, and gives a finished file of the same run back as it is. UserError where what is there is of other clips or
    another method. `asked` joins the provenance: what the clips are, where they are not a benchmark's own; `made`, the
    words of this run, stands beside it and may differ on `resume`. The method keeps the mode (training or evaluation)
    it came in.
    """
    check_ids(clips)
    origin = {**provenance(method), **(asked or {})}
    if path is None:
        kept = _InMemory(origin)
        _fill(kept, method, clips, batch_size, device, num_workers, progress)
        return Predictions(kept.maps, kept.missing, kept.provenance, dict(made or {}))
    if resume and whole_already(path, method, clips, asked):
        return Predictions.load(path)
    with PredictionsWriter(path, origin, resume=resume, ids={clip.id for clip in clips}, made=made) as writer:
        rest = [clip for clip in clips if clip.id not in writer.done]
        _fill(writer, method, rest, batch_size, device, num_workers, progress)
    return Predictions.load(path)


def whole_already(path: Path, method: Method, clips: Sequence[Clip], asked: Mapping[str, str] | None = None) -> bool:
    """Is there a finished file of this very run at `path`? UserError where it is another's: nothing replaces that."""
    if not path.is_file():
        return False
    there, parts = Predictions.load(path), unfinished(path)
    held, wanted = {*there.maps, *there.missing}, {clip.id for clip in clips}
    is_same = dict(there.provenance) == {**provenance(method), **(asked or {})}
    if parts:  # of a run that stands for another file, or that was stopped while it removed what it had merged
        for part in parts if is_same and held == wanted else []:
            part.unlink()
        return is_same and held == wanted
    if not is_same:
        got = "a finished file of another method, options or versions"
    elif held != wanted:
        got = f"a finished file of other clips (with {len(held & wanted)} of these {len(wanted)})"
    else:
        return True
    raise UserError(f"{path}: expected what an interrupted run of the same words left, got {got}; name another file")


class _InMemory:
    """Takes what a PredictionsWriter takes, and keeps it."""

    def __init__(self, origin: Mapping[str, str]) -> None:
        self.maps: dict[str, np.ndarray] = {}
        self.missing: dict[str, str] = {}
        self.provenance = dict(origin)

    def add(self, ids: Sequence[str], maps: np.ndarray) -> None:
        self.maps.update(zip(ids, maps, strict=True))

    def add_missing(self, missing: Sequence[Missing]) -> None:
        self.missing.update({entry.clip_id: entry.reason for entry in missing})


def _fill(
    sink: PredictionsWriter | _InMemory,
    method: Method,
    clips: Sequence[Clip],
    batch_size: int,
    device: torch.device | str,
    num_workers: int | None,
    progress: bool,
) -> None:
    def ask(batch: Batch) -> list[Tensor]:
        return [method.localize(batch)]

    def take(ids: tuple[str, ...], results: Results) -> None:
        sink.add(ids, results[0])

    reading = Reading(batch_size, device, num_workers, progress)
    over_batches("predict", method, clips, reading, ask, take, sink.add_missing)


@dataclass(frozen=True)
class Reading:
    """How clips pass a method."""

    batch_size: int = 32
    device: torch.device | str = "cpu"
    num_workers: int | None = 0
    """Processes that read ahead; 0 reads in this one, None is as many as suit this machine."""
    progress: bool = True


def over_batches(
    what: str,
    method: Method,
    clips: Sequence[Clip],
    reading: Reading,
    ask: Callable[[Batch], Sequence[Tensor]],
    take: Take,
    take_missing: Callable[[list[Missing]], None],
) -> None:
    """`ask` the method about the clips, batch by batch without gradients, and hand its answers and the ids to `take`.

    The next batches are read, and the next one computed, while a batch's answers are taken. Clips that can't be read go
    to `take_missing`. The method keeps the mode (training or evaluation) it came in.
    """
    lost, was_training = 0, method.training
    workers = reading.num_workers
    if workers is None:
        workers = choose_workers(method.inputs, len(clips), reading.batch_size)
    # first of all: the processes that read are forked best from one that runs nothing beside
    read = batches(clips, method.inputs, batch_size=reading.batch_size, device=reading.device, num_workers=workers)
    method.eval().to(reading.device)
    try:
        told = telling_of_dead_workers()
        with told, Bar(what, len(clips), shown=reading.progress) as bar, torch.no_grad(), OneBehind(take) as results:
            for batch, missing in read:
                if batch is not None:
                    results.put(batch.clip_ids, ask(batch))
                take_missing(missing)
                lost += len(missing)
                bar.advance(len(missing) + (0 if batch is None else len(batch)), f"{lost} missing")
    finally:
        method.train(was_training)


def provenance(method: Method) -> dict[str, str]:
    """What makes the maps, as text: method, options, score range, initial and loaded weights, versions."""
    # a path of initial weights is this machine's affair; their name and hash stand under `initial`
    options = {key: value for key, value in method.options.items() if not key.startswith("init_")}
    origin = {
        "method": method_name(method),
        "options": json.dumps(options, sort_keys=True),
        "initial": json.dumps(method.initial, sort_keys=True),
        "soundspot": version("soundspot"),
        "torch": torch.__version__,
        "numpy": np.__version__,
    }
    for key in ("weights", "weights_sha256", "licence", "source"):
        if key in method.provenance:
            origin[key] = method.provenance[key]
    if method.class_names:
        origin["classes"] = json.dumps(list(method.class_names))
    if method.score_range is not None:
        origin["score_low"], origin["score_high"] = map(str, method.score_range)
    return origin


def replace_sounds(clips: Sequence[Clip], seed: int = 0, rule: str = "wrong_class") -> list[Clip]:
    """The clips, in order, with each other's sounds: a control on which whoever listens must do worse.

    wrong_class: the sound of a clip that shares no label; other_clip: of any other clip. Raises UserError where a clip
    has no labels (wrong_class) or no clip to take a sound from.
    """
    allowed = find(_PARTNERS, rule, "rule for replacing sounds")
    for clip in clips:
        if rule == "wrong_class" and not clip.labels:
            raise UserError(f"expected labels for the rule wrong_class, clip {clip.id} has none; use rule=other_clip")
    generator = np.random.default_rng(seed)
    return [_with_sound_of(clip, _partner(clip, clips, allowed, generator)) for clip in clips]


def _partner(
    clip: Clip, clips: Sequence[Clip], allowed: Callable[[Clip, Clip], bool], generator: np.random.Generator
) -> Clip:
    """A random clip whose sound `clip` may get."""
    for index in generator.integers(len(clips), size=8).tolist():  # nearly always enough, and no pass over all clips
        if allowed(clip, clips[index]):
            return clips[index]
    others = [other for other in clips if allowed(clip, other)]
    if not others:
        raise UserError(f"expected another sound for clip {clip.id}, got none that the rule allows; add clips")
    return others[int(generator.integers(len(others)))]


def _with_sound_of(clip: Clip, other: Clip) -> Clip:
    if clip.video is not None:
        return replace(clip, audio=sound_path(other))
    # a picture's moment only says where in the sound to listen, so it goes with the sound
    return replace(clip, audio=sound_path(other), time_seconds=other.time_seconds)


def _shares_no_label(clip: Clip, other: Clip) -> bool:
    return not set(clip.labels) & set(other.labels)


def _is_other(clip: Clip, other: Clip) -> bool:
    return sound_path(clip) != sound_path(other)


_PARTNERS: dict[str, Callable[[Clip, Clip], bool]] = {"wrong_class": _shares_no_label, "other_clip": _is_other}


def check_ids(clips: Sequence[Clip]) -> None:
    """UserError unless every id comes once."""
    names = Counter(clip.id for clip in clips)
    twice = next((name for name, count in names.items() if count > 1), None)
    if twice is not None:
        raise UserError(f"expected every clip id once, got {twice!r} {names[twice]} times; make the ids unique")
