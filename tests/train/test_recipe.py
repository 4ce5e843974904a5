"""Recipes and the settings that change them."""

from __future__ import annotations

import dataclasses

import pytest

from soundspot.train.recipe import DataSpec, Recipe, apply_settings, changed_fields, recipe_json
from soundspot.types import UserError

BASE = Recipe("base", "tiny_methods:Tiny")


def test_settings_reach_every_level_with_their_types() -> None:
    recipe = apply_settings(
        BASE,
        [
            "epochs=3",
            "learning_rate=1e-3",
            "drop_last=false",
            "schedule=cosine",
            "train_scale=1.0",
            "train_frame=none",
            "allow_leak=a, b",
            "data.ids=list.txt",
            "data.test_ids=vggss.json",
            "method.temperature=0.5",
            "method.needs_mask=true",
        ],
    )
    assert recipe == Recipe(
        "base",
        "tiny_methods:Tiny",
        options={"temperature": 0.5, "needs_mask": True},
        data=DataSpec(ids="list.txt", test_ids=("vggss.json",)),
        epochs=3,
        learning_rate=1e-3,
        drop_last=False,
        schedule="cosine",
        train_scale=1.0,
        allow_leak=("a", "b"),
    )
    assert BASE.epochs == 20, "the recipe given stays as it was"


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("epoch=3", "did you mean 'epochs'"),
        ("data.id=x", "did you mean 'data.ids'"),
        ("method.temprature=1", "did you mean 'method.temperature'"),
        ("options=1", "unknown setting 'options'"),
        ("epochs", "key=value"),
        ("epochs=1.5", "expected a whole number for epochs, got '1.5'"),
        ("learning_rate=fast", "expected a number for learning_rate, got 'fast'"),
        ("drop_last=maybe", "drop_last=true or drop_last=false"),
        ("schedule=cosin", "did you mean 'cosine'"),
        ("batch_size=0", "batch_size >= 1, got 0"),
        ("validation_fraction=1.5", "validation_fraction in"),
        ("choose=loss", "needs held-out clips"),
    ],
)
def test_wrong_settings_say_what_to_do(setting: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        apply_settings(BASE, [setting])


def test_only_fields_that_change_the_run_count_as_changed() -> None:
    other = dataclasses.replace(BASE, num_workers=7, log_steps=3, seed=3, data=DataSpec(ids="x"))
    assert changed_fields(recipe_json(BASE), recipe_json(other)) == ["data", "seed"]
