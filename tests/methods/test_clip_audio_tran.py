"""CLIPAudioTran with a tiny CLIP and a random Wav2CLIP: what it is made of, and what it refuses."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from clip_files import save_clip
from soundspot import weights
from soundspot.methods import build
from soundspot.nets.relevance import relevance
from soundspot.predict import provenance
from soundspot.types import Batch, UserError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_clip(tmp_path_factory.mktemp("clip") / "tiny")


@pytest.fixture
def method(folder):
    torch.manual_seed(0)
    return build("clip_audio_tran", clip=str(folder), image_size=64).eval()


def test_the_map_is_the_relevance_for_wav2clips_vector(method, make_batch):
    batch = make_batch(size=2, image=(64, 96))
    with torch.no_grad():
        scores = method.localize(batch)
        heard = method.wav2clip(batch.audio)
    clip = method.clip(torch.device("cpu"))
    expected = relevance(*clip.attention(batch.image, F.normalize(heard), 1))
    assert scores.shape == (2, 4, 6)
    assert scores.dtype == torch.float32
    assert scores.min() >= 0
    assert scores.max() > scores.min()
    assert not scores.requires_grad
    torch.testing.assert_close(scores.flatten(1), expected)
    swapped = Batch(batch.image, batch.audio.flip(0), batch.clip_ids)
    with torch.no_grad():
        assert not torch.allclose(method.localize(swapped), scores, rtol=1e-3), "the map must depend on the sound"


def test_wav2clip_is_a_standardised_resnet_its_mean_and_two_layers(method, make_batch):
    net, audio = method.wav2clip.encoder.net, make_batch(size=2).audio * 3 - 5
    with torch.no_grad():
        flat = audio.flatten(1)
        level, spread = (each[:, None, None, None] for each in (flat.mean(dim=1), flat.std(dim=1)))
        pooled = net.forward_features((audio - level) / spread).mean(dim=(2, 3))
        first, second = method.wav2clip.transform[0], method.wav2clip.transform[3]
        torch.testing.assert_close(method.wav2clip(audio), second(first(pooled).relu()), rtol=1e-4, atol=1e-5)


def test_more_layers_make_another_map_and_come_from_the_last(folder, method, make_batch):
    batch = make_batch(size=1)
    deep = build("clip_audio_tran", clip=str(folder), image_size=64, layers=3).eval()
    deep.load_state_dict(method.state_dict())
    with torch.no_grad():
        found = deep.localize(batch)
        expected = relevance(*method.clip(torch.device("cpu")).attention(batch.image, method.query(batch), 3))
        torch.testing.assert_close(found.flatten(1), expected)
        assert not torch.allclose(found, method.localize(batch), rtol=1e-2)
    with pytest.raises(UserError, match=r"expected layers in 1\.\.3"):
        build("clip_audio_tran", clip=str(folder), layers=4).eval().localize(batch)


def test_silence_and_mixed_precision_give_numbers_and_no_gradients(method, make_batch):
    batch = make_batch(size=1)
    with torch.no_grad():
        exact = method.localize(batch)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rough = method.localize(batch)
        assert rough.dtype == torch.float32
        torch.testing.assert_close(rough, exact, rtol=0.2, atol=0.2 * float(exact.max()))
        batch.audio.fill_(-16.118)
        assert method.localize(batch).isfinite().all()
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in method.parameters())


def test_vectors_for_retrieval(method, make_batch):
    with torch.no_grad():
        pictures, sounds = method.embed(make_batch(size=3))
    assert pictures.shape == sounds.shape == (3, 512)
    torch.testing.assert_close(torch.cat([pictures, sounds]).norm(dim=1), torch.ones(6))


def test_a_weights_file_holds_what_hears_and_names_the_clip_that_sees(folder, method, make_batch, tmp_path):
    path = weights.save(method, tmp_path / "audio.safetensors")
    assert all(name.startswith("wav2clip.") for name in method.state_dict())
    state = torch.get_rng_state()
    loaded = weights.load(path)
    batch = make_batch(size=1)
    with torch.no_grad():
        torch.testing.assert_close(loaded.localize(batch), method.localize(batch), rtol=0, atol=0)
    assert torch.equal(torch.get_rng_state(), state), "loading CLIP must not move the generator"
    assert loaded.initial["audio"] == "random init"
    other = save_clip(tmp_path / "other", dim=512, layers=2)
    elsewhere = weights.load(path, options={"clip": str(other)})
    assert elsewhere.initial["clip"].startswith("other sha256:")
    assert elsewhere.initial["clip"] in provenance(elsewhere)["initial"]
    assert method.initial["clip"].startswith("tiny sha256:")


def test_by_default_nothing_is_fetched_before_it_is_needed():
    method = build("clip_audio_tran")
    assert method.initial == {"audio": "random init", "clip": "openai/clip-vit-base-patch32"}
    assert method.inputs.image_mean == (0.48145466, 0.4578275, 0.40821073)
    assert (method.inputs.sample_rate, method.inputs.spectrogram) == (16000, "stft_hop353")


def test_there_is_nothing_to_train(method, make_batch):
    assert not type(method).trains
    with pytest.raises(UserError, match="got one of frozen networks"):
        method.loss(make_batch())


def test_what_does_not_fit_is_refused(folder, method, make_batch, tmp_path):
    with pytest.raises(UserError, match="layers of at least 1, got 0"):
        build("clip_audio_tran", layers=0)
    with pytest.raises(UserError, match="multiples of CLIP's patch of 16, got 64 x 40"):
        method.localize(make_batch(size=1, image=(64, 40)))
    narrow = build("clip_audio_tran", clip=str(save_clip(tmp_path / "narrow", dim=8))).eval()
    with pytest.raises(UserError, match="expected a CLIP of 512 dimensions, as the query has, got 8; Wav2CLIP goes"):
        narrow.localize(make_batch(size=1))
    with pytest.raises(UserError, match="expected initial weights at"):
        build("clip_audio_tran", init_audio=str(tmp_path / "nowhere.pt"))
