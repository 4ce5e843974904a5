"""Score the default localizer on sample scenes: all seeds, all parts and the wrong-sound control in one pass.

    python docs/results/samples.py SET OUT WEIGHTS [WEIGHTS ...]

SET is a folder of scenes (its split `test` is used), WEIGHTS are calibrated weights of `spot`, one a seed. Writes OUT,
the results as JSON lines: a row a seed and part. What the frozen encoders say of a clip serves all seeds and parts.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from soundspot import weights
from soundspot.benchmarks import PROTOCOLS, prior, score
from soundspot.benchmarks.result import Result
from soundspot.data.folder import read_folder
from soundspot.data.loader import batches
from soundspot.methods.spot import PARTS, Spot, combine
from soundspot.predict import provenance, replace_sounds
from soundspot.predictions import Predictions
from soundspot.types import Clip, Target

PRIOR_ROWS = ("centre", "gaussian", "square", "oracle")
BATCH_SIZE = 16
Maps = dict[str, np.ndarray]


def main(arguments: Sequence[str]) -> None:
    """Read the words, predict, score, write."""
    root, out, *files = map(Path, arguments)
    methods = {path.parent.name: _load(path) for path in files}
    pairs = read_folder(root, split="test")
    made: dict[tuple[str, str], Maps] = {}
    for name, part, ids, maps in _predict(methods, [clip for clip, _ in pairs]):
        made.setdefault((name, part), {}).update(zip(ids, maps, strict=True))
    with out.open("w", encoding="utf-8") as file:
        for result in _results(methods, made, [target for _, target in pairs], root.name):
            file.write(result.to_json(records=False).replace("\n", " ") + "\n")
            print(result.name, {key: round(result.summary[key].value, 4) for key in SHOWN if key in result.summary})


SHOWN = ("ciou_adaptive@0.5", "pointing", "iiou_adaptive@0.5", "auroc/all")


def _load(path: Path) -> Spot:
    method = weights.load(path)
    assert isinstance(method, Spot), path
    return method


@torch.no_grad()
def _predict(methods: dict[str, Spot], clips: list[Clip]) -> Iterator[tuple[str, str, tuple[str, ...], np.ndarray]]:
    """(seed, part, clip ids, maps): first what every sound is like, then pictures with right and wrong sounds."""
    first = next(iter(methods.values()))
    heard: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}
    by_sound = {clip.id: clip.audio for clip in clips}
    wrong = {clip.id: clip.audio for clip in replace_sounds([clip for clip in clips if clip.labels])}
    owner = {audio: name for name, audio in by_sound.items()}
    for batch, missing in batches(clips, first.inputs, batch_size=BATCH_SIZE):
        assert batch is not None, missing
        assert not missing, missing
        sounds, tags = first.heard(batch)
        heard |= {name: (sounds[i], tags[i]) for i, name in enumerate(batch.clip_ids)}
    for batch, _ in batches(clips, first.inputs, batch_size=BATCH_SIZE):
        assert batch is not None
        frozen = first.encode(batch.image)
        others = [owner[wrong[name]] if name in wrong else name for name in batch.clip_ids]
        for name, method in methods.items():
            seen = method.look(batch.image, frozen)
            for label, ids in (("", batch.clip_ids), ("wrong sound", others)):
                sounds, tags = (torch.stack([heard[one][k] for one in ids]) for k in (0, 1))
                maps = method.maps(seen, sounds, tags)
                for part in PARTS if not label else ("all",):
                    yield name, label or part, batch.clip_ids, combine(maps, part).numpy()


def _results(
    methods: dict[str, Spot], made: dict[tuple[str, str], Maps], targets: list[Target], benchmark: str
) -> Iterator[Result]:
    for (name, part), maps in made.items():
        predictions = Predictions(maps=maps, missing={}, provenance=provenance(methods[name]))
        yield score(predictions, targets, name=f"{name}/{part}", benchmark=benchmark, beside=part == "all")
    for floor in PRIOR_ROWS:
        yield score(prior(floor, targets, PROTOCOLS["strict"]), targets, name=floor, benchmark=benchmark, beside=False)


if __name__ == "__main__":
    main(sys.argv[1:])
