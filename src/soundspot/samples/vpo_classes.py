"""Which class of recording is true of which COCO category: the built-in table, and the user's own.

A pairing stands here only if any object of the category could make the sound. What only some of them make is left out:
a photo does not say which ones. docs/samples/vpo.md names what was left out, and why.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from soundspot.lookup import find
from soundspot.samples.recordings import plain
from soundspot.samples.sound import Sound
from soundspot.textfiles import read_json, read_text
from soundspot.types import UserError


@dataclass(frozen=True)
class Pairing:
    """A category's sounds, as `recordings.plain` writes their classes."""

    sounds: tuple[str, ...]
    kin: str = ""
    """Categories of the same kin can be taken for each other by ear, so a picture of two serves neither."""
    alone: bool = False
    """Only where exactly one is in view: of several people one sneezes, and nothing says which."""


PAIRINGS: dict[str, Pairing] = {
    "person": Pairing(
        ("sneezing", "person_sneeze", "people_sneezing", "coughing", "people_coughing", "laughing", "people_laughing"),
        alone=True,
    ),
    "bicycle": Pairing(("bicycle_bell",)),
    "car": Pairing(
        ("car", "car_engine", "car_horn", "car_passing_by", "car_engine_starting", "car_engine_idling",
         "car_engine_knocking", "vehicle_horn_car_horn_honking"),
        kin="road vehicle",
    ),
    "motorcycle": Pairing(("motorcycle", "driving_motorcycle"), kin="road vehicle"),
    "airplane": Pairing(("airplane", "airplane_flyby"), kin="aircraft"),
    "bus": Pairing(("bus", "driving_buses"), kin="road vehicle"),
    "train": Pairing(
        ("train", "train_horning", "train_whistling", "train_wheels_squealing", "railroad_car_train_wagon",
         "subway_metro_underground"),
        kin="rail vehicle",
    ),
    "truck": Pairing(("truck",), kin="road vehicle"),
    "boat": Pairing(("boat",)),
    "bird": Pairing(
        ("bird", "birds", "songbird", "chirping_birds", "bird_chirping", "bird_chirping_tweeting", "bird_squawking")
    ),
    "cat": Pairing(("cat", "meow", "cat_meowing", "cat_purring", "cat_caterwauling", "cat_growling", "cat_hissing")),
    "dog": Pairing(
        ("dog", "bark", "dog_bark", "dog_barking", "dog_bow_wow", "dog_baying", "dog_growling", "dog_howling",
         "dog_whimpering")
    ),
    "horse": Pairing(("horse", "horse_neighing", "horse_clip_clop"), kin="equine"),
    "sheep": Pairing(("sheep", "lamb", "sheep_bleating"), kin="small ruminant"),
    "cow": Pairing(("cow", "cow_lowing", "cattle_mooing")),
    "elephant": Pairing(("elephant", "elephant_trumpeting")),
    "bear": Pairing(("bear", "bear_growling")),
    "zebra": Pairing(("zebra", "zebra_braying"), kin="equine"),
    "skateboard": Pairing(("skateboarding",)),
    "toilet": Pairing(("toilet", "toilet_flush", "toilet_flushing")),
    "mouse": Pairing(("mouse_click", "mouse_clicking")),
    "laptop": Pairing((), kin="keys"),
    "keyboard": Pairing(("keyboard_typing", "computer_keyboard", "typing_on_computer_keyboard"), kin="keys"),
    "cell phone": Pairing(("cell_phone", "cell_phone_buzzing", "ringtone")),
    "microwave": Pairing(("microwave", "microwave_oven")),
    "clock": Pairing(("clock", "clock_tick", "clock_ticking", "tick_tock")),
    "scissors": Pairing(("scissors",)),
    "hair drier": Pairing(("hair_dryer", "hair_dryer_drying")),
    "toothbrush": Pairing(("brushing_teeth", "toothbrush")),
}  # fmt: skip
"""COCO category -> its pairing; "mouse" is the computer's, so the animal's squeak is none of its sounds."""


def read_pairings(path: Path | None) -> dict[str, Pairing]:
    """The table, or the user's: a JSON object of category -> list of sound classes, which takes its place whole.

    What the table says of kin stays; a person stays alone. UserError for another form or an unknown category.
    """
    if path is None:
        return dict(PAIRINGS)
    wanted = 'a JSON object such as {"dog": ["dog_bark"]}'
    rows = read_json(path, wanted, "mend it")
    fine = isinstance(rows, dict) and all(
        isinstance(some, list) and all(isinstance(name, str) for name in some) for some in rows.values()
    )
    if not fine:
        raise UserError(f"{path}: expected {wanted}, got something else; mend it")
    kept = {category: replace(pairing, sounds=()) for category, pairing in PAIRINGS.items()}
    given = {
        category: replace(PAIRINGS.get(category, Pairing(())), sounds=tuple(map(plain, some)))
        for category, some in rows.items()
    }
    return kept | given


def match(
    pairings: Mapping[str, Pairing],
    recordings: Mapping[str, Sequence[Sound]],
    categories: Sequence[str],
    mapping: Path | None = None,
) -> dict[str, list[Sound]]:
    """Category -> its recordings, for those that have any; UserError if none has, naming `mapping` if it is its fault.

    What the mapping names must be among `categories` where the built-in table has no such category.
    """
    for category in pairings.keys() - PAIRINGS.keys():
        find(dict.fromkeys(categories), category, "category in the mapping")
    found = {
        category: [sound for name in pairing.sounds for sound in recordings.get(name, ())]
        for category, pairing in pairings.items()
    }
    matched = {category: some for category, some in found.items() if some}
    if not matched and mapping is not None:
        named = ", ".join(name for pairing in pairings.values() for name in pairing.sounds) or "none"
        raise UserError(
            f"{mapping}: expected classes of the recordings, {', '.join(recordings)}, got {named}; mend the mapping,"
            " or name other folders with --sounds"
        )
    if not matched:
        raise UserError(
            f"sounds: expected classes that a COCO category makes, got {', '.join(recordings)};"
            " give a mapping (--mapping) or other folders"
        )
    return matched


def mapped_in_vain(
    pairings: Mapping[str, Pairing], recordings: Collection[str], categories: Collection[str]
) -> list[str]:
    """What of a user's pairings is in no photo or has no recordings, in words."""
    found = []
    for category, pairing in pairings.items():
        if pairing.sounds and category not in categories:
            found.append(f"{category} (in no photo)")
        found += [f"{name} (no recordings, for {category})" for name in pairing.sounds if name not in recordings]
    return found


def read_left_out(path: Path | None) -> set[tuple[str, str]]:
    """(picture, category) pairs not to use, from lines "picture" or "picture category"; # begins a comment.

    A picture alone is (picture, ""): none of its categories is used. UserError without such a file.
    """
    if path is None:
        return set()
    if not path.is_file():
        raise UserError(f"{path}: expected a list of pictures to leave out, got no such file; check the path")
    lines = (
        line.partition("#")[0].split(maxsplit=1)
        for line in read_text(path, "a list of pictures to leave out", "write it anew").split("\n")
    )
    return {(words[0], words[1].strip() if len(words) > 1 else "") for words in lines if words}


def left_out_in_vain(
    left_out: Iterable[tuple[str, str]], pictures: Mapping[str, Collection[str]], known: Iterable[str], path: Path
) -> list[str]:
    """What of the list `path` is of no picture, or of a category that its picture lacks, in words.

    `pictures` have categories by id. UserError for a category that is not among `known`.
    """
    found, names = [], dict.fromkeys(known)
    for picture, category in sorted(left_out):
        if category:
            find(names, category, f"category in {path}")
        if picture not in pictures:
            found.append(f"{picture} (no such picture)")
        elif category and category not in pictures[picture]:
            found.append(f"{picture} {category} (not in the picture)")
    return found
