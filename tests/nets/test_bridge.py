"""The bridge's table is whole, and its maps point at the makers of the sound."""

from __future__ import annotations

import pytest
import torch

from encoder_files import cached
from soundspot.nets.bridge import GENERIC_WEIGHT, PERSON_INDEX, Bridge, imagenet_names, resolve
from soundspot.nets.bridge_table import GENERIC, GROUPS, PEOPLE, SPECIFIC
from soundspot.nets.yamnet import YAMNet
from soundspot.types import UserError

# Enough for the bridge's logic: every tag that the table names, then one that it does not.
TAGS = (*SPECIFIC, *GENERIC, "Silence")
NAMES = imagenet_names()


@pytest.fixture(scope="module")
def bridge() -> Bridge:
    return Bridge(TAGS)


def heard(**probabilities: float) -> torch.Tensor:
    """(1, T) tag probabilities."""
    tags = torch.zeros(1, len(TAGS))
    for name, probability in probabilities.items():
        tags[0, TAGS.index(name)] = probability
    return tags


def test_every_row_and_group_resolves() -> None:
    for row in (*SPECIFIC.values(), *GENERIC.values(), *GROUPS.values(), PEOPLE):
        assert resolve(row, NAMES)


def test_no_sound_is_both_specific_and_generic() -> None:
    assert not set(SPECIFIC) & set(GENERIC)


def test_every_group_is_used() -> None:
    rows = " ".join((*SPECIFIC.values(), *GENERIC.values(), *GROUPS.values()))
    words = {word.lstrip("@") for word in rows.split() if word.startswith("@")}
    assert words == set(GROUPS)


def test_the_tags_are_yamnets() -> None:
    names = YAMNet.load(cached("yamnet")).class_names
    assert set(SPECIFIC) | set(GENERIC) <= set(names)
    Bridge(names)


@pytest.mark.parametrize(
    ("group", "first", "last"),
    [
        ("@dogs", "Chihuahua", "Mexican hairless"),
        ("@wolves", "timber wolf", "African hunting dog"),
        ("@foxes", "red fox", "grey fox"),
        ("@cats", "tabby", "Egyptian cat"),
        ("@big_cats", "cougar", "cheetah"),
        ("@bears", "brown bear", "sloth bear"),
        ("@frogs", "bullfrog", "tailed frog"),
        ("@snakes", "thunder snake", "sidewinder"),
        ("@insects", "tiger beetle", "damselfly"),
        ("@apes", "orangutan", "indri"),
    ],
)
def test_ranges_begin_and_end_where_the_animals_do(group: str, first: str, last: str) -> None:
    indices = resolve(group, NAMES)
    assert NAMES[indices[0]].split(",")[0] == first
    assert NAMES[indices[-1]].split(",")[0] == last


def test_names_that_are_none_or_several_are_refused() -> None:
    with pytest.raises(UserError, match="did you mean 'accordion'"):
        resolve("acordion", NAMES)
    with pytest.raises(UserError, match=r"got 'crane' for \[134, 517\]"):
        resolve("crane", NAMES)


def test_other_tag_names_are_refused() -> None:
    with pytest.raises(UserError, match=r"use YAMNet\.class_names"):
        Bridge(["Speech"])


def test_weights_follow_the_most_probable_tag(bridge: Bridge) -> None:
    weights = bridge(heard(Bark=0.8, Dog=0.6, Cat=0.3))[0]
    assert weights.shape == (1001,)
    assert weights[NAMES.index("beagle")] == pytest.approx(0.8)
    assert weights[resolve("Siamese cat", NAMES)[0]] == pytest.approx(0.3)
    assert weights[resolve("accordion", NAMES)[0]] == 0


def test_generic_tags_count_less(bridge: Bridge) -> None:
    weights = bridge(heard(Animal=1.0, Cat=0.5))[0]
    assert weights[NAMES.index("beagle")] == pytest.approx(GENERIC_WEIGHT)
    assert weights[resolve("tabby", NAMES)[0]] == pytest.approx(0.5)


def test_people_are_a_class_of_their_own(bridge: Bridge) -> None:
    weights = bridge(heard(Speech=0.9))[0]
    assert weights[PERSON_INDEX] == pytest.approx(0.9)
    assert weights[:PERSON_INDEX].sum() == 0


def scene() -> torch.Tensor:
    """Class maps (1, 1000, 4, 4) of a beagle in one corner and a cat in the other."""
    maps = torch.zeros(1, 1000, 4, 4)
    maps[0, NAMES.index("beagle"), 0, 0] = 9.0
    maps[0, resolve("tabby", NAMES)[0], 3, 3] = 9.0
    return maps


def peak(place: torch.Tensor) -> tuple[int, int]:
    return divmod(int(place[0].flatten().argmax()), place.shape[-1])


def test_the_map_follows_the_sound(bridge: Bridge) -> None:
    assert peak(bridge.map(scene(), heard(Bark=0.7, Animal=0.9))) == (0, 0)
    assert peak(bridge.map(scene(), heard(Meow=0.7, Animal=0.9))) == (3, 3)


def test_a_cell_that_is_surely_something_else_says_less(bridge: Bridge) -> None:
    maps = scene()
    assert bridge.map(maps, heard(Accordion=1.0))[0, 0, 0] < bridge.map(maps, heard(Accordion=1.0))[0, 1, 1]


def test_a_sound_without_known_makers_has_no_map(bridge: Bridge) -> None:
    assert torch.all(bridge.map(scene(), heard(Silence=1.0)) == 0)


def test_speech_finds_people_where_they_are_given(bridge: Bridge) -> None:
    people = torch.zeros(1, 4, 4)
    people[0, 1, 2] = 5.0
    assert peak(bridge.map(scene(), heard(Speech=1.0), people)) == (1, 2)


def test_speech_finds_clothes_otherwise(bridge: Bridge) -> None:
    maps = scene()
    maps[0, resolve("sunglasses", NAMES)[0], 2, 1] = 9.0
    assert peak(bridge.map(maps, heard(Speech=1.0))) == (2, 1)


def test_each_sample_has_its_own_map(bridge: Bridge) -> None:
    tags = torch.cat([heard(Bark=1.0), heard(Meow=1.0)])
    both = bridge.map(scene().expand(2, -1, -1, -1), tags)
    torch.testing.assert_close(both[1:], bridge.map(scene(), tags[1:]))
