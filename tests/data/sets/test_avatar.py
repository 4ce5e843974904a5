"""Films annotated frame by frame: kinds, scenarios, masks, and a strict form."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from layouts import LAYOUTS
from layouts.avatar import CAT, DOG, videos
from layouts.made import HEIGHT, WIDTH, filled
from soundspot.benchmarks import BENCHMARKS, score
from soundspot.benchmarks.priors import prior
from soundspot.benchmarks.protocols import PROTOCOLS
from soundspot.data.check import check
from soundspot.data.sets.avatar import missing_avatar, read_avatar, scenarios
from soundspot.media.image import read_image
from soundspot.types import Target, UserError


def targets_of(folder: Path) -> dict[str, Target]:
    return {target.clip_id: target for _, target in BENCHMARKS["avatar"].load(folder, folder)}


def test_frames_with_kinds_films_and_the_boxes_of_what_sounds(tmp_path: Path) -> None:
    LAYOUTS["avatar"](tmp_path)
    targets = targets_of(tmp_path)
    assert {name: target.kind for name, target in targets.items()} == {
        "yard@0.500": "visible", "yard@1.000": "visible", "yard@1.500": "offscreen",
        "road@0.200": "visible", "road@1.000": "visible", "road@1.600": "silent",
    }  # fmt: skip
    assert targets["yard@0.500"].boxes == (tuple(DOG),)
    assert targets["yard@1.000"].boxes == (tuple(DOG), tuple(CAT))
    assert targets["yard@1.000"].box_labels == targets["yard@1.000"].labels == ("dog", "cat")
    assert {target.video for target in targets.values()} == {"yard", "road"}
    pairs = BENCHMARKS["avatar"].load(tmp_path, tmp_path)
    assert check(pairs).fine
    assert {clip.id: clip.time_seconds for clip, _ in pairs}["road@0.200"] == 0.2
    assert all(clip.video is None for clip, _ in read_avatar(tmp_path))


def test_masks_are_files_or_drawn_from_polygons(tmp_path: Path) -> None:
    LAYOUTS["avatar"](tmp_path)
    targets = targets_of(tmp_path)
    assert targets["yard@0.500"].mask is None
    assert targets["road@0.200"].mask == tmp_path / "masks/road_0.png"
    assert read_image(tmp_path / "masks/road_0.png").any()
    drawn = targets["road@1.000"].mask
    assert isinstance(drawn, np.ndarray)
    assert drawn.shape == (HEIGHT, WIDTH)
    assert np.mean(drawn != filled((0.25, 0.5, 0.75, 1.0))) < 0.04
    assert targets["road@1.000"].boxes == ((0.25, 0.5, 0.75, 1.0),), "the tight box around the polygon"


def test_scenarios_choose_what_to_score(tmp_path: Path) -> None:
    LAYOUTS["avatar"](tmp_path)
    named = scenarios(tmp_path)
    assert named == {
        "yard@0.500": "single-sound", "yard@1.000": "mixed-sound", "yard@1.500": "off-screen",
        "road@0.200": "single-sound", "road@1.000": "multi-entity",
    }  # fmt: skip
    single = [target for name, target in targets_of(tmp_path).items() if named.get(name) == "single-sound"]
    made = prior("oracle", single, PROTOCOLS["strict"])
    result = score(made, single, intervals=False, beside=False)
    assert result.summary["ciou@0.5"].count == 2


def test_films_without_annotated_frames_are_named(tmp_path: Path) -> None:
    LAYOUTS["avatar"](tmp_path)
    (entry,) = missing_avatar(tmp_path)
    assert (entry.clip_id, entry.reason) == ("empty", "no annotated frame")


Change = Callable[[list[Any]], object]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda films: films.clear(), r"expected a JSON object \{\"videos\""),
        (lambda films: films.append("yard"), "video 3: expected an object with id, file, frames"),
        (lambda films: films[0].pop("file"), "video 0: expected file, got none"),
        (lambda films: films[0].update(fps=5), "unknown field in .*video 0: 'fps'"),
        (lambda films: films[0].update(id=""), "expected id as text"),
        (lambda films: films[0]["frames"][0].update(frame=3), "either time_seconds or frame"),
        (lambda films: films[1].pop("frames_per_second"), "expected frames_per_second of a film"),
        (lambda films: films[1].update(frames_per_second=0), "as a number above 0"),
        (lambda films: films[0]["frames"][0].update(time_seconds=-1), "time_seconds as a number of 0 or more"),
        (lambda films: films[0]["frames"][0].update(scenario="single"), "did you mean 'single-sound'"),
        (lambda films: films[0]["frames"][0].update(kind="loud"), "unknown kind"),
        (lambda films: films[0]["frames"][0].update(kind="silent"), "got kind silent with some"),
        (lambda films: films[0]["frames"][0].update(instances=[]), "expected a kind, as no instance sounds"),
        (lambda films: films[0]["frames"][0].update(instances=[], kind="visible"), "got kind visible with none"),
        (lambda films: films[0]["frames"][0]["instances"][0].pop("box"), "expected a box or a polygon"),
        (lambda films: films[0]["frames"][0]["instances"][0].update(box=[5, 9, 50, 90]), "divide pixels by"),
        (lambda films: films[0]["frames"][0]["instances"][0].update(box=[0, 1]), r"expected a box as \[x0"),
        (lambda films: films[0]["frames"][0]["instances"][0].update(sounding=1), "sounding as true or false"),
        (lambda films: films[1]["frames"][1]["instances"][0].update(polygon=[[0, 0], [1, 1]]), "three and more points"),
        (lambda films: films[1].pop("size"), r"expected size \[width, height\]"),
        (lambda films: films[0]["frames"].append(films[0]["frames"][0]), "expected every moment of a film once"),
    ],
)
def test_another_form_is_refused_with_its_place(tmp_path: Path, change: Change, problem: str) -> None:
    films = videos()
    change(films)
    (tmp_path / "avatar.json").write_text(json.dumps({"videos": films}))
    with pytest.raises(UserError, match=problem):
        read_avatar(tmp_path)


def test_a_file_of_films_without_frames_is_refused(tmp_path: Path) -> None:
    (tmp_path / "avatar.json").write_text(json.dumps({"videos": videos()[2:]}))
    with pytest.raises(UserError, match="expected annotated frames, got none"):
        read_avatar(tmp_path)
