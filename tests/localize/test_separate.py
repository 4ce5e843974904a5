"""Listening to regions with a small outsider's method: windows, boxes, files, and what a user can get wrong."""

from __future__ import annotations

import json
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from make_media import make_film, tone
from soundspot import weights
from soundspot.localize import separate as separation
from soundspot.localize.draw_classes import Palette
from soundspot.localize.seen_square import box_of, cells_of, from_square, into_square, square_of
from soundspot.localize.separate import run, separate
from soundspot.localize.separate_picture import BAR_HEIGHT, WAVE_HEIGHT, WIDTH, Strip, draw_regions
from soundspot.localize.source import open_source
from soundspot.media.image import read_image, write_image
from soundspot.media.sound import read_waveform, write_wav
from soundspot.methods import build
from soundspot.methods.base import Method
from soundspot.types import Batch, Inputs, UserError

RATE, SIDE = 8000, 16


class Brightness(Method):
    """A pixel's share of the sound is how bright it is; a region's sound is the mixture times its mean brightness."""

    needs = frozenset({"waveform"})

    def __init__(self, resize: str = "squash") -> None:
        super().__init__()
        self.inputs = Inputs(
            image_size=SIDE, image_mean=(0.0,) * 3, image_std=(1.0,) * 3, resize=resize, sample_rate=RATE, seconds=1.0,
            waveform=True,
        )  # fmt: skip
        self.gain = nn.Parameter(torch.ones(()))

    def bright(self, batch: Batch) -> Tensor:
        return self.gain * F.avg_pool2d(batch.image.mean(dim=1, keepdim=True), 2)[:, 0]

    def localize(self, batch: Batch) -> Tensor:
        heard = batch.extra["waveform"].abs().amax(dim=1) > 0
        return self.bright(batch) * heard[:, None, None]

    def separate(self, batch: Batch, regions: Tensor | None = None) -> Tensor:
        assert regions is not None
        mean = (self.bright(batch)[:, None] * regions).sum(dim=(2, 3)) / regions.sum(dim=(2, 3))
        return mean[..., None] * batch.extra["waveform"][:, None]


class Deaf(Brightness):
    """One that separates nothing."""

    separate = None  # type: ignore[assignment]


def picture(*bright: tuple[slice, slice], size: tuple[int, int] = (SIDE, SIDE)) -> np.ndarray:
    """Black, with white places; of the method's own size, so that nothing blurs."""
    image = np.zeros((*size, 3), np.uint8)
    for rows, columns in bright:
        image[rows, columns] = 255
    return image


LEFT, RIGHT = (slice(0, 16), slice(0, 4)), (slice(8, 16), slice(12, 16))


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, (1, round(seconds * RATE))).astype(np.float32)


@pytest.fixture
def pair(tmp_path: Path) -> Callable[..., tuple[Path, Path]]:
    """A function that writes a picture and a sound."""

    def write(image: np.ndarray, sound: np.ndarray) -> tuple[Path, Path]:
        write_image(tmp_path / "scene.png", image)
        write_wav(tmp_path / "sound.wav", sound, RATE)
        return tmp_path / "scene.png", tmp_path / "sound.wav"

    return write


@pytest.mark.parametrize("seconds", [0.01, 0.4, 1.0, 1.2, 1.5, 3.7])
def test_windows_fade_into_each_other_and_add_up_to_the_whole(seconds: float, pair: Callable) -> None:
    sound = noise(seconds)
    done = separate(Brightness(), open_source(*pair(picture(LEFT), sound)), [(0, 0, 0.25, 1), (0.5, 0, 1, 1)])
    loud, silent = done.regions
    assert np.abs(done.mixture - sound[0]).max() < 1e-4
    np.testing.assert_allclose(loud.samples, done.mixture, atol=1e-6)
    assert loud.energy_share == pytest.approx(1, abs=1e-4)
    assert (silent.samples == 0).all()
    assert (silent.energy_share, silent.found) == (0, False)


def test_each_window_sees_the_frame_in_its_middle(tmp_path: Path) -> None:
    """White for two seconds, then black: the window from 1 to 2 s sees white, the next one black, and both fade."""
    film = make_film(
        tmp_path / "film.mp4", num_frames=40, rate=10, size=(48, 32), samples=tone(440, 4, 48000),
        picture=lambda number: np.full((32, 48, 3), 255 if number < 20 else 0, np.uint8),
    )  # fmt: skip
    done = separate(Brightness(), open_source(film), [(0, 0, 1, 1)])
    level, whole = (
        np.abs(samples[: 4 * RATE]).reshape(40, -1).max(axis=1) for samples in (done.regions[0].samples, done.mixture)
    )
    share = level / whole
    assert share[:15].min() > 0.95
    assert 0.4 < share[17] < 0.8
    assert share[20:].max() < 0.08
    assert done.picture.mean() < 10, "the frame at 2 s is the first black one"


def test_pictures_that_end_before_the_sound_stay(tmp_path: Path) -> None:
    film = make_film(
        tmp_path / "film.mp4", num_frames=4, rate=10, size=(48, 32), samples=tone(440, 3, 48000),
        picture=lambda number: np.full((32, 48, 3), 255, np.uint8),
    )  # fmt: skip
    done = separate(Brightness(), open_source(film), [(0, 0, 0.2, 1)])
    assert len(done.mixture) == pytest.approx(3 * RATE, abs=0.1 * RATE)
    assert done.regions[0].energy_share > 0.9


def test_regions_are_found_where_it_is_hot(pair: Callable) -> None:
    image = picture(LEFT, RIGHT)
    image[RIGHT] = 200  # not as hot
    done = separate(Brightness(), open_source(*pair(image, noise(1.5))))
    assert [region.box for region in done.regions] == [(0.0, 0.0, 0.25, 1.0), (0.75, 0.5, 1.0, 1.0)]
    assert all(region.found for region in done.regions)
    assert done.regions[1].energy_share == pytest.approx((200 / 255) ** 2, abs=0.02)
    assert len(separate(Brightness(), open_source(*pair(image, noise(1.5))), most=1).regions) == 1


def test_where_all_is_equally_hot_the_whole_picture_is_the_region(pair: Callable) -> None:
    grey = np.full((SIDE, SIDE, 3), 128, np.uint8)
    (region,) = separate(Brightness(), open_source(*pair(grey, noise(0.5)))).regions
    assert region.box == (0, 0, 1, 1)


def test_silence_has_no_region_but_a_box_may_be_listened_to(pair: Callable) -> None:
    source = open_source(*pair(picture(LEFT), np.zeros((1, RATE), np.float32)))
    with pytest.raises(UserError, match="expected something to hear, got silence"):
        separate(Brightness(), source)
    (region,) = separate(Brightness(), source, [(0, 0, 1, 1)]).regions
    assert (region.samples == 0).all()
    assert region.energy_share == 0


def test_heat_of_a_film_weighs_each_window_by_its_energy(pair: Callable) -> None:
    sound = noise(4)
    sound[:, : 2 * RATE] *= 1e-3
    half_grey = picture(LEFT) // 2
    done = separate(Brightness(), open_source(*pair(half_grey, sound)))
    assert done.heat[:, 0] == pytest.approx(0.498, abs=0.01), "silent windows do not pull it down"


def test_a_method_that_sees_the_middle_square_alone(pair: Callable) -> None:
    """24 x 16 pixels: the square is the middle two thirds; its left quarter is the second sixth of the picture."""
    source = open_source(*pair(picture((slice(0, 16), slice(4, 8)), size=(16, 24)), noise(0.5)))
    method = Brightness(resize="crop")
    (found,) = separate(method, source).regions
    assert found.box == pytest.approx((1 / 6, 0, 1 / 3, 1))
    (given,) = separate(method, source, [(1 / 6, 0, 1 / 3, 1)]).regions
    assert given.energy_share == pytest.approx(1, abs=0.01)
    with pytest.raises(UserError, match="got one beside the middle square"):
        separate(method, source, [(0, 0, 0.1, 1)])


@settings(max_examples=40, deadline=None)
@given(st.integers(10, 90), st.integers(10, 90), st.lists(st.floats(0, 1), min_size=4, max_size=4))
def test_boxes_go_into_the_square_and_back(height: int, width: int, places: list[float]) -> None:
    inputs = Inputs(resize="crop")
    square = square_of((height, width), inputs)
    (x0, x1), (y0, y1) = sorted(places[:2]), sorted(places[2:])
    box = from_square((x0, y0, x1, y1), square)
    assert into_square(box, square) == pytest.approx((x0, y0, x1, y1), abs=1e-9)
    assert (square[2] - square[0]) * width == pytest.approx((square[3] - square[1]) * height)
    assert square_of((height, width), Inputs()) == (0, 0, 1, 1)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 20), st.integers(1, 20), st.lists(st.floats(0, 1), min_size=4, max_size=4, unique=True))
def test_cells_weigh_the_area_of_the_box(rows: int, columns: int, places: list[float]) -> None:
    (x0, x1), (y0, y1) = sorted(places[:2]), sorted(places[2:])
    if (x1 - x0) * (y1 - y0) < 1e-6:
        return
    cells = cells_of((x0, y0, x1, y1), (rows, columns))
    assert cells.shape == (rows, columns)
    assert 0 <= cells.min() <= cells.max() <= 1 + 1e-6
    assert cells.mean() == pytest.approx((x1 - x0) * (y1 - y0), rel=1e-3, abs=1e-6)


@pytest.mark.parametrize("text", ["", "0,0,1", "0,0,1,1,1", "a,b,c,d", "0.5,0,0.2,1", "0,0,640,480", "nan,0,1,1"])
def test_a_box_is_four_shares(text: str) -> None:
    with pytest.raises(UserError, match=r"--box: expected x0,y0,x1,y1 in 0\.\.1 .*divide pixels"):
        box_of(text)


# Files


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """`--weights` of any name gives the outsider's method."""
    monkeypatch.setattr(separation, "separator", lambda name, device: Brightness())


def read_pcm(path: Path) -> tuple[int, int, np.ndarray]:
    with wave.open(str(path)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float64) / 32768
        return file.getframerate(), file.getnchannels(), samples


@pytest.mark.usefixtures("loaded")
def test_files_of_a_run(pair: Callable, tmp_path: Path) -> None:
    sound = noise(2.3)
    image, path = pair(picture(LEFT, RIGHT), sound)
    out = tmp_path / "deep" / "out"
    done = run(image, path, out, weights="any", boxes=[(0, 0, 0.25, 1), (0.75, 0, 1, 1)])
    assert {file.name for file in out.iterdir()} == {
        "mixture.wav", "region1.wav", "region2.wav", "regions.json", "regions.png",
    }  # fmt: skip
    told = json.loads((out / "regions.json").read_text())
    assert told == json.loads(json.dumps(done.facts()))
    assert (told["sample_rate"], told["num_samples"]) == (RATE, sound.shape[1])
    _, _, mixture = read_pcm(out / "mixture.wav")
    for row, share in zip(told["regions"], (1.0, 0.5), strict=True):  # half of the right box is bright
        rate, channels, samples = read_pcm(out / row["file"])
        assert (rate, channels, len(samples)) == (RATE, 1, sound.shape[1])
        np.testing.assert_allclose(samples, share * mixture, atol=1e-3)
        assert row["energy_share"] == pytest.approx(share**2, abs=1e-3)
        assert row["level_dbfs"] == pytest.approx(20 * np.log10(np.sqrt(np.mean(samples**2))), abs=0.1)
    assert [row["number"] for row in told["regions"]] == [1, 2]
    assert told["regions"][1]["box"] == [0.75, 0, 1, 1]
    assert told["made_with"]["method"].endswith(":Brightness")
    assert read_image(out / "regions.png").shape[1] == WIDTH
    assert "100% of the energy" in done.text()


@pytest.mark.usefixtures("loaded")
def test_the_command_tells_what_it_wrote(pair: Callable, tmp_path: Path, command: Callable) -> None:
    image, sound = pair(picture(LEFT), noise(0.5))
    words = (image, sound, "--weights", "any", "--out", tmp_path / "out")
    done = command("separate", *words, "--box", "0,0,0.25,1", "--box", "0.5,0,1,1")
    assert done.code == 0, done.err
    assert done.out.splitlines()[0] == f"1  0.00,0.00,0.25,1.00  100% of the energy  {tmp_path / 'out/region1.wav'}"
    assert len(done.out.splitlines()) == 4
    told = json.loads(command("separate", *words, "--json").out)
    assert [row["found"] for row in told["regions"]] == [True]


def test_the_picture_shows_boxes_numbers_and_waves() -> None:
    grey = np.full((60, 90, 3), 100, np.uint8)
    quiet, loud = noise(1)[0] * 0.1, noise(1)[0]
    strips = [Strip("all", loud), Strip("one", quiet, (0.1, 0.1, 0.4, 0.9)), Strip("two", loud, (0.6, 0.2, 0.9, 0.8))]
    sheet = draw_regions(grey, np.zeros((4, 4), np.float32), (0, 0, 1, 1), strips, "title")
    height = sheet.shape[0] - BAR_HEIGHT - 3 * (BAR_HEIGHT + WAVE_HEIGHT)
    assert (height, sheet.shape[1]) == (600, WIDTH)
    tags = [tuple(sheet[round(y * height) + 4, round(x * WIDTH) + 4]) for x, y in ((0.1, 0.1), (0.6, 0.2))]
    assert tags == [Palette()[0], Palette()[1]]
    filled = []
    for number in range(3):
        top = height + BAR_HEIGHT + number * (BAR_HEIGHT + WAVE_HEIGHT) + BAR_HEIGHT
        strip = sheet[top : top + WAVE_HEIGHT]
        filled.append(int((strip != strip[0, 0]).any(axis=2).sum()))
    assert filled[0] == filled[2] > 4 * filled[1], "all on one scale"


def test_what_the_method_does_not_see_is_dark() -> None:
    white = np.full((40, 80, 3), 255, np.uint8)
    sheet = draw_regions(white, np.ones((2, 2), np.float32), (0.25, 0, 0.75, 1), [], "title")
    assert sheet[200, 50].max() < 110
    assert sheet[200, WIDTH // 2].min() > 150


# What a user can get wrong


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("bad")
    torch.manual_seed(0)
    small = {"image_backbone": "resnet10t", "image_size": 32}
    weights.save(build("ez_vsl", audio_backbone="resnet10t", **small), root / "other.safetensors")
    method = build("sound_of_pixels", width=2, levels=2, seconds=0.5, sample_rate=RATE, **small)
    weights.save(method, root / "fine.safetensors")
    write_image(root / "fine.png", picture(LEFT))
    write_wav(root / "fine.wav", noise(0.7), RATE)
    write_wav(root / "silent.wav", np.zeros((1, RATE), np.float32), RATE)
    make_film(root / "mute.mp4", num_frames=5)
    (root / "text.safetensors").write_text("hello")
    return root


FINE = "separate fine.png fine.wav --weights fine.safetensors"
CASES = {
    "a box in pixels": (f"{FINE} --box 10,20,300,200", "--box: expected x0,y0,x1,y1 in 0..1"),
    "a box turned round": (f"{FINE} --box 0.5,0,0.2,1", "with x0 < x1 and y0 < y1, got '0.5,0,0.2,1'; divide"),
    "no region": (f"{FINE} --most 0", "Invalid value for '--most'"),
    "no weights": ("separate fine.png fine.wav", "Missing option '--weights'"),
    "weights that are not there": ("separate fine.png fine.wav --weights gone.safetensors", "expected a weights file,"),
    "text as weights": ("separate fine.png fine.wav --weights text.safetensors", "expected a .safetensors file, got"),
    "another method": (
        "separate fine.png fine.wav --weights other.safetensors",
        "expected weights of a method that separates sounds (sound_of_pixels), got ez_vsl; train one with",
    ),
    "a picture alone": ("separate fine.png --weights fine.safetensors", "give one: soundspot separate PICTURE SOUND"),
    "a mute film": ("separate mute.mp4 --weights fine.safetensors", "expected a sound track, got none; give a sound"),
    "no sound there": ("separate fine.png gone.wav --weights fine.safetensors", "got no such file; check the path"),
    "silence": ("separate fine.png silent.wav --weights fine.safetensors", "expected something to hear, got silence"),
    "no device": (f"{FINE} --device gpu", "expected a --device of this machine, got 'gpu'"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_mistake_is_one_line(name: str, place: Path, command: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    typed, says = CASES[name]
    done = command(*typed.split())
    assert (done.code, done.out) == (2, "")
    told = [line for line in done.err.splitlines() if line.startswith("soundspot: ")]
    assert len(told) == 1, done.err
    assert says in told[0]
    assert "Traceback" not in done.err
    assert not (place / "out").exists()


def test_the_real_method_runs_from_weights(place: Path, tmp_path: Path) -> None:
    done = run(place / "fine.png", place / "fine.wav", tmp_path / "out", weights=place / "fine.safetensors", most=2)
    mixture = read_waveform(place / "fine.wav").samples[0]
    assert 1 <= len(done.files) <= 2
    for path in (*done.files, tmp_path / "out/mixture.wav"):
        rate, _, samples = read_pcm(path)
        assert (rate, len(samples)) == (RATE, len(mixture))
        assert np.square(samples).sum() <= 1.05 * np.square(mixture).sum(), "masks let through, they do not add"
    assert done.facts()["made_with"]["weights_sha256"] == weights.sha256(place / "fine.safetensors")
