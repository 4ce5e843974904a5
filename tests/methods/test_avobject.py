"""AVObject by hand: shifts, single pictures, kept features, peaks and tracks."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from soundspot.methods.avobject import AVObject, OverTime, Peak, best_places, peaks, shift_logits, tracks
from soundspot.types import UserError

SMALL = {"image_backbone": "resnet10t", "audio_backbone": "resnet10t", "dim": 8}


def with_frames(batch, count):
    draw = torch.Generator().manual_seed(3)
    frames = torch.randn(len(batch), count, *batch.image.shape[1:], generator=draw)
    return replace(batch, extra={"frames": frames})


def test_shifts_by_hand():
    best = torch.arange(9.0).view(1, 3, 3)  # frame t against the sound of moment u: 3 t + u
    logits = shift_logits(best, max_shift=15)
    # in place 0, 4, 8; the sound one later 1, 5; one earlier 3, 7; half of three frames is one: no further
    torch.testing.assert_close(logits, torch.tensor([[4.0, 3.0, 5.0]]))
    assert shift_logits(torch.zeros(2, 9, 9), max_shift=2).shape == (2, 5)


def test_the_best_place_of_a_frame_for_each_moment():
    cells = torch.tensor([[1.0, 0.0], [0.0, 1.0]]).T.reshape(1, 1, 2, 1, 2)  # one frame, two places
    sounds = torch.tensor([[[0.6, 0.8], [1.0, 0.0], [-1.0, 0.0]]])
    torch.testing.assert_close(best_places(cells, sounds), torch.tensor([[[0.8, 1.0, 0.0]]]))


def test_a_film_and_sound_in_step_lose_less_than_out_of_step(make_batch, monkeypatch):
    method = AVObject(**SMALL)
    one_hot = torch.eye(8).view(1, 8, 8)
    cells = one_hot[..., None, None].expand(1, 8, 8, 2, 2)
    losses = []
    for moved in (0, 1):
        monkeypatch.setattr(method, "encode", lambda batch, moved=moved: (cells, one_hot.roll(moved, dims=1)))
        losses.append(method.loss(make_batch(size=1))["shift"].item())
    assert losses[0] == pytest.approx(0.0, abs=1e-4)
    assert losses[1] > 10


def test_time_is_seen_by_neighbouring_frames_alone_and_ends_repeat():
    over_time = OverTime(1, 1, 3)
    with torch.no_grad():
        over_time.conv.weight.copy_(torch.tensor([1.0, 10.0, 100.0]).view(1, 1, 3, 1, 1))
        over_time.conv.bias.zero_()
        film = over_time(torch.tensor([1.0, 2.0, 3.0]).view(1, 3, 1, 1, 1)).flatten()
        still = over_time(torch.tensor([2.0]).view(1, 1, 1, 1, 1)).flatten()
    assert film.tolist() == [211.0, 321.0, 332.0]
    assert still.tolist() == [222.0]


def test_a_picture_is_a_film_that_stands_still(make_batch):
    torch.manual_seed(0)
    method = AVObject(**SMALL).eval()
    batch = make_batch(size=2)
    still = replace(batch, extra={"frames": batch.image[:, None].expand(-1, 5, -1, -1, -1)})
    with torch.no_grad():
        alone = method.encode(batch)[0]
        cells = method.encode(still)[0]
        film = method.maps(still)
        torch.testing.assert_close(method.localize(still), film[:, 2])
    assert alone.shape == (2, 1, 8, 4, 4)
    assert film.shape == (2, 5, 4, 4)
    torch.testing.assert_close(cells, alone.expand_as(cells))


def test_num_frames_says_what_the_loader_brings(make_batch):
    assert AVObject(**SMALL, num_frames=6).inputs.views == ("frames",)
    assert AVObject(**SMALL, num_frames=6).inputs.num_frames == 6
    assert AVObject(**SMALL).needs == {"frames"}
    still = AVObject(**SMALL, num_frames=1)
    assert (still.inputs.views, still.needs) == ((), frozenset())
    with pytest.raises(UserError, match="two or more frames, got one"):
        still.loss(make_batch())


def test_sound_keeps_its_time_and_every_frame_has_its_own(make_batch):
    fine, coarse = (AVObject(**SMALL, audio_stride=stride) for stride in (8, 32))
    sound = make_batch(size=1, audio=(64, 96)).audio
    assert fine.audio(sound).shape[-1] == 12
    assert coarse.audio(sound).shape[-1] == 3
    assert fine.encode(with_frames(make_batch(size=2), 4))[1].shape == (2, 4, 8)


def test_kept_features_give_the_same_loss(make_batch):
    torch.manual_seed(0)
    method = AVObject(**SMALL, trainable="last_block").eval()
    batch = with_frames(make_batch(size=2), 4)
    with torch.no_grad():
        kept = method.frozen(batch)
        assert set(kept) == {"frame_features", "audio"}
        assert kept["frame_features"].shape[:2] == (2, 4)
        empty = replace(batch, image=torch.empty(2, 3, 0, 0), audio=torch.empty(2, 1, 0, 0), extra=kept)
        torch.testing.assert_close(method.loss(empty), method.loss(batch))
    assert AVObject(**SMALL).frozen(batch) == {}


def test_the_loss_reaches_every_part(make_batch):
    torch.manual_seed(0)
    method = AVObject(**SMALL)
    (loss,) = method.loss(with_frames(make_batch(size=2), 4)).values()
    loss.backward()
    assert all(value.grad is not None and value.grad.any() for value in method.parameters())


def test_wrong_options_say_what_to_do():
    for wrong in ({"num_frames": 0}, {"max_shift": 0}, {"time_width": 4}):
        with pytest.raises(UserError, match="an odd time_width, got"):
            AVObject(**SMALL, **wrong)


def test_peaks_are_the_highest_cells_and_silence_those_around():
    scores = torch.zeros(6, 6)
    scores[1, 1], scores[1, 2], scores[4, 5] = 0.9, 0.8, 0.5
    assert peaks(scores, radius=1, least=0.1) == [Peak(1, 1, pytest.approx(0.9)), Peak(4, 5, pytest.approx(0.5))]
    assert [peak.score for peak in peaks(scores, radius=0, least=0.1)] == pytest.approx([0.9, 0.8, 0.5])
    assert len(peaks(scores, radius=1, most=1)) == 1
    assert peaks(scores, least=1.0) == []


def film_of(*places):
    """(T, 8, 8): in each frame the given cells (row, column, score)."""
    maps = torch.zeros(len(places), 8, 8)
    for frame, cells in zip(maps, places, strict=True):
        for row, column, score in cells:
            frame[row, column] = score
    return maps


def test_tracks_follow_what_moves_and_end_where_it_ends():
    maps = film_of(
        [(0, 0, 0.9), (7, 7, 0.6)],
        [(1, 1, 0.9), (7, 6, 0.6)],
        [(2, 2, 0.9)],
        [(3, 2, 0.9), (7, 0, 0.7)],
    )
    found = tracks(maps, radius=1, least=0.5)
    assert [(track.first, [(peak.row, peak.column) for peak in track.peaks]) for track in found] == [
        (0, [(0, 0), (1, 1), (2, 2), (3, 2)]),
        (3, [(7, 0)]),
        (0, [(7, 7), (7, 6)]),
    ]
    assert found[0].score == pytest.approx(0.9)
    assert [len(track.peaks) for track in tracks(maps, radius=1, least=0.5, shortest=3)] == [4]


def test_a_jump_beyond_reach_starts_a_new_track_and_the_nearest_pair_goes_first():
    jump = tracks(film_of([(0, 0, 0.9)], [(0, 4, 0.9)]), radius=0, least=0.5, reach=2.0)
    assert [track.first for track in jump] == [0, 1]
    crowd = tracks(film_of([(0, 0, 0.9), (0, 3, 0.8)], [(0, 2, 0.7)]), radius=0, least=0.5, reach=4.0)
    assert [[peak.column for peak in track.peaks] for track in crowd] == [[0], [3, 2]]
