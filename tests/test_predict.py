"""Clips to predictions: complete, named, and independent of how they were batched."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from soundspot.media.audio import write_wav
from soundspot.media.image import write_image
from soundspot.methods.base import Method
from soundspot.predict import predict, replace_sounds
from soundspot.predictions import Predictions
from soundspot.types import Batch, Clip, Inputs, UserError


class Loudness(Method):
    """The picture's brightness on a 4 x 4 grid, times the sound's mean level: any mix-up of clips changes a map."""

    score_range = (-100.0, 100.0)

    def __init__(self, gain: float = 1.0, init_image: str = "") -> None:
        super().__init__()
        self.inputs = Inputs(image_size=16, seconds=0.5)
        self.gain = torch.nn.Parameter(torch.tensor(gain))
        self.dropout = torch.nn.Dropout(0.5)

    def localize(self, batch: Batch) -> Tensor:
        level = batch.audio.mean(dim=(1, 2, 3))[:, None, None]
        picture = torch.nn.functional.avg_pool2d(self.dropout(batch.image).mean(dim=1, keepdim=True), 4)[:, 0]
        return self.gain * picture * level


@pytest.fixture
def clips(tmp_path: Path) -> list[Clip]:
    made = []
    generator = np.random.default_rng(0)
    for number, label in enumerate(("dog", "dog", "cat", "bird", "cat")):
        image, audio = tmp_path / f"{number}.png", tmp_path / f"{number}.wav"
        write_image(image, generator.integers(0, 255, (20, 30, 3), dtype=np.uint8))
        write_wav(audio, generator.uniform(-0.1, 0.1, (1, 8000)).astype(np.float32) * (number + 1), 8000)
        made.append(Clip(str(number), image=image, audio=audio, labels=(label,)))
    return made


def test_maps_do_not_depend_on_batches_order_or_workers(clips: list[Clip]) -> None:
    method = Loudness().train()
    one_by_one = predict(method, clips, batch_size=1, progress=False)
    assert method.training, "the method keeps its mode"
    assert list(one_by_one.maps) == ["0", "1", "2", "3", "4"]
    for other in (
        predict(method, clips, batch_size=4, progress=False),
        predict(method, clips[::-1], batch_size=3, num_workers=1, progress=False),
        predict(method, clips, batch_size=2, num_workers=2, progress=False),
        predict(method, clips, batch_size=2, num_workers=None, progress=False),
    ):
        for name, scores in one_by_one.maps.items():
            assert np.allclose(other.maps[name], scores, rtol=1e-5, atol=1e-6)


def test_provenance_says_what_made_the_maps(clips: list[Clip], tmp_path: Path) -> None:
    weights = tmp_path / "w.pth"
    weights.touch()
    origin = predict(Loudness(gain=2.0, init_image=str(weights)), clips[:1], progress=False).provenance
    assert origin["method"].endswith(":Loudness")
    assert json.loads(origin["options"]) == {"gain": 2.0}
    assert (origin["score_low"], origin["score_high"]) == ("-100.0", "100.0")
    assert origin["torch"] == torch.__version__
    assert {"soundspot", "numpy"} <= origin.keys()


def test_a_clip_that_cannot_be_read_is_named_with_its_reason(clips: list[Clip], tmp_path: Path) -> None:
    clips[2] = replace(clips[2], audio=tmp_path / "gone.wav")
    made = predict(Loudness(), clips, batch_size=2, path=tmp_path / "p.safetensors", progress=False)
    assert list(made.maps) == ["0", "1", "3", "4"]
    assert list(made.missing) == ["2"]
    assert "gone.wav" in made.missing["2"]
    again = Predictions.load(tmp_path / "p.safetensors")
    assert again.missing == made.missing
    in_memory = predict(Loudness(), clips, batch_size=2, progress=False)
    assert in_memory.missing == made.missing
    assert all(np.array_equal(in_memory.maps[name], made.maps[name]) for name in made.maps)


def test_an_interrupted_run_goes_on_where_it_was(clips: list[Clip], tmp_path: Path) -> None:
    class Breaks(Loudness):
        seen = 0

        def localize(self, batch: Batch) -> Tensor:
            Breaks.seen += len(batch)
            if Breaks.seen == 3:
                raise KeyboardInterrupt
            return super().localize(batch)

    path = tmp_path / "p.safetensors"
    with pytest.raises(KeyboardInterrupt):
        predict(Breaks(), clips, batch_size=1, path=path, progress=False)
    Breaks.seen = 10
    made = predict(Breaks(), clips, batch_size=1, path=path, resume=True, progress=False)
    assert Breaks.seen == 13, "two clips were not predicted again"
    whole = predict(Loudness(), clips, batch_size=1, progress=False)
    assert all(np.array_equal(made.maps[name], whole.maps[name]) for name in whole.maps)


def test_two_clips_of_one_name_are_refused(clips: list[Clip]) -> None:
    with pytest.raises(UserError, match="clip id once, got '0' 2 times"):
        predict(Loudness(), [*clips, clips[0]], progress=False)


def test_wrong_class_sounds_share_no_label_and_a_seed_fixes_them(clips: list[Clip]) -> None:
    label_of = {clip.audio: clip.labels[0] for clip in clips}
    for seed in range(20):
        swapped = replace_sounds(clips, seed)
        assert [clip.id for clip in swapped] == [clip.id for clip in clips]
        assert all(label_of[clip.audio] != clip.labels[0] for clip in swapped)
    assert replace_sounds(clips, 3) == replace_sounds(clips, 3)
    assert len({tuple(clip.audio for clip in replace_sounds(clips, seed)) for seed in range(20)}) > 5


def test_replacing_sounds_refuses_what_it_cannot_do(clips: list[Clip]) -> None:
    with pytest.raises(UserError, match="clip 0 has none; use rule=other_clip"):
        replace_sounds([replace(clip, labels=()) for clip in clips])
    with pytest.raises(UserError, match="expected another sound for clip 0, got none"):
        replace_sounds(clips[:2])
    with pytest.raises(UserError, match="did you mean 'wrong_class'"):
        replace_sounds(clips, rule="wrong_clas")
    unlabelled = replace_sounds([replace(clip, labels=()) for clip in clips], rule="other_clip")
    assert all(clip.audio != before.audio for clip, before in zip(unlabelled, clips, strict=True))


def test_parts_beside_the_whole_file_of_the_same_run_are_what_a_kill_left(clips: list[Clip], tmp_path: Path) -> None:
    """It came between the move of the merged file and the removal of its parts."""
    path = tmp_path / "p.safetensors"
    predict(Loudness(), clips, batch_size=2, path=path, progress=False)
    before = path.stat().st_ino
    part = path.with_name("p.safetensors.part-000002")
    part.write_bytes(path.read_bytes())
    again = predict(Loudness(), clips, batch_size=2, path=path, resume=True, progress=False)
    assert (list(again.maps), path.stat().st_ino, part.exists()) == (["0", "1", "2", "3", "4"], before, False)
