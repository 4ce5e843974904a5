"""The overlay film: paint in planes, what is drawn once a look, heat, outlines and boxes, the key."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from made_timelines import EVERY, HEIGHT, LEFT, RIGHT, START, WIDTH, judged, moment, of_classes, silence, unjudged
from PIL import Image

from make_media import make_film, tone
from soundspot.localize import draw, draw_classes, draw_key, draw_regions
from soundspot.localize.classes import blended
from soundspot.localize.draw import Style
from soundspot.localize.film import write_overlay
from soundspot.localize.paint import Paint, Painter, stencil
from soundspot.localize.sheets import Sheets, paint
from soundspot.localize.source import open_source
from soundspot.localize.timeline import Shown, Timeline
from soundspot.media.film import FilmWriter
from soundspot.media.planes import BT601, BT709, iter_planes, joined, parts_of, planes_of
from soundspot.media.video import iter_frames, probe, read_frame
from soundspot.types import UserError


def picture(height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """Slow slopes of all three channels: half-size colour loses nothing of them."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([x * 255 // width, y * 255 // height, 255 - x * 255 // width], axis=2).astype(np.uint8)


def rgb(planes: np.ndarray, matrix: int, folder: Path) -> np.ndarray:
    """Planes as a player shows them: through a film."""
    path = folder / f"{matrix}.mp4"
    with FilmWriter(
        path, width=planes.shape[1], height=planes.shape[0] * 2 // 3, frames_per_second=5, matrix=matrix
    ) as writer:
        for _ in range(5):
            writer.write_planes(planes)
    return read_frame(path, 0.9)


@pytest.mark.parametrize("matrix", [BT601, BT709])
def test_a_film_of_planes_has_the_colours_that_it_was_made_of(matrix: int, tmp_path: Path) -> None:
    shown = rgb(planes_of(picture(), matrix), matrix, tmp_path)
    assert np.abs(shown.astype(int) - picture()).mean() < 3
    (frame,) = itertools.islice(iter_planes(tmp_path / f"{matrix}.mp4", size=(WIDTH, HEIGHT), frames_per_second=5), 1)
    assert frame.matrix == matrix
    assert np.abs(frame.planes.astype(int) - planes_of(picture(), matrix)).mean() < 2


def test_planes_and_pictures_of_a_film_come_at_the_same_times(tmp_path: Path) -> None:
    path = make_film(
        tmp_path / "f.mp4",
        num_frames=20,
        rate=10,
        size=(64, 48),
        picture=lambda n: np.full((48, 64, 3), 10 * n, np.uint8),
    )
    frames = list(iter_frames(path, frames_per_second=15, start_seconds=0.5, end_seconds=1.5))
    planar = list(iter_planes(path, size=(32, 24), frames_per_second=15, start_seconds=0.5, end_seconds=1.5))
    assert [frame.time_seconds for frame in planar] == [frame.time_seconds for frame in frames]
    for frame, other in zip(frames, planar, strict=True):
        bright = parts_of(other.planes)[0]
        assert bright.shape == (24, 32)
        assert bright.mean() == pytest.approx(16 + frame.image.mean() * 219 / 255, abs=2)


def test_planes_fall_apart_and_join() -> None:
    planes = planes_of(picture(5, 7))
    assert planes.shape == (9, 8), "odd sides grow by one"
    assert np.array_equal(joined(*parts_of(planes)), planes)


def test_paint_in_planes_is_the_paint_of_the_picture(tmp_path: Path) -> None:
    size = (192, 256)
    heat = judged().moments[0].heat
    layers = blended(of_classes().moments[2].classes, of_classes().moments[2].classes, 0.0)
    paints = {
        "heat": draw.heat_paint(heat, *size),
        "classes": draw_classes.heat_paint(layers, *size, draw_classes.palette_of(of_classes())),
    }
    for name, made in paints.items():
        assert (made.add.max(axis=2) <= 255 * (1 - made.keep) + 1).all(), "nothing runs over"
        planes, veil = planes_of(picture(*size), BT709), made.veil(BT709)
        veiled = Painter(planes.shape).lay(planes, veil, veil)  # type: ignore[arg-type]
        folder = tmp_path / name
        folder.mkdir()
        shown = rgb(veiled, BT709, folder).astype(int)
        assert np.abs(shown - made.over(picture(*size))).mean() < 4, name


def test_veils_flow_into_each_other_and_ends_are_exact() -> None:
    one, other = (draw.heat_paint(np.full((2, 2), heat, np.float32), 8, 8).veil(BT709) for heat in (0.0, 1.0))
    base = planes_of(np.full((8, 8, 3), 100, np.uint8))
    painter = Painter((12, 8))
    values = [float(painter.lay(base, one, other, part)[:8].mean()) for part in (0, 0.25, 0.5, 1)]
    assert values == sorted(values)
    assert values[1] - values[0] == pytest.approx((values[3] - values[0]) / 4, abs=2)
    assert values[3] == painter.lay(base, other, other)[:8].mean()


@given(arrays.arrays(np.uint8, (6, 4)), arrays.arrays(np.float32, (4, 4), elements=st.floats(0, 1, width=16)),
       st.floats(0, 1))  # fmt: skip
def test_no_sum_runs_over_and_nothing_is_lost_where_all_is_kept(
    planes: np.ndarray, heat: np.ndarray, part: float
) -> None:
    made = draw.heat_paint(heat, 4, 4, opacity=1.0).veil(BT709)
    full = Paint(1 - heat, np.floor(255 * heat[..., None].repeat(3, axis=2)).astype(np.uint8)).veil(BT709)
    exact = [planes * (each.keep / 255) + each.add for each in (made, full)]
    expected = exact[0] * (1 - part) + exact[1] * part
    assert np.abs(Painter((6, 4)).lay(planes, made, full, part) - expected).max() <= 3
    nothing = Paint(np.ones((4, 4), np.float32), np.zeros((4, 4, 3), np.uint8)).veil(BT709)
    assert np.array_equal(Painter((6, 4)).lay(planes, nothing, nothing), planes)


def test_a_stencil_covers_what_was_drawn_and_no_more() -> None:
    sheet = Image.new("RGBA", (8, 8))
    sheet.paste((200, 100, 50, 255), (2, 2, 4, 4))
    made = stencil(sheet)
    shown = made.over(np.full((8, 8, 3), 90, np.uint8))
    assert shown[3, 3].tolist() == [200, 100, 50]
    assert shown[6, 6].tolist() == [90, 90, 90]
    half = Paint(np.full((2, 2), 0.5, np.float32), np.zeros((2, 2, 3), np.uint8), fade=np.ones((2, 2), np.float32))
    assert np.ptp(half.over(picture(2, 2))[0, 1]) == 0, "faded is grey"


def test_outlines_and_boxes_are_in_the_verdicts_colour_about_the_regions() -> None:
    size = (480, 640)
    frame = np.full((*size, 3), 60, np.uint8)
    for verdict in ("on-screen", "unsure"):
        seen = moment(0, verdict, LEFT, RIGHT, tracks=(1, 7))  # type: ignore[arg-type]
        colour = np.array(draw.VERDICT_COLOURS[verdict])  # type: ignore[index]
        lines = draw_regions.outline_paint(seen, *size, opacity=1.0).over(frame)
        drawn = (lines == colour).all(axis=2)
        assert drawn[80:330, 0:250].sum() > 500
        assert not drawn[:, 300:360].any(), "nothing between the two"
        assert (lines[200, 120] == 60).all(), "a region's inside is free"
        boxes = np.asarray(draw_regions.boxed(seen, *size, {}))
        _, columns = np.nonzero((boxes[..., :3] == colour).all(axis=2) & (boxes[..., 3] == 255))
        assert (columns.min(), columns.max()) == (pytest.approx(0, abs=4), pytest.approx(7 / 8 * 640, abs=30))
        assert boxes[200, 120, 3] == 0
    for verdict in ("off-screen", "silent"):
        gone = moment(0, verdict, LEFT)  # type: ignore[arg-type]
        assert np.array_equal(draw_regions.outline_paint(gone, *size, 1.0).over(frame), frame)
        assert draw_regions.boxed(gone, *size, {}).getbbox() is None
    relative = moment(0, None, LEFT)
    assert draw_regions.outline_paint(relative, *size, 1.0).add.any(), "what is hottest, where nothing is judged"
    assert draw_regions.boxed(relative, *size, {}).getbbox() is not None


def test_a_box_says_its_track_and_its_name() -> None:
    shared = [dataclasses.replace(moment(0, "on-screen", RIGHT, tag="Dog"), tracks=(number,)) for number in (1, 1, 2)]
    one, same, other = (np.asarray(draw_regions.boxed(each, 480, 640, {})) for each in shared)
    assert np.array_equal(one, same)
    different = np.argwhere((one != other).any(axis=2))
    assert len(different) > 0
    assert different[:, 0].max() <= 2 / 6 * 480, "only the chip above the box differs"
    cat = np.asarray(draw_regions.boxed(dataclasses.replace(shared[0], tags=(("Cat", 0.9),)), 480, 640, {}))
    assert not np.array_equal(one, cat)


def test_silent_classes_have_grey_boxes_and_sounding_ones_their_colours() -> None:
    palette = draw_classes.palette_of(of_classes())
    sheet = np.asarray(draw_regions.boxed(of_classes().at(3.0), 480, 640, palette))[..., :3]
    left, right = sheet[:, :320], sheet[:, 320:]
    assert (left == palette[0]).all(axis=2).sum() > 300
    assert (right == draw_classes.SILENT).all(axis=2).sum() > 300
    assert not (right == palette[1]).all(axis=2).any()


def test_the_key_names_what_the_strip_shows() -> None:
    def colours(made: Timeline, heat: bool = True) -> tuple[tuple[int, ...], set[tuple[int, ...]]]:
        drawn = draw_key.key(made, 600, draw.VERDICT_COLOURS, heat)
        return drawn.shape, set(map(tuple, drawn.reshape(-1, 3).tolist()))

    shape, found = colours(judged())
    assert shape == (draw_key.ROW, 600, 3)
    verdicts = {colour for name, colour in draw.VERDICT_COLOURS.items() if name is not None}
    assert verdicts <= found
    hottest = tuple(draw.palette()[-1].astype(int).tolist())
    assert hottest in found
    assert hottest not in colours(judged(), heat=False)[1]
    assert draw.VERDICT_COLOURS[None] in colours(unjudged())[1]
    assert not verdicts & colours(unjudged(), heat=False)[1]
    assert draw_key.key(judged(), 150, draw.VERDICT_COLOURS, True).shape[0] > 2 * draw_key.ROW, "narrow: more rows"


@pytest.mark.parametrize("show", ["heat", "outline", "box"])
@pytest.mark.parametrize("of", EVERY)
def test_sheets_of_every_timeline_in_every_look(of: str, show: str) -> None:
    made = EVERY[of]()
    sheets = Sheets(made, (WIDTH, HEIGHT), BT709, 2.5, Style(show))  # type: ignore[arg-type]
    frame = planes_of(picture())
    for time in (made.start_seconds, made.start_seconds + 0.3, made.start_seconds + 2.4):
        sheet = sheets.over(frame, time)
        assert sheet.shape == (sheets.size[1] * 3 // 2, WIDTH)
        assert sheets.size[1] % 2 == 0
        bright = parts_of(sheet)[0]
        assert (bright[-20:] == 235).all(axis=0).any(), "the playhead stands in the strip"


def test_looks_differ_and_silence_leaves_the_frame_but_a_little_darker() -> None:
    frame = planes_of(picture())
    tops = {}
    for show in ("heat", "outline", "box"):
        for name, made in (("on", judged()), ("silent", silence())):
            sheets = Sheets(made, (WIDTH, HEIGHT), BT709, 2.5, Style(show))  # type: ignore[arg-type]
            tops[show, name] = parts_of(sheets.over(frame, made.start_seconds))[0][:HEIGHT].astype(int)
    plain = parts_of(frame)[0].astype(int)
    assert np.array_equal(tops["outline", "silent"], plain)
    assert np.array_equal(tops["box", "silent"], plain)
    assert np.abs(tops["heat", "silent"] - (16 + (plain - 16) * 0.75)).max() <= 1.5
    on = [tops[show, "on"] for show in ("heat", "outline", "box")]
    for one, other in itertools.combinations([plain, *on], 2):
        assert (np.abs(one - other) > 20).sum() > 30


def test_less_opacity_shows_more_of_the_frame() -> None:
    seen = judged().moments[0]
    kept = []
    for opacity in (0.0, 0.3, 0.9):
        made = paint(seen, HEIGHT, WIDTH, {}, Style(opacity=opacity))
        assert made is not None
        kept.append(float(made.keep[20, 10]))
    assert kept == sorted(kept, reverse=True)
    assert kept[0] > 0.95
    with pytest.raises(UserError, match="expected an opacity from 0 to 1, got 2"):
        Style(opacity=2)


@pytest.mark.parametrize("size", [(65, 47), (1500, 20)])
def test_odd_and_wide_films_and_a_later_start(size: tuple[int, int], tmp_path: Path) -> None:
    sound = tone(300, 13, 16000)
    even = (size[0] // 2 * 2, size[1] // 2 * 2)
    film = make_film(tmp_path / "f.mp4", num_frames=26, rate=2, size=even, sample_rate=16000, samples=sound,
                     picture=lambda _: np.full((even[1], even[0], 3), 120, np.uint8))  # fmt: skip
    source = dataclasses.replace(open_source(film), width=size[0], height=size[1]).between(START, START + 2.5)
    made = dataclasses.replace(judged(), shown=Shown(*size, 2.0, START, START + 2.5))
    write_overlay(source, made, tmp_path / "o.mp4")
    info = probe(tmp_path / "o.mp4")
    assert info.width == min(size[0] + 1, 1280) // 2 * 2
    assert info.duration_seconds == pytest.approx(2.5, abs=0.1)
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["f.mp4", "o.mp4"]


def test_a_film_that_can_not_be_painted_leaves_nothing(tmp_path: Path) -> None:
    film = make_film(tmp_path / "f.mp4", num_frames=10, rate=5, size=(64, 48), sample_rate=16000,
                     samples=tone(300, 2, 16000), picture=lambda _: np.zeros((48, 64, 3), np.uint8))  # fmt: skip

    def stop(done: int, total: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_overlay(open_source(film), silence(), tmp_path / "o.mp4", progress=stop)
    assert [path.name for path in tmp_path.iterdir()] == ["f.mp4"]
