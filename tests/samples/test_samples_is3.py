"""More of IS3: prompts, drawing with a real (tiny, random) pipeline, the review page's file, decisions and masks."""

from __future__ import annotations

import json
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from make_pipeline import save_tiny_pipeline
from soundspot.data.folder import read_folder
from soundspot.media.audio import write_wav
from soundspot.samples import is3
from soundspot.samples.diffusion import diffusion_painter
from soundspot.samples.is3_page import review_page
from soundspot.samples.is3_prompts import make_prompts
from soundspot.types import UserError

LABELS = ("dog", "cat", "playing_violin")


def paint(prompt: str) -> Image.Image:
    """A plain picture whose colour says which prompt it is of."""
    return Image.new("RGB", (40, 30), (len(prompt) * 5 % 255, sum(prompt.encode()) % 255, 90))


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sounds")
    for number, label in enumerate(LABELS):
        (root / label).mkdir()
        wave = 0.3 * np.sin(np.arange(8000) * (0.1 + 0.05 * number))
        write_wav(root / label / "a.wav", wave.astype(np.float32)[None], 8000)
    return root


@pytest.fixture(scope="module")
def draft(sounds: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return is3.draft(tmp_path_factory.mktemp("is3") / "draft", [sounds], paint, count=5, progress=False)


def rows_of(draft: Path) -> list[dict]:
    return json.loads((draft / "draft.json").read_text())["pictures"]


def write_decisions(path: Path, draft: Path, verdicts: dict[str, str]) -> Path:
    path.write_text(json.dumps({"draft": is3._mark(draft), "decisions": verdicts}))
    return path


def write_masks(folder: Path, row: dict) -> None:
    """The left half is the first thing, the lower right quarter the second."""
    folder.mkdir(exist_ok=True)
    for number, thing in enumerate(row["things"]):
        mask = np.zeros((30, 40), np.uint8)
        mask[15 * number :, 20 * number : 20 * (number + 1)] = 255
        Image.fromarray(mask).save(folder / f"{row['id']}_{thing['label']}.png")


def test_prompts_are_the_papers_three_sentences() -> None:
    prompts = make_prompts(LABELS, 8)
    assert sorted(prompt.text for prompt in prompts) == [
        "a photo of a cat and dog",
        "a photo of a cat and violin",
        "a photo of a dog and violin",
        "cat is next to dog",
        "cat is next to violin",
        "cat is playing a violin",
        "dog is next to violin",
        "dog is playing a violin",
    ]
    assert len({prompt.id for prompt in prompts}) == 8
    assert all("playing" not in prompt.id for prompt in prompts)
    assert make_prompts(LABELS, 3) == make_prompts(LABELS, 3) != make_prompts(LABELS, 3, seed=1)
    with pytest.raises(UserError, match="prompts: expected 1 to 8 of 3 classes, got 9"):
        make_prompts(LABELS, 9)


def test_a_draft_holds_pictures_and_a_sound_of_each_class(draft: Path) -> None:
    rows = rows_of(draft)
    assert len(rows) == 5
    for row in rows:
        assert row["id"] == f"{row['things'][0]['words']}_{row['things'][1]['words']}_{row['id'][-5:]}"
        with Image.open(draft / row["image"]) as picture:
            assert picture.size == (40, 30)
        for thing in row["things"]:
            assert (draft / thing["audio"]).is_file()
            assert thing["sound"] == f"{thing['label']}/a"
            assert thing["words"] in row["prompt"]


def test_an_interrupted_draft_goes_on(sounds: Path, tmp_path: Path) -> None:
    calls: list[str] = []

    def stop_at_third(prompt: str) -> Image.Image:
        calls.append(prompt)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return paint(prompt)

    with pytest.raises(KeyboardInterrupt):
        is3.draft(tmp_path / "d", [sounds], stop_at_third, count=5, progress=False)
    assert not (tmp_path / "d/review.html").exists()
    again: list[str] = []
    is3.draft(tmp_path / "d", [sounds], lambda prompt: again.append(prompt) or paint(prompt), count=5, progress=False)
    assert len(again) == 3
    assert again[0] == calls[2]
    whole = is3.draft(tmp_path / "e", [sounds], paint, count=5, progress=False)
    assert (tmp_path / "d/draft.json").read_bytes() == (whole / "draft.json").read_bytes()
    with pytest.raises(UserError, match="expected a new folder or a draft made with these words, got another"):
        is3.draft(tmp_path / "d", [sounds], paint, count=4, progress=False)
    (tmp_path / "f").mkdir()
    (tmp_path / "f/other").touch()
    with pytest.raises(UserError, match="expected a new or empty folder for the draft"):
        is3.draft(tmp_path / "f", [sounds], paint, count=4, progress=False)


def test_words_are_checked_before_there_is_a_model(sounds: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="prompts: expected 1 to 8 of 3 classes, got 9"):
        is3.check_draft(tmp_path / "d", [sounds], count=9)
    with pytest.raises(UserError, match=r"expected recordings as <class>/<name>\.wav"):
        is3.check_draft(tmp_path / "d", [tmp_path], count=2)
    is3.check_draft(tmp_path / "d", [sounds], count=2)
    assert not (tmp_path / "d").exists()
    with pytest.raises(KeyboardInterrupt):
        is3.draft(tmp_path / "d", [sounds], interrupt, count=2, progress=False)
    is3.check_draft(tmp_path / "d", [sounds], count=3)
    is3.draft(tmp_path / "d", [sounds], paint, count=3, progress=False)
    assert len(rows_of(tmp_path / "d")) == 3, "no picture had been drawn"
    with pytest.raises(UserError, match="expected a new folder or a draft made with these words, got another"):
        is3.check_draft(tmp_path / "d", [sounds], count=2)


def interrupt(prompt: str) -> Image.Image:
    raise KeyboardInterrupt


def test_only_accepted_pictures_with_both_masks_come_in(draft: Path, tmp_path: Path) -> None:
    kept, rejected, half, *_ = rows_of(draft)
    verdicts = {kept["id"]: "keep", rejected["id"]: "reject", half["id"]: "keep"}
    decisions = write_decisions(tmp_path / "decisions.json", draft, verdicts)
    for row in (kept, rejected, half):
        write_masks(tmp_path / "masks", row)
    (tmp_path / f"masks/{half['id']}_{half['things'][1]['label']}.png").unlink()
    root = is3.build(tmp_path / "out", draft, decisions, masks=tmp_path / "masks")
    pairs = read_folder(root, split="test")
    assert [clip.id for clip, _ in pairs] == [f"{kept['id']}_{thing['label']}" for thing in kept["things"]]
    assert {target.group for _, target in pairs} == {kept["id"]}
    assert [target.boxes for _, target in pairs] == [((0, 0, 0.5, 1),), ((0.5, 0.5, 1, 1),)]
    assert pairs[0][0].image == pairs[1][0].image
    assert pairs[0][0].audio != pairs[1][0].audio
    about = json.loads((root / "dataset.json").read_text())["sources"]
    assert about["decisions"] == {"keep": 2, "reject": 1, "undecided": 2}
    assert about["pictures_without_masks"] == [half["id"]]


def test_a_function_may_give_the_masks(draft: Path, tmp_path: Path) -> None:
    rows = rows_of(draft)
    decisions = write_decisions(tmp_path / "d.json", draft, {row["id"]: "keep" for row in rows[:2]})
    asked: list[str] = []

    def segment(picture: np.ndarray, name: str) -> np.ndarray:
        asked.append(name)
        return np.arange(picture.shape[1])[None, :].repeat(picture.shape[0], 0) < 10 * len(asked)

    root = is3.build(tmp_path / "out", draft, decisions, segment=segment)
    assert asked == [thing["words"] for row in rows[:2] for thing in row["things"]]
    assert len(read_folder(root)) == 4
    with pytest.raises(UserError, match="expected its picture's size 40x30, got 5x4; save it at that size"):
        is3.build(tmp_path / "o2", draft, decisions, segment=lambda picture, name: np.ones((4, 5), dtype=bool))
    with pytest.raises(UserError, match=r"expected masks <picture>_<class>\.png of accepted pictures, got none for 2"):
        is3.build(tmp_path / "o3", draft, decisions)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "expected decisions that the review page saved, got no JSON"),
        ("[]", "expected decisions that the review page saved, got a list"),
        ('{"draft": "x"}', "expected decisions about draft [0-9a-f]{16}, got 'x'; review this one"),
        ('{"draft": "MARK"}', "expected at least one accepted picture, got none"),
        ('{"draft": "MARK", "decisions": {"nobody": "keep"}}', "unknown picture in .* 'nobody'"),
        ('{"draft": "MARK", "decisions": {"FIRST": "perhaps"}}', "expected keep or reject for .* got 'perhaps'"),
    ],
)
def test_wrong_decisions(draft: Path, tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "decisions.json"
    path.write_text(text.replace("MARK", is3._mark(draft)).replace("FIRST", rows_of(draft)[0]["id"]))
    with pytest.raises(UserError, match=message):
        is3.build(tmp_path / "out", draft, path)
    assert not (tmp_path / "out").exists()


class _Page(HTMLParser):
    """What the page is made of: ids, scripts, and everything it would load."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.scripts: list[str] = []
        self.loads: list[str] = []
        self.open: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = dict(attrs)
        self.ids.add(names.get("id") or "")
        self.loads += [value for name in ("src", "href") if (value := names.get(name))]
        if tag == "script":
            self.scripts.append("")
        self.open = tag

    def handle_endtag(self, tag: str) -> None:
        self.open = None

    def handle_data(self, data: str) -> None:
        if self.open == "script":
            self.scripts[-1] += data


def test_the_page_holds_the_draft_and_fetches_nothing(draft: Path) -> None:
    page = _Page((draft / "review.html").read_text())
    data, code = page.scripts
    assert json.loads(data) == {"draft": is3._mark(draft), "pictures": rows_of(draft)}
    assert not page.loads
    assert "http" not in code
    used = {part.split('"')[1] for part in code.split("byId(")[1:] if part.startswith('"')}
    assert {"picture", "things", "keep", "reject", "save"} <= used <= page.ids


def test_a_class_with_signs_of_html_stays_data() -> None:
    rows = [{"id": "a", "prompt": "</script><script>alert(1)</script>", "image": "x", "things": []}]
    page = _Page(review_page(rows, "mark"))
    assert len(page.scripts) == 2
    assert json.loads(page.scripts[0])["pictures"] == rows


def test_a_real_pipeline_draws(tmp_path: Path, sounds: Path, capfd: pytest.CaptureFixture[str]) -> None:
    model = str(save_tiny_pipeline(tmp_path))
    capfd.readouterr()
    painter = diffusion_painter(model, steps=2, image_size=32)
    one, same, other = painter("a dog"), painter("a dog"), painter("a cat")
    assert one.size == (32, 32)
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    made = is3.draft(tmp_path / "draft", [sounds], painter, count=2, model="tiny", progress=False)
    assert len(list((made / "images").glob("*.jpg"))) == 2
    with pytest.raises(UserError, match="gone: expected a text-to-image model of diffusers, got"):
        diffusion_painter(str(tmp_path / "gone"))
    assert capfd.readouterr() == ("", ""), "neither the packages' bars nor their remarks"


def test_what_a_model_cannot_draw_is_refused(tmp_path: Path) -> None:
    for options in ({"steps": 0}, {"image_size": 0}):
        with pytest.raises(UserError, match="expected steps and a size of 1 or more, got"):
            diffusion_painter("any", **options)
    painter = diffusion_painter(str(save_tiny_pipeline(tmp_path)), steps=1, image_size=17)
    with pytest.raises(UserError, match=r"pipeline: expected steps and a size that it draws, got: .* divisible by 8"):
        painter("a dog")


def test_without_diffusers_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "diffusers", None)
    with pytest.raises(UserError, match=r"expected the package diffusers .* install soundspot\[diffusion\]"):
        diffusion_painter("any")
