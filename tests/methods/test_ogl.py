"""The object prior, and its fusion with maps that hear, against numbers of the published codes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from soundspot.methods.fusion import fuse, fuse_maps
from soundspot.methods.ogl import OGL, SCORES
from soundspot.predictions import Predictions
from soundspot.types import UserError

TAU_RANGE = (-1 / 0.03, 1 / 0.03)


def large(scores, mode):
    return F.interpolate(torch.tensor(scores)[None, None], (224, 224), mode=mode, align_corners=True)[0, 0].numpy()


def published_map(fused, form, probes):
    """As the protocol of the paper shows a fused map, at the fixture's probes."""
    shown = large(fused, "bilinear" if form == "ezvsl" else "bicubic") if fused.shape != (224, 224) else fused
    if form == "ezvsl":
        shown = (shown - shown.min()) / (shown.max() - shown.min())
    return shown[np.ix_(probes, probes)], shown


@pytest.mark.parametrize("native", [True, False], ids=["one shape", "two shapes"])
@pytest.mark.parametrize(
    ("form", "alpha", "key"),
    [
        ("ezvsl", 0.4, "ez_fused_a0.4"),
        ("ezvsl", 0.7, "ez_fused_a0.7"),
        ("slavc", 0.4, "slavc_fused_a0.4"),
        ("slavc", 0.9, "slavc_fused_a0.9"),
    ],
)
def test_fused_maps_of_the_published_codes(golden, form, alpha, key, native):
    arrays = golden("ogl__a")
    probes = arrays["par_probe_rows_cols"]
    objects = SCORES["norm"](None, torch.tensor(arrays["in_feat"])).numpy()
    np.testing.assert_allclose(objects, arrays["out_obj_map"], atol=1e-5)
    for number in range(len(objects)):
        scores = arrays["in_map"][number]
        if form == "slavc":
            scores = scores / arrays["par_tau"]
        av = scores if native else large(scores, "bilinear" if form == "ezvsl" else "bicubic")
        ranges = (TAU_RANGE, tuple(map(float, arrays["par_obj_range"])))
        fused = fuse_maps(av, objects[number], form=form, alpha=alpha, ranges=ranges)
        assert fused.shape == ((7, 7) if native else (224, 224))
        at_probes, whole = published_map(fused, form, probes)
        np.testing.assert_allclose(at_probes, arrays[f"out_{key}"][number], atol=1e-5)
        if form == "slavc":
            confidence = np.sort(whole.ravel())[-whole.size // 4 :].mean()
            assert confidence == pytest.approx(float(arrays[f"out_slavc_conf_fused_a{alpha}"][number]), abs=1e-5)


def predictions(seed, provenance=None, names=("a", "b"), missing=None):
    draw = np.random.default_rng(seed)
    maps = {name: draw.random((7, 7), dtype=np.float32) for name in names}
    return Predictions(maps=maps, missing=missing or {}, provenance=provenance or {})


def test_fuse_takes_the_ranges_from_the_provenance_and_tells_where_it_comes_from():
    av = predictions(0, {"method": "slavc", "score_low": "-1.0", "score_high": "1.0"})
    obj = predictions(1, {"method": "ogl", "score_low": "0.0", "score_high": "2.5"})
    fused = fuse(av, obj, form="slavc", alpha=0.5)
    np.testing.assert_allclose(fused.maps["a"], (av.maps["a"] + 1) / 4 + obj.maps["a"] / 5, atol=1e-6)
    assert fused.provenance["method"] == "fuse:slavc"
    assert '"ogl"' in fused.provenance["obj"]
    with pytest.raises(UserError, match="score_low"):
        fuse(av, predictions(1), form="slavc")


def test_a_clip_missing_from_one_is_missing_from_the_fusion():
    fused = fuse(predictions(0), predictions(1, names=("a",), missing={"b": "unreadable"}))
    assert set(fused.maps) == {"a"}
    assert fused.missing == {"b": "unreadable"}


def test_fusing_other_clips_or_unknown_forms_is_an_error():
    with pytest.raises(UserError, match="'b'"):
        fuse(predictions(0), predictions(1, names=("a",)))
    with pytest.raises(UserError, match="did you mean 'ezvsl'"):
        fuse(predictions(0), predictions(1), form="ez_vsl")
    with pytest.raises(UserError, match=r"alpha in 0\.\.1"):
        fuse(predictions(0), predictions(1), alpha=1.5)
    with pytest.raises(UserError, match="can't be fused"):
        fuse_maps(np.zeros((2, 7, 7), np.float32), np.zeros((7, 7), np.float32), form="ezvsl", alpha=0.4)


def test_a_constant_map_stays_as_it_is():
    flat = np.full((7, 7), 0.25, np.float32)
    np.testing.assert_allclose(fuse_maps(flat, flat, form="ezvsl", alpha=0.4), flat)


def test_the_prior_does_not_hear(make_batch):
    method = OGL(image_backbone="resnet10t").eval()
    batch = make_batch()
    first = method.localize(batch)
    batch.audio = batch.audio.roll(1, dims=0)
    torch.testing.assert_close(method.localize(batch), first, rtol=0, atol=0)
    assert not method.hears
    assert method.score_range == (0.0, 2.5)


def test_class_form_applies_the_classifier_to_every_cell(make_batch):
    method = OGL(image_backbone="resnet10t", form="class", num_classes=5).eval()
    batch = make_batch()
    features = method.image(batch.image)
    cell = method.image.net.fc(features[1, :, 0, 1]).max()
    torch.testing.assert_close(method.localize(batch)[1, 0, 1], cell)
    with pytest.raises(UserError, match="classifier"):
        OGL(image_backbone="mobilenetv3_small_050", form="class")


def test_there_is_nothing_to_train_and_no_sound_vector(make_batch):
    method = OGL(image_backbone="resnet10t")
    assert not [parameter for parameter in method.parameters() if parameter.requires_grad]
    with pytest.raises(UserError, match="can be trained"):
        method.loss(make_batch())
    with pytest.raises(UserError, match="no sound vectors"):
        method.embed(make_batch())
