"""Films of paste scenes: what sounds moves in time with its sound."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from soundspot.data.folder import read_folder
from soundspot.media.video import iter_frames, probe, read_frame
from soundspot.samples import paste
from soundspot.samples.moving import FRAMES_PER_SECOND, LEAP, MOVING_SIZE, NUM_FRAMES, bounce
from soundspot.samples.sound import SAMPLE_RATE, read_sound


@pytest.fixture(scope="module")
def built(made_source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("moving") / "set"
    return paste.build(out, made_source, scenes={"train": {"single": 3, "pair": 1, "noise": 1}}, moving=True)


def test_the_bounce_follows_the_loudness() -> None:
    """Half a second loud, half a second quiet."""
    time = np.arange(3 * SAMPLE_RATE) / SAMPLE_RATE
    loud = (time % 1 < 0.5) * np.sin(time * 3000)
    heights = bounce(loud.astype(np.float32))
    assert heights.shape == (NUM_FRAMES,)
    at = np.arange(NUM_FRAMES) / FRAMES_PER_SECOND % 1
    assert heights[(at < 0.4)].min() > 0.9
    assert heights[(at > 0.52) & (at < 0.9)].max() < 0.1


def test_films_are_three_seconds_of_small_pictures(built: Path) -> None:
    clips = read_folder(built)
    assert len(clips) == 6
    info = probe(clips[0][0].video)
    assert (info.width, info.height) == (MOVING_SIZE, MOVING_SIZE)
    assert info.duration_seconds == pytest.approx(NUM_FRAMES / FRAMES_PER_SECOND, abs=0.01)
    assert len(list(iter_frames(clips[0][0].video, frames_per_second=FRAMES_PER_SECOND))) == NUM_FRAMES


def test_a_pair_is_one_film(built: Path) -> None:
    one, two = (clip for clip, _ in read_folder(built) if clip.group)
    assert one.video == two.video
    assert one.audio != two.audio


def motion(path: Path, box: tuple[float, ...]) -> np.ndarray:
    """How far each frame differs from the one before within the box."""
    frames = np.stack([f.image for f in iter_frames(path, frames_per_second=FRAMES_PER_SECOND)]).astype(float)
    x0, y0, x1, y1 = (round(v * MOVING_SIZE) for v in box)
    part = frames[:, max(0, y0 - round(LEAP * MOVING_SIZE)) : y1 + round(LEAP * MOVING_SIZE), x0:x1]
    return np.abs(np.diff(part, axis=0)).mean(axis=(1, 2, 3))


def test_the_source_moves_when_its_sound_does(built: Path) -> None:
    for line in (built / "scenes.jsonl").read_text().splitlines():
        row = json.loads(line)
        if row["kind"] != "visible":
            continue
        jumps = np.abs(np.diff(np.rint(LEAP * MOVING_SIZE * bounce(read_sound(built / row["audio"])))))
        moved = motion(built / row["video"], row["boxes"][0])
        assert np.corrcoef(jumps, moved)[0, 1] > 0.5


def test_the_truth_is_that_of_the_middle_frame(built: Path) -> None:
    """What lies under the mask there lies higher or lower in another frame, by as much as the loudness says."""
    told = 0
    for clip, target in read_folder(built):
        if target.kind != "visible":
            continue
        frames = [f.image.astype(float) for f in iter_frames(clip.video, frames_per_second=FRAMES_PER_SECOND)]
        heights = np.rint(LEAP * MOVING_SIZE * bounce(read_sound(clip.audio)))
        middle = read_frame(clip.video)
        assert np.array_equal(middle, frames[NUM_FRAMES // 2])
        other = int(np.abs(heights - heights[NUM_FRAMES // 2]).argmax())
        rise = int(heights[other] - heights[NUM_FRAMES // 2])
        with Image.open(target.mask) as picture:
            rows, columns = np.nonzero(np.asarray(picture) > 127)
        moved = np.abs(frames[other][rows - rise, columns] - middle[rows, columns]).mean()
        unmoved = np.abs(frames[other][rows, columns] - middle[rows, columns]).mean()
        told += moved < 0.7 * unmoved
    assert told >= 4  # of 5: another object may have moved in front
