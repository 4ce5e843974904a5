"""Maps by class from the method to the report, beside maps that tell no classes apart."""

from __future__ import annotations

import base64
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image
from torch import Tensor, nn

from soundspot.benchmarks import PROTOCOLS, prior, score
from soundspot.benchmarks.report.build import build_report
from soundspot.benchmarks.report.classes import Key
from soundspot.benchmarks.report.evidence import Evidence
from soundspot.benchmarks.result import Result
from soundspot.localize.draw_classes import COLOURS
from soundspot.media.audio import write_wav
from soundspot.methods.base import Method
from soundspot.predict import predict
from soundspot.predictions import Predictions
from soundspot.samples.layout import SetWriter
from soundspot.types import Batch, Clip, Inputs, Target, UserError

RATE = 8000
NAMES = ("cello", "drum", "flute")
NAMED = {"classes": json.dumps(NAMES)}
LEFT, RIGHT = (0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 1.0, 1.0)
GREYS = {"cello": 250, "drum": 130}
"""How bright each is in the pictures."""


class Shades(Method):
    """Tells the bright from the half-bright, whatever it hears."""

    tag_names = NAMES

    def __init__(self, output: str = "classes") -> None:
        super().__init__()
        self.inputs = Inputs(
            image_size=32, image_mean=(0.0,) * 3, image_std=(1.0,) * 3, sample_rate=RATE, seconds=0.5,
            spectrogram="logmel",
        )  # fmt: skip
        self.output = output
        self.gain = nn.Parameter(torch.ones(()))

    @property
    def class_names(self) -> tuple[str, ...]:  # type: ignore[override]
        return NAMES if self.output == "classes" else ()

    def localize(self, batch: Batch) -> Tensor:
        shade = F.adaptive_avg_pool2d(batch.image.mean(dim=1, keepdim=True), 4)
        wanted = torch.tensor([GREYS["cello"] / 255, GREYS["drum"] / 255, 9.0])[:, None, None]
        maps = torch.softmax(-self.gain * 12 * (shade - wanted).abs(), dim=1)
        return maps if self.output == "classes" else maps[:, :2].amax(dim=1)


def duet_picture(first: str, second: str) -> np.ndarray:
    """(40, 60, 3): one class left, another right."""
    picture = np.zeros((40, 60, 3), np.uint8)
    picture[:, :30], picture[:, 30:] = GREYS[first], GREYS[second]
    return picture


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six scenes of two classes, of which both or only the left one sounds."""
    root = tmp_path_factory.mktemp("scenes") / "set"
    with SetWriter(root, name="duets", version="1", seed=0) as writer:
        for number in range(6):
            pair = ("cello", "drum") if number % 2 else ("drum", "cello")
            name, sounding = f"duet{number}", 1 + (number < 3)
            (writer.root / "audio").mkdir(exist_ok=True)
            write_wav(writer.root / f"audio/{name}.wav", np.full((1, RATE), 0.1, np.float32), RATE)
            writer.add(
                name,
                kind="visible",
                split="test",
                image=writer.write_picture(name, duet_picture(*pair)),
                audio=f"audio/{name}.wav",
                boxes=[LEFT, RIGHT][:sounding],
                labels=pair[:sounding],
                box_labels=pair[:sounding],
            )
    return root


@pytest.fixture(scope="module")
def pairs(scenes: Path) -> list[tuple[Clip, Target]]:
    from soundspot.data.folder import read_folder

    return read_folder(scenes)


@pytest.fixture(scope="module")
def made(pairs: list[tuple[Clip, Target]]) -> dict[str, Predictions]:
    """By class, as one map, and the floor."""
    clips, targets = [clip for clip, _ in pairs], [target for _, target in pairs]
    by_output = {name: predict(Shades(name), clips, batch_size=4, progress=False) for name in ("classes", "one")}
    return {**by_output, "centre": prior("centre", targets, PROTOCOLS["dsol_duet"])}


def test_predictions_hold_a_map_a_class_and_say_which(
    pairs: list[tuple[Clip, Target]], made: dict[str, Predictions], tmp_path: Path
) -> None:
    clips = [clip for clip, _ in pairs]
    assert json.loads(made["classes"].provenance["classes"]) == list(NAMES)
    assert "classes" not in made["one"].provenance
    assert {scores.shape for scores in made["classes"].maps.values()} == {(3, 4, 4)}
    single = predict(Shades(), clips, batch_size=1, path=tmp_path / "p.safetensors", progress=False)
    for clip in clips:
        assert single.maps[clip.id] == pytest.approx(made["classes"].maps[clip.id], abs=1e-6)
    assert single.provenance == made["classes"].provenance
    again = Predictions.load(tmp_path / "p.safetensors")
    again.save(tmp_path / "q.safetensors")
    assert (tmp_path / "q.safetensors").read_bytes() == (tmp_path / "p.safetensors").read_bytes()


def test_an_interrupted_run_goes_on(
    pairs: list[tuple[Clip, Target]], made: dict[str, Predictions], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stops(Shades):
        seen = 0

        def localize(self, batch: Batch) -> Tensor:
            self.seen += 1
            if self.seen == 3:
                raise KeyboardInterrupt
            return super().localize(batch)

    monkeypatch.setattr("soundspot.predict.method_name", lambda _: "shades")  # the same run to the eye
    clips, path = [clip for clip, _ in pairs], tmp_path / "p.safetensors"
    with pytest.raises(KeyboardInterrupt):
        predict(Stops(), clips, batch_size=2, path=path, progress=False)
    assert not path.exists()
    assert len(list(tmp_path.iterdir())) == 1, "what was done stays"
    whole = predict(Shades(), clips, batch_size=2, path=path, resume=True, progress=False)
    assert json.loads(whole.provenance["classes"]) == list(NAMES)
    assert sorted(whole.maps) == sorted(made["classes"].maps)
    for clip_id, scores in whole.maps.items():
        assert scores == pytest.approx(made["classes"].maps[clip_id], abs=1e-6)
    assert [found.name for found in tmp_path.iterdir()] == [path.name]


def test_both_kinds_of_maps_and_the_floor_stand_in_one_table(
    pairs: list[tuple[Clip, Target]], made: dict[str, Predictions]
) -> None:
    targets = [target for _, target in pairs]
    classed = score(made["classes"], targets, "dsol_duet", intervals=False)
    plain = score(made["one"], targets, "dsol_duet", intervals=False)
    assert classed.summary["class_ciou@0.5"].value == 1
    assert classed.summary["nsa"].count == 6
    assert [row["class_ciou"] > 0.8 for row in classed.records] == [True] * 6
    silent = [row["silent_share"] for row in classed.records]
    assert np.mean(silent) == pytest.approx(classed.summary["nsa"].value)
    assert plain.records[0]["class_ciou"] == 0.5
    assert "silent_share" not in plain.records[0]
    assert "nsa" not in plain.summary
    # the whole picture is claimed each time, of which one class has half
    assert plain.summary["class_ciou@0.3"].value == 1
    assert plain.summary["class_auc"].value == pytest.approx(0.525)
    assert plain.summary["class_ciou@0.3"].count == 6
    for beside in (classed.beside, plain.beside):
        assert beside["gaussian"]["class_ciou@0.3"] > 0
        assert "nsa" not in beside["gaussian"], "`centre` is above 0 nowhere, so that of its share nothing is claimed"


@settings(max_examples=25, deadline=None)
@given(
    maps=arrays.arrays(np.float32, (4, 5, 5), elements=st.floats(0, 1, width=32)),
    sounding=st.lists(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4), min_size=4, max_size=4),
    protocol=st.sampled_from(["dsol_solo", "dsol_synthetic", "dsol_duet"]),
)
def test_one_map_scores_as_the_same_map_for_every_class(
    maps: np.ndarray, sounding: list[list[str]], protocol: str
) -> None:
    draw = np.random.default_rng(len(sounding[0]))
    targets = []
    for number, labels in enumerate(sounding):
        corners = draw.uniform(0, 0.5, (len(labels), 2))
        boxes = tuple((x, y, x + 0.4, y + 0.3) for x, y in corners.tolist())
        targets.append(Target(f"c{number}", boxes=boxes, box_labels=tuple(labels)))
    one = Predictions({f"c{number}": scores for number, scores in enumerate(maps)})
    each = Predictions({name: np.stack([scores] * 3) for name, scores in one.maps.items()}, {}, NAMED)
    mine, theirs = (score(made, targets, protocol, intervals=False, beside=False).summary for made in (one, each))
    for key in ("class_ciou@0.3", "class_ciou@0.5", "class_auc"):
        assert mine[key].value == pytest.approx(theirs[key].value, abs=1e-12)
        assert mine[key].count == 4


def test_single_sources_score_as_ever() -> None:
    scores = np.zeros((4, 4), np.float32)
    scores[:, :2] = 1
    targets = [
        Target("found", boxes=(LEFT,), box_labels=("cello",)),
        Target("lost", boxes=(RIGHT,), box_labels=("drum",)),
        Target("unread", boxes=(RIGHT,), box_labels=("drum",)),
        Target("bare"),
    ]
    predictions = Predictions({"found": scores, "lost": scores, "bare": scores}, {"unread": "cut off"})
    found = score(predictions, targets[:3], "dsol_solo", intervals=False, beside=False).summary
    assert found["ciou@0.5"].value == found["class_ciou@0.5"].value == 0.5
    assert found["ciou@0.5"].count == found["class_ciou@0.5"].count == 2, "what could not be read is left out"
    assert found["auc"].value == found["class_auc"].value
    many = score(predictions, targets, "dsol_solo", intervals=False, beside=False).summary
    assert many["class_ciou@0.5"].count == 2, "no box, nothing to measure"
    nameless = [replace(target, box_labels=()) for target in targets[:3]]
    plain = score(predictions, nameless, "dsol_solo", intervals=False, beside=False).summary
    assert plain["ciou@0.5"].value == 0.5
    assert not [key for key in plain if key.startswith("class_")], "boxes without classes"


def test_protocols_of_one_map_say_how_to_get_one() -> None:
    target, maps = Target("a", boxes=(LEFT,)), {"a": np.zeros((3, 2, 2), np.float32)}
    told = Predictions(maps, {}, {**NAMED, "options": json.dumps({"output": "classes"})})
    with pytest.raises(
        UserError, match=r"expected one map \(h, w\), got \(3, 2, 2\); predict again with --set output=one"
    ):
        score(told, [target], "strict")
    with pytest.raises(UserError, match="choose one class's map a clip before scoring, or take a protocol of class"):
        score(Predictions(maps, {}, NAMED), [target], "ezvsl")


@pytest.fixture(scope="module")
def results(pairs: list[tuple[Clip, Target]], made: dict[str, Predictions]) -> list[Result]:
    targets = [target for _, target in pairs]
    return [score(maps, targets, "dsol_duet", name=name, benchmark="duets") for name, maps in made.items()]


def pictures(html: str, alt: str) -> list[np.ndarray]:
    """The pictures of that name."""
    found = re.findall(rf'alt="{alt}" src="data:image/jpeg;base64,([^"]+)"', html)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(each)))).astype(int) for each in found]


def test_the_report_shows_classes_in_colours_and_says_what_it_leaves_out(
    pairs: list[tuple[Clip, Target]], made: dict[str, Predictions], results: list[Result]
) -> None:
    report = build_report(results, {"duets": Evidence(pairs, made, PROTOCOLS["dsol_duet"])}, clips=2)
    titles = re.findall("<h3>([^<]+)</h3>", report.html)
    shown = ["Clips of classes", "Clips of one", "Side by side"]
    assert titles == ["Numbers", "Pairs", "Curves", "Classes", "Every protocol", "Areas and places", *shown]
    for title in ("Curves", "Every protocol", "Areas and places"):
        part = report.html.split(f"<h3>{title}</h3>")[1].split("</section>")[0]
        assert "classes: not here, for this takes one map a clip" in part
        assert "--set output=one" in part
    assert "classes: not here" in report.markdown
    assert "class overlap" in report.html.split("<h3>Pairs</h3>")[1].split("</section>")[0]
    key = '<span class="key"><i style="background:rgb(255, 136, 0)"></i>cello</span>'
    assert key in report.html
    assert re.search(r"by class 0\.\d\d, silent classes silent [01]\.\d\d", report.html)
    for clip, target in pairs:
        for picture in pictures(report.html, f"{clip.id} by classes"):
            centre = {"cello": picture[80, 60], "drum": picture[80, 180]}
            if target.box_labels[0] == "drum":
                centre = {"drum": picture[80, 60], "cello": picture[80, 180]}
            assert np.argmax(centre["cello"]) == 0, "orange"
            assert np.argmax(centre["drum"]) == 2, "blue"
    assert pictures(report.html, "duet. by classes"), "some were looked at"


def test_truths_have_their_classes_colours_and_names(
    pairs: list[tuple[Clip, Target]], made: dict[str, Predictions]
) -> None:
    from soundspot.benchmarks.report.pictures import Seen

    key = Key.of(Evidence(pairs, made, PROTOCOLS["dsol_duet"]))
    assert key is not None
    assert list(key.numbers) == list(NAMES)
    assert Key.of(Evidence(pairs, {"one": made["one"]}, PROTOCOLS["dsol_duet"])) is None
    clip, target = pairs[1]  # cello left, drum right
    address = Seen(clip, target).picture(key=key)
    (picture,) = pictures(f'alt="x" src="{address}"', "x")
    rim = {"cello": picture[100, 0:4].mean(axis=0), "drum": picture[100, -4:].mean(axis=0)}
    for number, name in enumerate(("cello", "drum")):
        assert np.argmax(rim[name]) == np.argmax(COLOURS[number]), name
    assert (picture[2:14, 10:40] < 60).all(axis=2).any(), "black letters on the class's colour"


def test_a_report_of_classes_alone_and_one_from_numbers_alone(
    pairs: list[tuple[Clip, Target]], made: dict[str, Predictions], results: list[Result]
) -> None:
    alone = {"classes": made["classes"]}
    whole = build_report(results[:1], {"duets": Evidence(pairs, alone, PROTOCOLS["dsol_duet"])}, clips=1)
    assert whole.html.count("not here, for this takes one map a clip") == 3
    assert "Clips of classes" in whole.html
    kept = [Result.from_json(result.to_json()) for result in results]
    numbers = build_report(kept)
    assert "classes: not here" in numbers.html
    assert "class cIoU@.3" in numbers.markdown
    assert "NSA" in numbers.markdown


def test_the_command_opens_a_file_of_maps_by_class(scenes: Path, made: dict[str, Predictions], tmp_path: Path) -> None:
    from soundspot.cli import app

    for name in ("classes", "one"):
        made[name].save(tmp_path / f"{name}.safetensors")
    files = [str(tmp_path / f"{name}.safetensors") for name in ("classes", "one")]
    words = ["report", *files, "centre", "--root", str(scenes), "--protocol", "dsol_duet"]
    app([*words, "--out", str(tmp_path / "out"), "--clips", "1"], standalone_mode=False)
    text = (tmp_path / "out" / "report.md").read_text()
    assert "| result | classes | dsol_duet | 6 of 6 |" in text
