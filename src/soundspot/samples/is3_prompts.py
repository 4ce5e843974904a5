"""The sentences that IS3's pictures were drawn from (SSLalign, arXiv 2407.13676, equation 6): two classes in each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from soundspot.types import UserError

TOGETHER = ("a photo of a {} and {}", "{} is next to {}")
PLAYING = "{} is playing a {}"
"""Only of an instrument, and not by one."""
INSTRUMENTS = frozenset(
    {
        "accordion", "bagpipes", "banjo", "bassoon", "bongo", "cello", "clarinet", "congas", "cornet", "cymbal",
        "didgeridoo", "djembe", "double_bass", "drum", "drum_kit", "drums", "electric_guitar", "erhu", "euphonium",
        "flute", "french_horn", "guitar", "guiro", "hammond_organ", "harmonica", "harp", "harpsichord", "lute",
        "mandolin", "marimba", "oboe", "organ", "piano", "saxophone", "shofar", "sitar", "snare_drum", "steel_guitar",
        "steelpan", "synthesizer", "tabla", "tambourine", "timpani", "trombone", "trumpet", "tuba", "ukulele",
        "vibraphone", "viola", "violin", "xylophone", "zither",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Prompt:
    """A sentence and the two classes that its picture should show."""

    id: str
    text: str
    labels: tuple[str, str]


def thing(label: str) -> str:
    """What is to be drawn of a sound's class.

    >>> thing("playing_electric_guitar"), thing("dog_barking")
    ('electric_guitar', 'dog_barking')
    """
    return label.removeprefix("playing_")


def words(label: str) -> str:
    """A class in words.

    >>> words("playing_electric_guitar")
    'electric guitar'
    """
    return thing(label).replace("_", " ")


def make_prompts(labels: Sequence[str], count: int, seed: int = 0) -> list[Prompt]:
    """`count` different prompts over pairs of different classes, drawn at random; UserError where there are too few."""
    every: list[tuple[str, str, str]] = []
    for first, second in combinations(sorted(set(labels)), 2):
        every += [(template, first, second) for template in TOGETHER]
        for player, played in ((first, second), (second, first)):
            if thing(played) in INSTRUMENTS and thing(player) not in INSTRUMENTS:
                every.append((PLAYING, player, played))
    if count < 1 or count > len(every):
        raise UserError(
            f"prompts: expected 1 to {len(every)} of {len(set(labels))} classes, got {count}; give more classes or"
            " ask for fewer"
        )
    chosen = np.random.default_rng([seed, *b"prompts"]).permutation(len(every))[:count].tolist()
    prompts = []
    for number, index in enumerate(chosen):
        template, first, second = every[index]
        name = f"{thing(first)}_{thing(second)}_{number:05d}"
        prompts.append(Prompt(name, template.format(words(first), words(second)), (first, second)))
    return prompts
