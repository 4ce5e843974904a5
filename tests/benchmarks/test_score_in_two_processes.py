"""One process or two, in any order: the same numbers."""

from __future__ import annotations

import multiprocessing

import numpy as np

from soundspot.benchmarks import PROTOCOLS
from soundspot.benchmarks.measure import Measured, measure
from soundspot.benchmarks.summary import count, summarise
from soundspot.predictions import Predictions
from soundspot.types import Target

CLIPS = 50


def made() -> tuple[Predictions, list[Target]]:
    generator = np.random.default_rng(0)
    maps = {f"{number}": generator.random((7, 7), dtype=np.float32) for number in range(CLIPS)}
    targets = [
        Target(f"{number}", boxes=((0.1, 0.2, 0.6, 0.9),)) if number % 3 else Target(f"{number}", kind="silent")
        for number in range(CLIPS)
    ]
    return Predictions(maps), targets


def measured_part(part: tuple[int, int]) -> Measured:
    """What one process measures of its share."""
    predictions, targets = made()
    return measure([predictions], targets[slice(*part)], PROTOCOLS["strict"], jobs=1)[0]


def test_two_processes_measure_what_one_does() -> None:
    predictions, targets = made()
    (whole,) = measure([predictions], targets, PROTOCOLS["strict"])
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        joined = Measured.join(pool.map(measured_part, [(0, 23), (23, CLIPS)]))
    rules = PROTOCOLS["strict"]
    one, two = (summarise(count(each, targets, rules), rules, (0.5,)) for each in (whole, joined))
    assert one.keys() == two.keys()
    for name, value in one.items():
        np.testing.assert_equal(two[name].value, value.value, err_msg=name)
