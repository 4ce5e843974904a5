"""`vpo` from a made COCO tree: which photos serve, what is in a scene, negatives, and the same bytes again."""

from __future__ import annotations

import json
import shutil
import wave
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from make_coco import square, write_coco
from soundspot.data.folder import read_folder
from soundspot.media.image import read_image
from soundspot.samples import vpo
from soundspot.samples.coco import read_photos
from soundspot.samples.recordings import Stock, find_recordings, plain
from soundspot.samples.sound import Sound
from soundspot.samples.vpo_about import counts_lines
from soundspot.samples.vpo_classes import PAIRINGS, match, read_left_out, read_pairings
from soundspot.types import UserError

THINGS = {
    "p1": [square("dog", 1, 1)],
    "p2": [square("dog", 1, 1), square("dog", 10, 1), square("person", 16, 8)],
    "p3": [square("dog", 1, 1, crowd=1), square("clock", 10, 1)],
    "p4": [square("clock", 1, 1, side=1)],
    "p5": [square("person", 1, 1), square("person", 10, 1), square("cat", 16, 8)],
    "p6": [square("car", 1, 1), square("truck", 10, 1)],
}
"""One dog; two dogs and one person; a crowd of dogs and a clock; a tiny clock; two people and a cat; car and truck."""


def write_tone(path: Path, frequency: float, level: float = 0.3) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = level * np.sin(2 * np.pi * frequency * np.arange(8000) / 8000)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes((samples * 32767).astype("<i2").tobytes())


@pytest.fixture(scope="module")
def coco(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_coco(tmp_path_factory.mktemp("coco"), THINGS)


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sounds")
    for number, name in enumerate(("001 - Dog bark/a", "001 - Dog bark/b", "sneezing/c", "clock_tick/d", "cat/e")):
        write_tone(root / f"{name}.wav", 200 + 100 * number)
    write_tone(root / "car/f.wav", 700)
    write_tone(root / "rain/g.wav", 900)
    write_tone(root / "001 - Dog bark/mute.wav", 300, level=0.0)
    return root


@pytest.fixture(scope="module")
def built(coco: Path, sounds: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return vpo.build(tmp_path_factory.mktemp("vpo") / "out", coco, [sounds], takes=3)


def test_only_photos_that_say_what_sounds_serve(built: Path) -> None:
    about = json.loads((built / "dataset.json").read_text())["sources"]
    assert about["sources_not_used"] == {
        "a crowd": 1, "beside what sounds alike": 1, "one of several": 1, "too small": 1,
    }  # fmt: skip
    visible = [clip.id for clip, target in read_folder(built) if target.kind == "visible"]
    # two barks that can be heard, one sneeze: so many takes
    assert visible == ["ss-p1-dog", "ss-p1-dog-2", "ms-p2-dog", "ms-p2-person", "mix-p2", "ss-p3-clock", "ss-p5-cat"]
    assert about["counts"]["classes"] == {"cat": 1, "clock": 1, "dog": 4, "person": 2}
    assert about["counts"]["clips"] == {
        "single": 4, "several, one heard": 2, "several, mixed": 1, "offscreen": 3, "silent": 3, "noise": 3,
    }  # fmt: skip
    assert about["recordings_refused"] == {"dog_bark/mute": "silent"}
    assert about["licences"] == {"Attribution License": 4}


def test_truth_is_all_objects_of_the_sounding_category(built: Path) -> None:
    pairs = {clip.id: (clip, target) for clip, target in read_folder(built, split="test")}
    clip, target = pairs["ms-p2-dog"]
    assert target.boxes == (
        pytest.approx((1 / 24, 1 / 16, 7 / 24, 7 / 16), abs=1e-6),
        pytest.approx((10 / 24, 1 / 16, 16 / 24, 7 / 16), abs=1e-6),
    )
    assert target.box_labels == ("dog", "dog")
    assert (read_image(target.mask).max(axis=2) > 0).sum() == 72
    other = pairs["ms-p2-person"][1]
    assert target.group == other.group == "ms-p2"
    mixed = pairs["mix-p2"][1]
    assert mixed.group is None
    assert mixed.labels == ("dog", "person")
    assert mixed.box_labels == ("dog", "dog", "person")
    assert (read_image(mixed.mask).max(axis=2) > 0).sum() == 108
    assert clip.image == pairs["mix-p2"][0].image


def read_wav(path: Path) -> np.ndarray:
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels()) == (16000, 1)
        return np.frombuffer(file.readframes(file.getnframes()), dtype="<i2") / 32767


def test_sounds_have_their_length_and_mix_as_a_sum(built: Path) -> None:
    clips = {clip.id: clip for clip, _ in read_folder(built)}
    dog, person, both = (read_wav(clips[name].audio) for name in ("ms-p2-dog", "ms-p2-person", "mix-p2"))
    assert len(both) == 48000
    total = dog + person
    assert np.allclose(both, total * min(1, 0.95 / np.abs(total).max()), atol=2e-4)


def test_negatives_hold_nothing_that_is_annotated(built: Path, coco: Path) -> None:
    view = {photo.id: photo.categories for photo in read_photos(coco)[0]}
    used = set()
    for clip, target in read_folder(built):
        photo = clip.image.stem
        if target.kind == "visible":
            used.add(photo)
            continue
        assert photo in used  # the photo alone does not tell that nobody sounds
        if target.kind == "offscreen":
            assert clip.labels[0] not in view[photo]
        elif target.kind == "silent":
            assert np.abs(read_wav(clip.audio)).max() < 0.01
    kinds = Counter(target.kind for _, target in read_folder(built))
    assert kinds["offscreen"] == kinds["silent"] == kinds["noise"] == 3


def test_the_same_seed_gives_the_same_bytes_and_another_another(
    built: Path, coco: Path, sounds: Path, tmp_path: Path
) -> None:
    again = vpo.build(tmp_path / "again", coco, [sounds], takes=3)
    other = vpo.build(tmp_path / "other", coco, [sounds], takes=3, seed=1)
    hashes = [json.loads((root / "dataset.json").read_text())["sha256"] for root in (built, again, other)]
    assert hashes[0] == hashes[1] != hashes[2]


def test_more_photos_leave_a_scene_as_it_was(built: Path, sounds: Path, tmp_path: Path) -> None:
    root = write_coco(tmp_path / "coco", {"p2": THINGS["p2"]})
    made = vpo.build(tmp_path / "out", root, [sounds], negatives=0, mixtures=False)
    assert (made / "audio/ms-p2-dog.wav").read_bytes() == (built / "audio/ms-p2-dog.wav").read_bytes()
    assert [clip.id for clip, _ in read_folder(made)] == ["ms-p2-dog", "ms-p2-person"]


def test_the_users_choices(coco: Path, sounds: Path, tmp_path: Path) -> None:
    mapping = tmp_path / "mapping.json"
    mapping.write_text('{"dog": ["rain", "no such"], "truck": ["Car"]}')
    left_out = tmp_path / "left.txt"
    left_out.write_text("p2 person # hidden\np1\n\n# p5\n")
    root = vpo.build(tmp_path / "out", coco, [sounds], mapping=mapping, leave_out=left_out, seconds=4, negatives=0)
    rows = [json.loads(line) for line in (root / "scenes.jsonl").read_text().splitlines()]
    assert [(row["id"], row["sound"]) for row in rows] == [("ss-p2-dog", "rain/g")]
    assert len(read_wav(root / rows[0]["audio"])) == 64000
    limited = vpo.build(tmp_path / "few", coco, [sounds], min_area=0, per_class=1, negatives=0)
    assert len(list(limited.glob("audio/ss-*-clock.wav"))) == 1


def test_takes_up_the_size_of_all_boxes_together() -> None:
    assert vpo.joint_side([(0, 0, 0.5, 0.5), (0.25, 0, 0.75, 0.5)]) == pytest.approx(224 * 0.375**0.5)
    assert np.abs(vpo.mix([np.full(4, 0.8, np.float32)] * 2)).max() == pytest.approx(0.95)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"seconds": 0.2}, "seconds: expected 1 to 10, got 0.2"),
        ({"min_area": 1.5}, "min area: expected a share"),
        ({"takes": 0}, "takes: expected 1 or more, got 0"),
        ({"per_class": -1}, "per class: expected 1 or more"),
        ({"negatives": -1}, "negatives: expected 0 or more"),
        (
            {"min_area": 0.99},
            r"expected photos of car, cat, clock, dog, person to pair .* got none usable \(",
        ),
    ],
)
def test_wrong_words(coco: Path, sounds: Path, tmp_path: Path, words: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        vpo.build(tmp_path / "out", coco, [sounds], **words)
    assert not (tmp_path / "out").exists()


def test_photos_serve_again_where_more_negatives_are_wanted(coco: Path, sounds: Path, tmp_path: Path) -> None:
    root = vpo.build(tmp_path / "out", coco, [sounds], negatives=9)
    pairs = read_folder(root)
    assert Counter(target.kind for _, target in pairs)["offscreen"] == 9
    assert len({clip.id for clip, _ in pairs}) == len(pairs)


def test_one_class_has_fewer_negatives_unless_so_many_are_asked_for(tmp_path: Path, sounds: Path) -> None:
    root = write_coco(tmp_path / "coco", {"p1": THINGS["p1"]})
    shutil.copytree(sounds / "001 - Dog bark", tmp_path / "sounds/dog")
    made = vpo.build(tmp_path / "out", root, [tmp_path / "sounds"])
    assert Counter(target.kind for _, target in read_folder(made)) == {"visible": 1, "silent": 1, "noise": 1}
    about = json.loads((made / "dataset.json").read_text())["sources"]
    assert counts_lines(about)[-1].startswith("1 offscreen clips fewer than a third: ")


def test_words_without_effect_are_told(coco: Path, sounds: Path, tmp_path: Path) -> None:
    mapping, left_out = tmp_path / "mapping.json", tmp_path / "left.txt"
    mapping.write_text('{"dog": ["rain", "no such"], "zebra": ["rain"]}')
    left_out.write_text("gone\np2 cat\np2 person\n")
    root = vpo.build(tmp_path / "out", coco, [sounds], mapping=mapping, leave_out=left_out, negatives=0)
    told = counts_lines(json.loads((root / "dataset.json").read_text())["sources"])
    assert "--mapping without effect: no_such (no recordings, for dog), zebra (in no photo)" in told
    assert "--leave-out without effect: gone (no such picture), p2 cat (not in the picture)" in told
    left_out.write_text("p2 persn\n")
    with pytest.raises(UserError, match=r"unknown category in .*left.txt 'persn': .* did you mean 'person'"):
        vpo.build(tmp_path / "none", coco, [sounds], leave_out=left_out)
    mapping.write_text('{"dog": ["no such"]}')
    with pytest.raises(
        UserError, match=r"mapping.json: expected classes of the recordings, car, .*, got no_such; mend"
    ):
        vpo.build(tmp_path / "none", coco, [sounds], mapping=mapping)


def test_negatives_need_an_absent_class(tmp_path: Path, coco: Path, sounds: Path) -> None:
    root = write_coco(tmp_path / "coco", {"p1": THINGS["p1"]})
    shutil.copytree(sounds / "001 - Dog bark", tmp_path / "sounds/dog")
    with pytest.raises(UserError, match="expected 2 sounds of classes that the photos don't hold, got 0"):
        vpo.build(tmp_path / "out", root, [tmp_path / "sounds"], negatives=2)


def test_recordings_of_every_form(tmp_path: Path, sounds: Path, made_packages: Path) -> None:
    found = find_recordings([sounds])
    assert list(found) == ["car", "cat", "clock_tick", "dog_bark", "rain", "sneezing"]
    assert [sound.name for sound in found["dog_bark"]] == ["dog_bark/a", "dog_bark/b", "dog_bark/mute"]
    (tmp_path / "esc/meta").mkdir(parents=True)
    (tmp_path / "esc/meta/esc50.csv").write_text("filename,fold,target,category\n1.wav,1,0,dog\n2.wav,1,0,dog\n")
    write_tone(tmp_path / "esc/audio/1.wav", 300)
    assert [sound.name for sound in find_recordings([tmp_path / "esc"])["dog"]] == ["dog/1"]
    stamps = find_recordings([made_packages, tmp_path / "esc"])
    assert {"owl", "cow", "toilet"} <= stamps.keys()
    assert [sound.name for sound in stamps["dog"]] == ["dog/dog", "dog/1"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="empty: expected recordings as <class>/<name>"):
        find_recordings([sounds, tmp_path / "empty"])


def test_only_what_can_be_heard_is_drawn(tmp_path: Path) -> None:
    write_tone(tmp_path / "mute.wav", 100, level=0.001)
    (tmp_path / "broken.wav").write_bytes(b"RIFF no sound at all")
    some = [Sound(name, "x", tmp_path / f"{name}.wav") for name in ("mute", "broken")]
    stock = Stock({"x": some})
    with pytest.raises(UserError, match="x: expected a recording that can be heard, got 2 silent or unreadable ones"):
        stock.draw(np.random.default_rng(0), "x")
    assert stock.refused == {"mute": "silent", "broken": "unreadable"}


def test_the_table_is_plain_and_says_what_it_should() -> None:
    for pairing in PAIRINGS.values():
        assert [plain(name) for name in pairing.sounds] == list(pairing.sounds)
    every = [name for pairing in PAIRINGS.values() for name in pairing.sounds]
    assert len(every) == len(set(every))
    for false in ("baby_cry", "helicopter", "rooster", "fire_truck", "mouse", "lion", "goat", "engine"):
        assert false not in every


@pytest.mark.parametrize(
    ("seen", "category", "alike"),
    [({"truck"}, "car", True), ({"car"}, "car", False), ({"dog"}, "car", False), ({"laptop"}, "keyboard", True)],
)
def test_what_sounds_alike_is_kin(seen: set[str], category: str, alike: bool) -> None:
    assert vpo._kin(seen, category, PAIRINGS) is alike


def test_the_users_mapping_is_checked(tmp_path: Path) -> None:
    path = tmp_path / "mapping.json"
    path.write_text('{"dogg": ["bark"]}')
    with pytest.raises(UserError, match=r"unknown category in the mapping 'dogg': .*did you mean 'dog'"):
        match(read_pairings(path), {"bark": [Sound("a", "bark")]}, ["dog", "cat"])
    with pytest.raises(UserError, match="expected classes that a COCO category makes, got thunder"):
        match(read_pairings(None), {"thunder": [Sound("a", "thunder")]}, ["dog"])
    path.write_text('{"dog": "bark"}')
    with pytest.raises(UserError, match=r'expected a JSON object such as .*"dog_bark".*, got something else'):
        read_pairings(path)
    path.write_text("{")
    with pytest.raises(UserError, match="got no JSON"):
        read_pairings(path)
    with pytest.raises(UserError, match="expected a list of pictures to leave out, got no such file"):
        read_left_out(tmp_path / "gone")


@pytest.mark.shared
def test_the_real_sample_with_real_recordings(shared: Path, tmp_path: Path) -> None:
    media = shared / "data/media"
    root = vpo.build(tmp_path / "out", media / "coco256", [media / "esc10_16k"], per_class=3, negatives=4)
    classes = Counter(label for _, target in read_folder(root) if target.kind == "visible" for label in target.labels)
    assert classes["dog"] == classes["clock"] == 3
    assert set(classes) == {"dog", "clock", "person"}
    for _, target in read_folder(root):
        if target.kind == "visible":
            assert 0.01 <= (read_image(target.mask).max(axis=2) > 0).mean() < 1
