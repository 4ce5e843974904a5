"""The study on real films: its boxes, its sounds in place of the film's own, its tables; on a few films, really run."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from soundspot.localize.localizer import Localizer
from soundspot.media.video import probe, read_waveform
from soundspot.types import UserError

ROOT = Path(__file__).resolve().parents[1]
FILMS = ("video_02677.mp4", "0nib7bMm8BA_15000_25000.mp4")


@pytest.fixture(scope="module")
def study() -> Iterator[ModuleType]:
    """docs/results/films.py."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "docs/results"))
        import films  # type: ignore[import-not-found]

        yield films


def test_boxes_are_shares_of_the_frame_at_three_moments_or_published() -> None:
    known = json.loads((ROOT / "docs/results/films_boxes.json").read_text(encoding="utf-8"))["films"]
    assert len(known) == 18
    assert sum(film["in_view"] for film in known.values()) == 15
    for film in known.values():
        assert film["class"]
        moments = film.get("moments", [])
        assert len(moments) == (3 if film["in_view"] and "published" not in film else 0)
        for x0, y0, x1, y1 in (box for moment in moments for box in moment["boxes"]):
            assert 0 <= x0 < x1 <= 1
            assert 0 <= y0 < y1 <= 1


def test_a_point_lies_in_a_box_or_in_none(study: ModuleType) -> None:
    boxes = [(0.0, 0.0, 0.2, 0.2), (0.5, 0.5, 1.0, 1.0)]
    assert study.inside((0.6, 0.9), boxes)
    assert not study.inside((0.6, 0.4), boxes)


@pytest.mark.shared
def test_every_listed_film_is_found_with_its_truth(study: ModuleType, shared: Path, tmp_path: Path) -> None:
    films = study.find_films(shared)
    assert {film.path.name for film in films} == {path.name for path in (shared / "data/media/films").glob("*.mp4")}
    published = next(film for film in films if film.path.name.startswith("1aDnyPubxdY"))
    assert published.truths == {5.0: ((0.125, 0.096875, 0.71875, 0.99375),)}
    for film in films:
        assert all(0 <= time < probe(film.path).duration_seconds for time in film.truths)
        assert bool(film.truths) == film.in_view
    with pytest.raises(FileNotFoundError):
        study.find_films(tmp_path)
    (tmp_path / study.VGGSS).parent.mkdir(parents=True)
    (tmp_path / study.VGGSS).write_text("[]")
    with pytest.raises(UserError, match=r"expected the film .*, got nothing there"):
        study.find_films(tmp_path)


@pytest.mark.shared
def test_other_sounds_are_as_long_as_loud_and_of_another_class(study: ModuleType, shared: Path, tmp_path: Path) -> None:
    films = study.find_films(shared)
    film = next(each for each in films if each.path.name == FILMS[0])
    made = study.sounds_of(film, films, tmp_path, 16000)
    samples = {name: read_waveform(path, sample_rate=16000).samples[0] for name, path in made.items()}
    assert {len(each) for each in samples.values()} == {len(samples["own"])}
    assert np.abs(samples["silence"]).max() == 0
    assert samples["noise"].std() == pytest.approx(samples["own"].std(), rel=0.02)
    again = study.sounds_of(film, films, tmp_path, 16000)
    assert (again["other film"].read_bytes() == made["other film"].read_bytes()) is True
    lent = [
        each
        for each in films
        if np.array_equal(
            read_waveform(each.path, sample_rate=16000).samples[0][: 16000 * 5], samples["other film"][: 16000 * 5]
        )
        or np.allclose(
            read_waveform(each.path, sample_rate=16000).samples[0][: 16000 * 5],
            samples["other film"][: 16000 * 5],
            atol=1e-4,
        )
    ]
    assert [each.kind for each in lent] != []
    assert film.kind not in {each.kind for each in lent}


@pytest.mark.shared
@pytest.mark.usefixtures("encoders")
def test_two_films_are_seen_as_the_localizer_sees_them(
    study: ModuleType, shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(study, "EVERY_SECONDS", 1.5)
    films, heard = study.study(shared, FILMS)
    dog = next(film for film in films if film.path.name == FILMS[0])
    timeline = Localizer.from_pretrained().video(dog.path, every_seconds=1.5)
    for ours, theirs in zip(heard[FILMS[0]]["own"], timeline.moments, strict=True):
        assert np.allclose(ours.map, theirs.map, atol=1e-4)
        assert (ours.verdict, ours.boxes) == (theirs.verdict, theirs.boxes)
        assert [name for name, _ in ours.tags] == [name for name, _ in theirs.tags]
    assert {moment.verdict for moment in heard[FILMS[0]]["silence"].known} == {"silent"}
    assert study.hits(dog, heard[FILMS[0]]["own"]) == [True] * 3
    for table in (study.pointing, study.evidence, study.each_film):
        text = table(films, heard)
        assert "nan" not in text
    study.write_looks(tmp_path / "looks.csv", films, heard)
    with (tmp_path / "looks.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["visible"] for row in rows if row["sound"] != "own"} == {"0"}
    assert {row["visible"] for row in rows if row["sound"] == "own"} == {"1"}
    own, other = ([float(row["probability"]) for row in rows if row["sound"] == name] for name in ("own", "noise"))
    assert np.mean(own) > np.mean(other)
