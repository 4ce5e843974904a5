"""Spot, the built-in default: heads on frozen package encoders, learned on `soundspot samples paste` with its masks.

    soundspot samples paste --from SOURCE --root PASTE
    soundspot train spot --root PASTE --out runs/spot
    soundspot calibrate runs/spot/weights.safetensors PASTE --out spot.safetensors

SOURCE is the folder that docs/samples/paste.md describes. Cost and scores: docs/results/samples.md.
"""

from __future__ import annotations

from soundspot.train.recipe import DataSpec, Recipe


def spot() -> Recipe:
    """The shipped weights' recipe: 3,400 training clips, features kept after the first pass."""
    return Recipe(
        name="spot",
        method="spot",
        data=DataSpec("folder", split="train"),
        epochs=8,
        batch_size=16,
        optimizer="adamw",
        learning_rate=3e-3,
        weight_decay=1e-2,
        schedule="cosine",
        warmup_steps=200,
        cache="features",
        num_workers=0,
    )
