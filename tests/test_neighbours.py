"""From clips to mined neighbours: any embedder, resumable, clips that cannot be read left out and named."""

from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor

from encoder_files import cached
from make_scenes import make_scenes
from soundspot import encoders, neighbours, weights
from soundspot.data.folder import read_folder
from soundspot.data.mining import Neighbours
from soundspot.methods import build
from soundspot.neighbours import embedder_of, find_neighbours, training_clips
from soundspot.types import Batch, Clip, Inputs, UserError


class Colours:
    """A picture is its mean colour, a sound its mean spectrum."""

    inputs = Inputs(image_size=32, sample_rate=16000, seconds=1.0, spectrogram="logmel")

    def __init__(self) -> None:
        self.seen = 0

    def embed(self, batch: Batch) -> tuple[Tensor, Tensor]:
        self.seen += len(batch)
        return batch.image.mean(dim=(2, 3)), batch.audio.mean(dim=(1, 3))


@pytest.fixture
def clips(tmp_path: Path) -> list[Clip]:
    """Nine scenes: three tones in turn."""
    return [clip for clip, _ in read_folder(make_scenes(tmp_path / "scenes", ["visible"] * 9, size=32, split="train"))]


def test_the_nearest_by_sound_have_the_same_tone(clips: list[Clip], tmp_path: Path) -> None:
    found = find_neighbours(clips, Colours(), tmp_path / "near", identity="colours", k=2, batch_size=4)
    assert (found.clips, found.missing) == (9, [])
    near = Neighbours(found.folder)
    for number, clip in enumerate(clips):
        drawn = {near.drawn("audio", clip.id, u) for u in (0.0, 0.9)}
        assert drawn == {other.id for other in clips[number % 3 :: 3]} - {clip.id}


def test_what_is_embedded_is_not_embedded_again(clips: list[Clip], tmp_path: Path) -> None:
    first, again, other = Colours(), Colours(), Colours()
    find_neighbours(clips, first, tmp_path / "near", identity="colours", k=2, batch_size=4)
    (tmp_path / "near" / neighbours.EMBEDDED / "000001.npz").unlink()
    find_neighbours(clips, again, tmp_path / "near", identity="colours", k=2, batch_size=4)
    assert (first.seen, again.seen) == (9, 4)
    find_neighbours(clips, other, tmp_path / "near", identity="others", k=2, batch_size=4)
    assert other.seen == 9, "vectors of another embedder are not taken"


def test_what_cannot_be_read_has_no_neighbours_and_is_named(clips: list[Clip], tmp_path: Path) -> None:
    assert clips[4].image is not None
    clips[4].image.write_bytes(b"no picture")
    found = find_neighbours(clips, Colours(), tmp_path / "near", identity="colours", k=2)
    assert found.clips == 8
    assert [entry.clip_id for entry in found.missing] == [clips[4].id]
    with pytest.raises(UserError, match=f"expected neighbours of clip {clips[4].id}, got none"):
        Neighbours(found.folder).drawn("image", clips[4].id, 0.0)


def test_nothing_to_read_is_an_error(tmp_path: Path) -> None:
    gone = [Clip("gone", image=tmp_path / "gone.png", audio=tmp_path / "gone.wav")]
    with pytest.raises(UserError, match=r"expected clips that can be read, got none; the first: .*gone\.png"):
        find_neighbours(gone, Colours(), tmp_path / "near", identity="colours", k=1)


def test_a_weights_file_embeds_by_its_method(clips: list[Clip], tmp_path: Path) -> None:
    torch.manual_seed(0)
    method = build("ez_vsl", image_backbone="resnet10t", audio_backbone="resnet10t", image_size=64, seconds=1.0)
    path = weights.save(method, tmp_path / "ez.safetensors")
    embedder, identity = embedder_of(str(path))
    assert identity == weights.sha256(path)
    found = find_neighbours(clips, embedder, tmp_path / "near", identity=identity, k=3)
    assert found.clips == 9


def test_the_clips_are_a_recipes_or_a_folders(clips: list[Clip], tmp_path: Path) -> None:
    root = tmp_path / "scenes"
    assert [clip.id for clip in training_clips(root, None, [])] == [clip.id for clip in clips]
    make_scenes(root, ["visible"] * 2, size=32, split="test")
    assert len(training_clips(root, "hard_pos_paste", [])) == 9, "its split, and visible scenes alone"


def test_the_command(clips: list[Clip], tmp_path: Path, command) -> None:
    method = build("ez_vsl", image_backbone="resnet10t", audio_backbone="resnet10t", image_size=64, seconds=1.0)
    path = weights.save(method, tmp_path / "ez.safetensors")
    done = command("neighbours", tmp_path / "scenes", "--out", tmp_path / "near", "--weights", path, "--k", 3)
    assert done.code == 0
    assert "9 clips\t0 missing" in done.out


def test_pictures_may_be_embedded_by_any_of_timms_weights(
    clips: list[Clip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the place of a self-supervised encoder: random weights where a tag's would lie."""
    yamnet = cached("yamnet")
    place = tmp_path / "cache/timm/vit_small_patch16_224.dino.safetensors"
    place.parent.mkdir(parents=True)
    torch.manual_seed(0)
    state = timm.create_model(
        "vit_small_patch16_224", num_classes=0, global_pool="", dynamic_img_size=True
    ).state_dict()
    save_file(state, place)
    monkeypatch.setenv("SOUNDSPOT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(encoders, "ensure", lambda name: yamnet)
    embedder, identity = embedder_of("encoders", "timm:vit_small_patch16_224.dino")
    assert identity == "encoders timm:vit_small_patch16_224.dino"
    assert embedder.inputs.image_mean == (0.485, 0.456, 0.406)
    found = find_neighbours(clips, embedder, tmp_path / "near", identity=identity, k=2)
    assert found.clips == 9
    with pytest.raises(UserError, match="expected either image or weights"):
        embedder_of("some.safetensors", "timm:resnet18")
