"""Find class-labelled recordings in folders of any of the usual forms, and draw from them what can be heard."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from soundspot.media.errors import MediaError
from soundspot.samples import stamps_choice
from soundspot.samples.sound import SECONDS, Rng, Samples, Sound, fill, set_level
from soundspot.textfiles import is_file, read_table
from soundspot.types import UserError

ENDINGS = (".wav", ".ogg", ".mp3", ".flac", ".opus", ".m4a", ".aac", ".webm", ".mp4")
FAINTEST = 10 ** (-50 / 20)
"""A recording whose peak stays below this (full scale is 1) counts as silent."""


def plain(name: str) -> str:
    """A class's name as it is compared: ESC's numbers, case, spaces and signs do not matter.

    >>> plain("001 - Dog bark"), plain("bird chirping, tweeting"), plain("clock_tick")
    ('dog_bark', 'bird_chirping_tweeting', 'clock_tick')
    """
    return re.sub(r"[^a-z0-9]+", "_", re.sub(r"^\d+ - ", "", name).lower()).strip("_")


def find_recordings(folders: Sequence[Path]) -> dict[str, list[Sound]]:
    """Class (as `plain` writes it) -> recordings of all `folders`, those of each sorted by name.

    A folder is <class>/<recording> at any depth (ESC-10's tree too), ESC-50's with its esc50.csv, or the unpacked
    package tuxpaint-stamps-default. UserError for a folder without any.
    """
    found: dict[str, list[Sound]] = {}
    for folder in folders:
        some = _in_folder(folder)
        if not some:
            raise UserError(
                f"{folder}: expected recordings as <class>/<name>.wav (or {', '.join(ENDINGS[1:])}), got none;"
                " name another folder"
            )
        for sound in some:
            found.setdefault(sound.label, []).append(sound)
    return dict(sorted(found.items()))


def _in_folder(folder: Path) -> list[Sound]:
    stamps = next((p for p in (folder, *sorted(folder.glob("**/stamps"))) if _is_stamps(p)), None)
    if stamps is not None:
        return _of_stamps(stamps)
    listing = next(iter(sorted(folder.rglob("esc50.csv"))), None)
    if listing is not None:
        rows = read_table(listing, ("filename", "category"))
        places = [(listing.parent.parent / "audio" / row["filename"], row["category"]) for row in rows]
        return [_sound(path, plain(label)) for path, label in places if is_file(path)]
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in ENDINGS and p.parent != folder)
    return [_sound(path, plain(path.parent.name)) for path in paths if path.is_file()]


def _is_stamps(folder: Path) -> bool:
    return (folder / "animals").is_dir() and (folder / "vehicles").is_dir() and folder.name == "stamps"


def _of_stamps(folder: Path) -> list[Sound]:
    """Tux Paint's sound effects by the stamp they belong to, those left out of `stamps` left out here too."""
    from soundspot.samples.stamps import label_of

    names = [stamp for some in stamps_choice.FAMILIES.values() for stamp in some]
    paths = [(folder / f"{stamp}.ogg", label_of(stamp)) for stamp in names]
    return [_sound(path, label) for path, label in paths if path.is_file()]


def _sound(path: Path, label: str) -> Sound:
    return Sound(f"{label}/{path.stem}", label, path)


@dataclass
class Stock:
    """What each category may sound like; recordings that turn out silent or unreadable are refused and told."""

    sounds: Mapping[str, Sequence[Sound]]
    seconds: float = SECONDS
    refused: dict[str, str] = field(default_factory=dict)
    """Recording -> why."""

    def draw(self, rng: Rng, category: str, number: int = 0) -> tuple[str, Samples] | None:
        """A recording's name and `seconds` of it at a random loudness: of the order that `rng` draws, the `number`-th.

        None where there are no more than `number`; UserError where none can be heard.
        """
        some, heard = self.sounds[category], 0
        for index in rng.permutation(len(some)).tolist():
            name = some[index].name
            samples = None if name in self.refused else self._load(some[index])
            if samples is not None and heard == number:
                return name, set_level(rng, fill(rng, samples, self.seconds))
            heard += samples is not None
        if heard:
            return None
        raise UserError(
            f"{category}: expected a recording that can be heard, got {len(some)} silent or unreadable ones; add others"
        )

    def _load(self, sound: Sound) -> Samples | None:
        try:
            samples = sound.load()
        except MediaError:
            self.refused[sound.name] = "unreadable"
            return None
        except UserError:  # digital silence
            samples = np.zeros(1, dtype=np.float32)
        if np.abs(samples).max() < FAINTEST:
            self.refused[sound.name] = "silent"
            return None
        return samples
