"""Clips to vectors to recalls: complete, the same however they are batched, through the real command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from make_scenes import make_scenes
from soundspot import ops, weights
from soundspot.benchmarks.published import Published, published
from soundspot.benchmarks.retrieval import RECALLS, score_retrieval
from soundspot.composition import compose_and_find
from soundspot.data.folder import read_folder
from soundspot.embed import embed, space_of
from soundspot.embeddings import Embeddings
from soundspot.methods import build
from soundspot.methods.base import Method
from soundspot.types import Batch, Clip, Inputs, UserError

TOWERS = {"image_backbone": "resnet10t", "audio_backbone": "resnet10t", "image_size": 64, "seconds": 1.0}


class ColourAndPitch(Method):
    """A picture's mean colour, and the sound's level in low, middle and high bands: no clip is like another."""

    def __init__(self) -> None:
        super().__init__()
        self.inputs = Inputs(image_size=16, seconds=0.5, spectrogram="logmel", sample_rate=16000)
        self.dropout = torch.nn.Dropout(0.5)

    def embed(self, batch: Batch) -> tuple[Tensor, Tensor]:
        bands = batch.audio.mean(dim=(1, 3)).tensor_split(3, dim=1)
        heard = torch.stack([band.mean(dim=1) for band in bands], dim=1)
        return ops.unit(self.dropout(batch.image).mean(dim=(2, 3))), ops.unit(heard)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_scenes(tmp_path_factory.mktemp("scenes"), ["visible"] * 6 + ["offscreen", "silent"])


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    return weights.save(build("ez_vsl", dim=8, **TOWERS), tmp_path_factory.mktemp("weights") / "tiny.safetensors")


@pytest.fixture
def clips(scenes: Path) -> list[Clip]:
    return [clip for clip, target in read_folder(scenes) if target.kind == "visible"]


def test_vectors_do_not_depend_on_batches_order_or_workers(clips: list[Clip]) -> None:
    method = ColourAndPitch().train()
    one_by_one = embed(method, clips, batch_size=1, progress=False)
    assert method.training, "the method keeps its mode"
    assert one_by_one.ids == tuple(clip.id for clip in clips)
    assert one_by_one.labels == tuple(clip.labels for clip in clips)
    assert one_by_one.groups == ()
    together = embed(method, clips, batch_size=4, num_workers=1, progress=False)
    backwards = embed(method, clips[::-1], batch_size=5, progress=False)
    assert backwards.ids == one_by_one.ids[::-1]
    for name in ("image", "sound"):
        vectors = getattr(one_by_one, name)
        assert len(np.unique(vectors, axis=0)) == len(clips) or name == "sound"
        assert np.allclose(getattr(together, name), vectors, atol=1e-6)
        assert np.allclose(getattr(backwards, name)[::-1], vectors, atol=1e-6)


def test_clips_of_several_rates_come_back_in_order(clips: list[Clip], tmp_path: Path) -> None:
    from soundspot.media.audio import write_wav

    write_wav(tmp_path / "slow.wav", np.ones((1, 8000), dtype=np.float32) * 0.1, 8000)
    mixed = [replace(clip, audio=tmp_path / "slow.wav") if number % 2 else clip for number, clip in enumerate(clips)]
    method = ColourAndPitch()
    method.inputs = replace(method.inputs, sample_rate=None)
    made = embed(method, mixed, batch_size=6, progress=False)
    assert made.ids == tuple(clip.id for clip in clips)
    assert np.array_equal(made.image, embed(method, clips, progress=False).image)


def test_a_clip_that_cannot_be_read_is_named_with_its_reason(clips: list[Clip], tmp_path: Path) -> None:
    clips[2] = replace(clips[2], audio=tmp_path / "gone.wav", group="shared")
    clips[3] = replace(clips[3], group="shared")
    made = embed(ColourAndPitch(), clips, batch_size=2, progress=False)
    assert made.ids == ("test000", "test001", "test003", "test004", "test005")
    assert made.groups == (None, None, "shared", None, None)
    assert "gone.wav" in made.missing["test002"]
    result = score_retrieval(made)
    assert result.clips == "5 of 6"
    assert result.records[-1] == {"clip_id": "test002", "status": f"missing: {made.missing['test002']}"}
    nothing = embed(ColourAndPitch(), clips[2:3], progress=False)
    assert (len(nothing), nothing.image.shape) == (0, (0, 0))
    with pytest.raises(UserError, match=r"at least one clip, got none; the first: .*gone\.wav"):
        score_retrieval(nothing)


def test_two_clips_of_one_name_are_refused(clips: list[Clip]) -> None:
    with pytest.raises(UserError, match="clip id once, got 'test000' 2 times"):
        embed(ColourAndPitch(), [*clips, clips[0]], progress=False)


def test_spaces_are_those_that_a_method_has(clips: list[Clip]) -> None:
    both = build("ez_vsl", dim=8, **TOWERS)
    assert embed(both, clips[:2], progress=False).image.shape == (2, 8)
    projected, backbone = (embed(both, clips[:2], space=space, progress=False) for space in ("projected", "backbone"))
    assert (projected.image.shape, backbone.image.shape) == ((2, 8), (2, 512))
    assert (projected.provenance["space"], backbone.provenance["space"]) == ("projected", "backbone")
    assert np.allclose(np.linalg.norm(backbone.sound, axis=1), 1)
    with pytest.raises(UserError, match=r"expected the space backbone, the only one .* got projected; leave the space"):
        embed(build("lvs", **TOWERS), clips[:2], space="projected", progress=False)
    with pytest.raises(UserError, match=r"expected the space projected, the only one .* got backbone"):
        embed(ColourAndPitch(), clips[:2], space="backbone", progress=False)
    with pytest.raises(UserError, match="did you mean 'backbone'"):
        space_of(both, "bakbone")
    uneven = build("ez_vsl", **{**TOWERS, "image_backbone": "tf_efficientnet_lite0"})
    with pytest.raises(UserError, match="towers of equal width for the space backbone, got 1280 and 512"):
        embed(uneven, clips[:2], space="backbone", progress=False)


def test_ssl_align_has_the_spaces_of_its_table(clips: list[Clip]) -> None:
    method = build("ssl_align", projection=8, **TOWERS)
    assert embed(method, clips[:2], progress=False).provenance["space"] == "projected"
    backbone = embed(method, clips[:2], space="backbone", progress=False)
    assert backbone.image.shape == (2, 512)
    other = build("ssl_align", projection=8, retrieval="backbone", **TOWERS)
    other.load_state_dict(method.state_dict())
    own = embed(other, clips[:2], progress=False)
    assert own.provenance["space"] == "backbone"
    assert np.allclose(own.image, backbone.image, atol=1e-6)
    assert embed(other, clips[:2], space="projected", progress=False).image.shape == (2, 8)
    with pytest.raises(UserError, match=r"expected the space backbone, the only one"):
        embed(build("ssl_align", alignment=False, **TOWERS), clips[:2], space="projected", progress=False)


def made_embeddings(count: int = 30, noise: float = 0.0, **more: object) -> Embeddings:
    image, extra = np.random.default_rng(0).normal(size=(2, count, 16)).astype(np.float32)
    return Embeddings(tuple(map(str, range(count))), image, image + noise * extra, **more)  # type: ignore[arg-type]


def test_identical_vectors_score_1_and_order_changes_nothing() -> None:
    perfect = score_retrieval(made_embeddings())
    for k in (1, 5, 10):
        for way in ("sound_to_image", "image_to_sound"):
            value = perfect.summary[f"recall@{k}/{way}"]
            assert (value.value, value.low, value.high, value.count) == (1, 1, 1, 30)
            assert perfect.beside["chance"][f"recall@{k}/{way}"] == pytest.approx(k / 30)
    assert perfect.summary["alignment"].value == pytest.approx(1)
    assert perfect.summary["gap"].value == pytest.approx(0, abs=1e-7)
    assert perfect.protocol == "retrieval_own"
    noisy = made_embeddings(noise=2.0)
    order = np.random.default_rng(1).permutation(30)
    turned = Embeddings(tuple(noisy.ids[row] for row in order), noisy.image[order], noisy.sound[order])
    before, after = (score_retrieval(each, intervals=False).summary for each in (noisy, turned))
    assert 0 < before["recall@1/sound_to_image"].value < 1
    for key, value in before.items():
        assert after[key].value == pytest.approx(value.value), key
        assert np.isnan(value.low)


def test_every_interval_holds_its_number() -> None:
    far = made_embeddings(noise=1.5)
    for embeddings in (far, Embeddings(far.ids, far.image, far.sound + 3)):
        for key, value in score_retrieval(embeddings).summary.items():
            if key == "pair_distance_deviation":
                continue  # it has none
            assert value.low <= value.value <= value.high, key
            assert value.low < value.high or key.startswith("median"), key


def test_clips_that_share_a_picture_may_count_for_each_other() -> None:
    made = made_embeddings(count=6)
    image = made.image.copy()
    image[1] = image[0]
    groups = ("x", "x", None, None, None, None)
    shared = Embeddings(made.ids, image, image, groups=groups)
    own, group = (score_retrieval(shared, right=right) for right in ("own", "group"))
    assert own.summary["recall@1/sound_to_image"].value == pytest.approx(4 / 6)
    assert group.summary["recall@1/sound_to_image"].value == 1
    assert group.beside["chance"]["recall@1/sound_to_image"] == pytest.approx((2 * 2 / 6 + 4 / 6) / 6)
    assert "over groups of clips" in own.provenance["interval"]
    assert [row["group"] for row in own.records[:3]] == ["x", "x", None]
    with pytest.raises(UserError, match="did you mean 'group'"):
        score_retrieval(shared, right="groups")


def test_a_picture_and_a_sound_find_what_has_both() -> None:
    dog, cat, rain = np.eye(4, dtype=np.float32)[:3]
    image = np.stack([dog, cat, dog + rain, cat + rain, dog, rain])
    sound = np.stack([dog, cat, rain, rain, dog, rain])
    labels = (("dog",), ("cat",), ("rain",), (), ("dog",), ("rain",))
    made = Embeddings(
        tuple("abcdef"), image, sound, labels=labels, groups=(None, None, None, "g", None, "g"), missing={"x": "cut"}
    )
    found = compose_and_find(made, "a", ["f"], count=3)
    assert [name for name, _ in found.found] == ["c", "e", "b"]
    assert [cosine for _, cosine in found.found] == pytest.approx([1, np.sqrt(0.5), 0])
    assert "d" not in {name for name, _ in found.found}, "it shares f's picture"
    assert (found.told("c"), found.labels.keys()) == ("rain", {"a", "f", "c", "e", "b"})
    assert [name for name, _ in compose_and_find(made, "a", ["c"], share=1.0, count=2).found] == ["e", "b"]
    assert compose_and_find(made, "a", ["d"]).told("d") == "d"
    with pytest.raises(UserError, match="id of an embedded clip, such as a, got 'A'"):
        compose_and_find(made, "A", ["b"])
    with pytest.raises(UserError, match=r"clip that could be read, got x \(cut\)"):
        compose_and_find(made, "a", ["x"])
    with pytest.raises(UserError, match=r"expected a share in 0\.\.1"):
        compose_and_find(made, "a", ["b"], share=1.5)


def test_embed_then_retrieve_then_compose(tiny: Path, scenes: Path, tmp_path: Path, command: Callable) -> None:
    file, other = tmp_path / "e.safetensors", tmp_path / "other.safetensors"
    done = command("embed", tiny, "samples", "--root", scenes, "--split", "test", "--out", file)
    assert (done.code, done.out) == (0, f"{file}\t6 of 6 clips, 0 missing\tprojected\n"), done.err
    words = ("--batch-size", 4, "--space", "projected")
    assert command("embed", tiny, "samples", "--root", scenes, "--split", "test", "--out", other, *words).code == 0
    made = Embeddings.load(file)
    assert np.allclose(made.image, Embeddings.load(other).image, atol=1e-5)
    assert made.provenance["benchmark"] == "samples"
    told = json.loads(command("retrieve", file, "--json").out)
    assert told["provenance"]["weights_sha256"] == weights.sha256(tiny)
    assert told["provenance"]["clips_used"] == told["provenance"]["clips_listed"] == 6
    assert told["summary"]["recall@10/sound_to_image"]["value"] == 1
    assert 0 <= told["summary"]["recall@1/image_to_sound"]["low"] <= told["summary"]["recall@1/image_to_sound"]["high"]
    shown = command("retrieve", file)
    for part in ("e (projected)", "6 of 6", "chance", "16.67", weights.sha256(tiny), "2 clips whose source is not in"):
        assert part in shown.out, part
    out = tmp_path / "sheet.png"
    asked = ("retrieve", file, "--compose", "test000", "--sound", "test001", "--top", 3)
    done = command(*asked, "--root", scenes, "--out", out)
    assert done.code == 0, done.err
    assert [line.split("\t")[0] for line in done.out.splitlines()] == ["1", "2", "3"]
    assert not {"test000", "test001"} & {line.split("\t")[1] for line in done.out.splitlines()}
    with Image.open(out) as picture:
        assert picture.width > 3 * 200
        seen = np.asarray(picture)
    assert len(np.unique(seen.reshape(-1, 3), axis=0)) > 100, "pictures are on it"
    listed = json.loads(command(*asked, "--sound", "test002", "--json").out)
    assert listed["sounds"] == ["test001", "test002"]
    assert listed["sheet"] is None
    assert len(listed["found"]) == 3


def test_a_list_of_ids_chooses_and_names_the_result(
    tiny: Path, scenes: Path, tmp_path: Path, command: Callable
) -> None:
    (tmp_path / "few.txt").write_text("test001\ntest003\ntest006\n")
    file = tmp_path / "e.safetensors"
    done = command("embed", tiny, "samples", "--root", scenes, "--ids", tmp_path / "few.txt", "--out", file)
    assert done.out == f"{file}\t2 of 2 clips, 0 missing\tprojected\n", done.err
    told = json.loads(command("retrieve", file, "--json").out)
    assert told["benchmark"] == "samples, clips of few.txt"
    assert told["provenance"]["embeddings"]["left_out"].startswith("1 clips whose source")


def test_published_rows_of_the_benchmark_stand_beside(
    tmp_path: Path, command: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [
        Published("vggss", "SSLalign", "", "a paper", {"recall@1/sound_to_image": 0.2272}, "5158"),
        Published("vggss", "LVS", "lvs", "another", {"ciou@0.5": 0.3030}),
    ]
    monkeypatch.setattr("soundspot.benchmarks.retrieval.published", lambda name: rows if name == "vggss" else [])
    replace(made_embeddings(), provenance={"method": "x", "benchmark": "vggss"}).save(tmp_path / "e.safetensors")
    shown = command("retrieve", tmp_path / "e.safetensors").out
    assert "SSLalign (a paper)" in shown
    assert "22.72" in shown
    assert "LVS" not in shown
    origin = {"method": "x", "benchmark": "vggss", "clip_list": "few.txt"}
    replace(made_embeddings(), provenance=origin).save(tmp_path / "e.safetensors")
    shown = command("retrieve", tmp_path / "e.safetensors").out
    assert "vggss, clips of few.txt" in shown
    assert "SSLalign" not in shown, "it chose among others"


def test_the_papers_table_is_among_the_published_rows() -> None:
    recalls = {row.method: row.metrics for row in published("vggss") if RECALLS.keys() <= row.metrics.keys()}
    assert recalls["FNAC"]["recall@1/sound_to_image"] == pytest.approx(0.0133)
    assert max(row["recall@1/image_to_sound"] for row in recalls.values()) == pytest.approx(0.2943)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--sound", "1"), "expected --compose beside --sound"),
        (("--compose", "1"), "expected --sound beside --compose"),
        (("--compose", "1", "--sound", "99"), "got '99'"),
        (("--compose", "1", "--sound", "2", "--out", "s.png"), "got embeddings that name no benchmark"),
    ],
)
def test_what_does_not_go_together_is_said(
    words: tuple[str, ...], message: str, tmp_path: Path, command: Callable
) -> None:
    made_embeddings().save(tmp_path / "e.safetensors")
    done = command("retrieve", tmp_path / "e.safetensors", *words)
    assert done.code == 2
    assert message in done.err
    assert len(done.err.splitlines()) == 1


def test_other_scenes_do_not_pass_for_those_of_the_embeddings(tmp_path: Path, command: Callable) -> None:
    other = make_scenes(tmp_path / "other", ["visible"] * 2)
    replace(made_embeddings(), provenance={"benchmark": "samples"}).save(tmp_path / "e.safetensors")
    asked = ("retrieve", tmp_path / "e.safetensors", "--compose", "1", "--sound", "2", "--out", tmp_path / "s.png")
    assert "got none called 1; give their --root" in command(*asked, "--root", other).err
    assert "got no --root" in command(*asked).err
