"""EDL read back by a strict reader of its lines, and time codes against a clock that counts frame by frame."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_timelines import EVERY, START, judged, moment, of_classes, timeline

from soundspot.localize.exports.edl import is_dropped, time_code

NTSC30, NTSC60 = 30000 / 1001, 60000 / 1001
CODE = r"(\d\d):([0-5]\d):([0-5]\d)([:;])(\d\d\d?)"
EVENT = re.compile(rf"(\d{{3,}})  (\S{{1,8}}) +V     C        ({CODE}) ({CODE}) ({CODE}) ({CODE})")


def frame_of(code: str, base: int) -> int:
    """The number of the frame: all codes of the clock, less those that it leaves out."""
    hours, minutes, seconds, sign, frames = re.fullmatch(CODE, code).groups()  # type: ignore[union-attr]
    dropped = {30: 2, 60: 4}[base] if sign == ";" else 0
    assert int(frames) < base
    left_out = int(seconds) == 0 and int(minutes) % 10 > 0 and int(frames) < dropped
    assert not left_out, "such a code is left out"
    all_minutes = 60 * int(hours) + int(minutes)
    counted = (60 * all_minutes + int(seconds)) * base + int(frames)
    return counted - dropped * (all_minutes - all_minutes // 10)


def parsed(path: Path, base: int) -> tuple[str, str, list[tuple[list[int], dict[str, str]]]]:
    """Title, mode, and of each event its four frames and its comments; any other line is an error."""
    title, mode, *lines = path.read_text("utf-8").splitlines()
    assert title.startswith("TITLE: ")
    assert mode in ("FCM: DROP FRAME", "FCM: NON-DROP FRAME")
    events: list[tuple[list[int], dict[str, str]]] = []
    for line in lines:
        if event := EVENT.fullmatch(line):
            assert int(event[1]) == len(events) + 1
            codes = [event[place] for place in (3, 9, 15, 21)]
            assert {(";" in code) for code in codes} == {mode == "FCM: DROP FRAME"}
            events.append(([frame_of(code, base) for code in codes], {}))
        elif comment := re.fullmatch(r"\* ([A-Z ]+): (.+)", line):
            if events:
                events[-1][1].setdefault(comment[1], comment[2])
        else:
            assert line == "", line
    return title[7:], mode[5:], events


def test_an_event_a_stretch_without_gaps_with_what_was_found(tmp_path: Path) -> None:
    judged().save(tmp_path / "t.edl")
    title, mode, events = parsed(tmp_path / "t.edl", 25)
    assert title == 'Dög, "the 1st" <b>&amp; --> 🎺.mp4'[-len(title) :]
    assert mode == "NON-DROP FRAME"
    assert [event[1]["VERDICT"] for event in events] == ["on-screen", "unsure", "off-screen", "silent"]
    assert [event[1]["HEARD"] for event in events] == ['Dög, "the 1st" <b>&amp; --> 🎺', "Cat", "Train", "nothing"]
    assert [event[1]["VISIBLE"] for event in events] == ["0.90", "0.50", "0.10", "0.00"]
    assert events[0][1]["BOX"] == "0.0000 0.1667 0.3750 0.6667"
    assert "BOX" not in events[2][1]
    starts, ends = [event[0][0] for event in events], [event[0][1] for event in events]
    assert starts[0] == START * 25
    assert starts[1:] == ends[:-1]
    for (begin, end, record_begin, record_end), _ in events:
        assert end > begin
        assert (record_begin, record_end) == (begin - 250, end - 250)
    for (start, end, _, _), (begin, stop, *_) in zip(judged().stretches(), (event[0] for event in events), strict=True):
        assert (begin / 25, stop / 25) == pytest.approx((start, end), abs=0.5 / 25 + 1e-9)


def test_at_29_97_codes_drop_numbers_and_come_back(tmp_path: Path) -> None:
    hour = [moment(3599.0, "on-screen", tag="A"), moment(3599.5, "on-screen", tag="B"), moment(3600.0, "silent")]
    timeline(*hour, rate=NTSC30).save(tmp_path / "t.edl")
    _, mode, events = parsed(tmp_path / "t.edl", 30)
    assert mode == "DROP FRAME"
    assert [event[0][0] for event in events] == [round(time * NTSC30) for time in (3599.0, 3599.25, 3599.75)]
    text = (tmp_path / "t.edl").read_text()
    assert "00:59:59;00" in text, "after an hour the code is the clock's"


@pytest.mark.parametrize("of", EVERY)
def test_every_timeline_is_read_back(of: str, tmp_path: Path) -> None:
    line = EVERY[of]()
    line.save(tmp_path / "t.edl")
    base = round(line.shown.frames_per_second)  # type: ignore[union-attr]
    events = parsed(tmp_path / "t.edl", base)[2]
    assert len(events) == len(list(line.stretches()))
    if of == "unjudged":
        assert events[0][1]["VERDICT"] == "none"
    if of == "classes":
        text = (tmp_path / "t.edl").read_text()
        assert text.count("* CLASS: flute off-screen") == 1


def test_classes_are_comments_of_each_event(tmp_path: Path) -> None:
    of_classes().save(tmp_path / "t.edl")
    blocks = (tmp_path / "t.edl").read_text().split("\n\n")[1:]
    assert "* CLASS: cello sounding\n* CLASS: piano sounding\n" in blocks[0]
    assert "* CLASS: piano silent" in blocks[1]


@pytest.mark.parametrize("rate", [NTSC30, NTSC60, 29.97, 59.94])
def test_drop_frame_codes_are_those_of_a_clock_that_leaves_them_out(rate: float) -> None:
    base = round(rate)
    dropped = {30: 2, 60: 4}[base]
    assert is_dropped(rate)
    frame = 0
    for minute in range(21):
        for second in range(60):
            for count in range(base):
                if second == 0 and minute % 10 and count < dropped:
                    continue
                if second in (0, 59):
                    assert time_code(frame, rate) == f"00:{minute:02d}:{second:02d};{count:02d}"
                frame += 1


@settings(deadline=None)
@given(st.integers(0, 20_000_000), st.sampled_from([24, 25, 30, 23.976, 21.5, NTSC30, 50, NTSC60, 5, 1, 0.4, 120]))
def test_codes_and_frames_go_back_and_forth(frame: int, rate: float) -> None:
    base = max(round(rate), 1)
    code = time_code(frame % (99 * 3600 * base), rate)
    assert (";" in code) == is_dropped(rate)
    assert frame_of(code, base) == frame % (99 * 3600 * base)


@settings(deadline=None)
@given(st.floats(0, 86400))
def test_dropped_codes_stay_with_the_clock(seconds: float) -> None:
    hours, minutes, whole, frames = map(int, re.split("[:;]", time_code(round(seconds * NTSC30), NTSC30)))
    # within ten minutes they are off by two frames at most, and they lose 86.4 ms a day, for 30000/1001 is not 29.97
    off = 0.1 + 0.0864 * seconds / 86400
    assert 3600 * hours + 60 * minutes + whole + frames / 30 == pytest.approx(seconds, abs=off)
