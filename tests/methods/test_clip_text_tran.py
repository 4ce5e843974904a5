"""CLIPTextTran with a tiny CLIP: whose text it takes, and a tagger of the test's own."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from clip_files import save_clip
from soundspot.media.audio import SPECTROGRAMS
from soundspot.methods import build
from soundspot.nets.relevance import relevance
from soundspot.types import Batch, UserError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_clip(tmp_path_factory.mktemp("clip") / "tiny", dim=24)


@pytest.fixture
def make_method(folder):
    def make(**options):
        method = build("clip_text_tran", clip=str(folder), image_size=64, **options).eval()
        method.listen_with(Loud())
        return method

    return make


class Loud:
    """Names a sound by its first number: cat, dog or violin, and always Animal a little more."""

    class_names = ("dog", "cat", "violin", "Animal")

    def __call__(self, spectrogram):
        number = spectrogram[:, 0, 0, 0].long()
        return F.one_hot(number, 4) * 0.4 + torch.tensor([0.1, 0.05, 0.0, 0.6])


def labelled(make_batch, *labels):
    batch = make_batch(size=len(labels))
    batch.audio[:, 0, 0, 0] = 1  # sounds like a cat
    return Batch(batch.image, batch.audio, batch.clip_ids, labels=labels)


def test_the_map_is_the_relevance_for_the_text(make_method, make_batch):
    method = make_method(layers=2)
    batch = labelled(make_batch, ("dog",), ("violin",))
    clip = method.clip(torch.device("cpu"))
    with torch.no_grad():
        scores = method.localize(batch)
    expected = relevance(*clip.attention(batch.image, clip.embed_text(["dog", "violin"]), 2))
    assert scores.shape == (2, 4, 4)
    torch.testing.assert_close(scores.flatten(1), expected)
    other = method.localize(labelled(make_batch, ("cat",), ("violin",)))
    assert not torch.allclose(other[0], scores[0], rtol=1e-3)
    torch.testing.assert_close(other[1], scores[1])


def test_labels_go_into_the_template(make_method, make_batch):
    batch = labelled(make_batch, ("dog",), ("cat", "violin"))
    assert make_method().texts(batch) == [("dog",), ("cat", "violin")]
    method = make_method(template="a photo of a {}")
    assert method.texts(batch) == [("a photo of a dog",), ("a photo of a cat", "a photo of a violin")]
    vectors = method.clip(torch.device("cpu")).embed_text([f"a photo of a {name}" for name in ("dog", "cat", "violin")])
    with torch.no_grad():
        pictures, texts = method.embed(batch)
    torch.testing.assert_close(texts[0], vectors[0])
    torch.testing.assert_close(texts[1], F.normalize(vectors[1] + vectors[2], dim=0))
    torch.testing.assert_close(pictures.norm(dim=1), torch.ones(2))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [("dog",), ("cat",)]),
        ({"text": "tags"}, [("cat",), ("cat",)]),
        ({"text": "tags", "num_tags": 3}, [("cat", "Animal", "dog")] * 2),
        ({"num_tags": 9}, [("dog",), ("cat", "Animal", "dog", "violin")]),
    ],
)
def test_where_no_label_is_given_the_tagger_says_what_sounds(make_method, make_batch, options, expected):
    """A family's name counts half: Animal, at 0.6, comes after cat, at 0.45."""
    assert make_method(**options).texts(labelled(make_batch, ("dog",), ())) == expected


def test_a_batch_without_labels_is_one_where_no_clip_has_any(make_method, make_batch):
    method = make_method()
    unlabelled = labelled(make_batch, (), ())
    assert method.texts(Batch(unlabelled.image, unlabelled.audio, unlabelled.clip_ids)) == [("cat",)] * 2
    assert method.localize(unlabelled).isfinite().all()


def test_what_is_heard_is_told_too(make_method, make_batch):
    method = make_method()
    assert method.tag_names == Loud.class_names
    assert "Animal" in method.vague_tags
    assert method.hear(labelled(make_batch, ("dog",)))[0].argmax() == 3
    deaf = make_method(text="labels")
    assert deaf.tag_names == ()
    assert deaf.hear(labelled(make_batch, ("dog",))).shape == (1, 0)


def test_labels_only_means_that_clips_without_are_refused(make_method, make_batch):
    method = make_method(text="labels")
    assert method.texts(labelled(make_batch, ("dog",))) == [("dog",)]
    with pytest.raises(UserError, match="clip 1: expected labels for text=labels, got none; set text=labels_or_tags"):
        method.localize(labelled(make_batch, ("dog",), ()))


def test_neither_clip_nor_tagger_is_part_of_the_weights(folder, make_batch):
    method = build("clip_text_tran", clip=str(folder), image_size=64)
    method.listen_with(torch.nn.Identity())
    method.clip(torch.device("cpu"))
    assert method.state_dict() == {}
    assert method.needs == {"labels"}


def test_by_default_yamnet_listens(encoders, folder):
    method = build("clip_text_tran", clip=str(folder), image_size=64).eval()
    assert "Violin, fiddle" in method.tag_names
    sound = torch.zeros(1, 32000)
    batch = Batch(torch.zeros(1, 3, 64, 64), SPECTROGRAMS[method.inputs.spectrogram](sound, 16000), ("a",))
    assert method.texts(batch) == [("Silence",)]
    with torch.no_grad():
        assert method.localize(batch).isfinite().all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"template": "a photo"}, r"expected a template with one \{\}, got 'a photo'"),
        ({"template": "{} and {}"}, r"expected a template with one \{\}"),
        ({"text": "label"}, "unknown text 'label'.*did you mean 'labels'"),
        ({"num_tags": 0}, "num_tags of at least 1, got 0"),
        ({"layers": 0}, "layers of at least 1, got 0"),
    ],
)
def test_wrong_options_say_what_was_expected(options, message):
    with pytest.raises(UserError, match=message):
        build("clip_text_tran", **options)
