"""Class labels for methods that learn from them: names in an option, and a batch's labels as numbers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from soundspot.types import Batch, UserError

AUDIOSET_TOP = (
    "Animal;Channel, environment and background;Human sounds;Music;Natural sounds;Source-ambiguous sounds;"
    "Sounds of things"
)
"""The seven top categories of AudioSet's ontology."""


def class_names(text: str) -> tuple[str, ...]:
    """The names in an option, separated by commas; or by semicolons, where a name has a comma of its own.

    >>> class_names("dog, cat"), class_names("car horn, honking;dog")
    (('dog', 'cat'), ('car horn, honking', 'dog'))
    """
    names = tuple(name.strip() for name in text.split(";" if ";" in text else ",") if name.strip())
    if len(set(names)) != len(names) or len(names) < 2:
        raise UserError(
            f"classes: expected two or more different names, got {text!r}; separate them with commas (or semicolons,"
            " where a name has a comma)"
        )
    return names


def multi_hot(batch: Batch, classes: Sequence[str]) -> Tensor:
    """(B, K), 1 where a clip has the class. Raises UserError for a clip without labels or with an unknown one."""
    if len(batch.labels) != len(batch) or not all(batch.labels):
        bare = next((name for name, own in zip(batch.clip_ids, batch.labels, strict=False) if not own), "every clip")
        raise UserError(f"expected clips with class labels, got none for {bare}; train on labelled, visible clips")
    number = {name: index for index, name in enumerate(classes)}
    truth = torch.zeros(len(batch), len(classes), device=batch.image.device)
    for row, labels in enumerate(batch.labels):
        for label in labels:
            if label not in number:
                raise UserError(
                    f"clip {batch.clip_ids[row]}: expected labels among the {len(classes)} classes ({classes[0]!r},"
                    f" {classes[1]!r}, ...), got {label!r}; set the option classes to the data's"
                )
            truth[row, number[label]] = 1
    return truth
