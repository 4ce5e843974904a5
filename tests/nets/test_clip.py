"""CLIP by its published network's numbers, from a folder, at other sizes; and how it is refused."""

from __future__ import annotations

import importlib
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from clip_files import save_clip
from soundspot.nets.clip import CLIP, identity
from soundspot.nets.relevance import relevance
from soundspot.tensors import read_safetensors, write_safetensors
from soundspot.types import UserError


def near(got: torch.Tensor, expected: np.ndarray, *, atol: float = 0.0, share: float = 0.0) -> None:
    """Equal to within `atol` and `share` of the largest value."""
    np.testing.assert_allclose(got.detach().numpy(), expected, rtol=0, atol=atol + share * np.abs(expected).max())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_clip(tmp_path_factory.mktemp("clip") / "tiny")


@pytest.fixture(scope="module")
def clip(folder: Path) -> CLIP:
    return CLIP.load(str(folder))


def published_clip(arrays) -> CLIP:
    """The fixture's transformer, by transformers' names."""
    from transformers import CLIPConfig, CLIPModel

    tower = {"hidden_size": 16, "intermediate_size": 64, "num_attention_heads": int(arrays["par_heads"])}
    vision = {"num_hidden_layers": 12, "image_size": 80, "patch_size": int(arrays["par_patch"])}
    config = CLIPConfig(
        text_config={**tower, "vocab_size": 4, "num_hidden_layers": 1},
        vision_config={**tower, **vision, "projection_dim": 12},
        projection_dim=12,
    )
    model = CLIPModel._from_config(config, attn_implementation="eager")
    model.logit_scale.data.fill_(float(arrays["par_logit_scale"]))
    state = {}
    for key in (key for key in arrays if key.startswith("par_w_")):
        name, value = key.removeprefix("par_w_").replace("__", "."), torch.tensor(arrays[key])
        if name == "proj":
            model.visual_projection.weight.data.copy_(value.T)
            continue
        name = re.sub(r"^transformer\.resblocks\.(\d+)\.", r"encoder.layers.\1.", name)
        for old, new in (
            ("mlp.c_fc", "mlp.fc1"),
            ("mlp.c_proj", "mlp.fc2"),
            ("attn.out_proj", "self_attn.out_proj"),
            (".ln_1", ".layer_norm1"),
            (".ln_2", ".layer_norm2"),
            ("ln_pre", "pre_layrnorm"),
            ("ln_post", "post_layernorm"),
            ("conv1.", "embeddings.patch_embedding."),
            ("class_embedding", "embeddings.class_embedding"),
            ("positional_embedding", "embeddings.position_embedding.weight"),
        ):
            name = name.replace(old, new)
        if joined := re.match(r"(.*)\.attn\.in_proj_(weight|bias)$", name):
            parts = zip("qkv", value.chunk(3), strict=True)
            state |= {f"{joined[1]}.self_attn.{each}_proj.{joined[2]}": part for each, part in parts}
        else:
            state[name] = value
    model.vision_model.load_state_dict(state)
    return CLIP(model, None)


@pytest.mark.parametrize(("layers", "name"), [(1, "last_layer"), (4, "from_layer8"), (12, "all_layers")])
def test_relevance_from_the_published_networks_weights(golden, layers, name):
    arrays = golden("tmm_relevance__a")
    clip = published_clip(arrays)
    image, query = torch.tensor(arrays["in_image"]), torch.tensor(arrays["in_query"])
    with torch.no_grad():
        seen = clip.embed_image(image)
        attention, gradients = clip.attention(image, F.normalize(query), layers)
    embedding = torch.tensor(arrays["out_embedding"])
    near(seen, F.normalize(embedding).numpy(), atol=1e-4)
    assert len(attention) == len(gradients) == layers
    near(torch.cat(attention), arrays["in_attn"][12 - layers :], share=1e-3)
    near(torch.cat(gradients), arrays["in_attn_grad"][12 - layers :], share=1e-3)
    found = relevance(attention, gradients)
    near(found[0], arrays[f"out_relevance_{name}"], share=1e-3)
    if layers == 1:
        shown = F.interpolate(found.reshape(1, 1, 5, 5), size=(224, 224), mode="bilinear")[0, 0]
        shown = (shown - shown.min()) / (shown.max() - shown.min())
        at = torch.tensor(arrays["par_probe_rows_cols"])
        near(shown[at][:, at], arrays["out_map224"], atol=1e-4)
        near(shown.mean(), arrays["out_map224_mean"], atol=1e-4)


def test_a_folder_gives_pictures_and_texts_in_one_space(folder, clip):
    assert (clip.dim, clip.num_layers, clip.patch) == (512, 3, 16)
    assert identity(str(folder)).startswith("tiny sha256:")
    texts = clip.embed_text(["dog", "a photo of a dog", "cat", "dog"])
    pictures = clip.embed_image(torch.randn(2, 3, 64, 64))
    assert texts.shape == (4, 512)
    torch.testing.assert_close(torch.cat([texts, pictures]).norm(dim=1), torch.ones(6))
    torch.testing.assert_close(texts[0], texts[3])
    torch.testing.assert_close(texts[:1], clip.embed_text(["dog"]))  # whatever it was padded beside
    assert not torch.allclose(texts[0], texts[2], atol=1e-2)
    assert clip.embed_text(["dog " * 40]).isfinite().all()


def layers_of(clip: CLIP) -> list[torch.nn.Module]:
    return [module for layer in clip.model.vision_model.encoder.layers for module in (layer, layer.self_attn)]


def test_it_stays_frozen_and_in_evaluation_mode(clip):
    clip.train()
    assert not any(module.training for module in clip.modules())
    clip.attention(torch.randn(1, 3, 64, 64), torch.randn(1, 512), 2)
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in clip.parameters())
    assert not any(module._forward_pre_hooks or module._forward_hooks for module in layers_of(clip))


@pytest.mark.parametrize("size", [(64, 64), (32, 32), (96, 48), (128, 64)])
def test_any_size_of_patches_with_positions_stretched_to_it(clip, size):
    """Against a CLIP whose table of positions is stretched here, and which is told that this is its own size."""
    from transformers import CLIPModel

    rows, columns = size[0] // 16, size[1] // 16
    image, query = torch.randn(2, 3, *size), F.normalize(torch.randn(2, 512))
    attention, gradients = clip.attention(image, query, 3)
    assert clip.grid(image) == (rows, columns)
    assert attention[0].shape == (2, 2, 1 + rows * columns, 1 + rows * columns)

    table = clip.model.vision_model.embeddings.position_embedding.weight
    cells = table[1:].T.reshape(1, 16, 4, 4)
    cells = F.interpolate(cells, size=(rows, columns), mode="bicubic")[0].flatten(1).T
    other = CLIPModel._from_config(clip.model.config, attn_implementation="eager")
    other.load_state_dict(clip.model.state_dict())
    embeddings = other.vision_model.embeddings
    stretched = torch.cat([table[:1], cells])
    embeddings.position_embedding = torch.nn.Embedding.from_pretrained(stretched)
    embeddings.position_ids = torch.arange(len(stretched))[None]
    embeddings.forward = lambda pixels, **_: (
        torch.cat(
            [
                embeddings.class_embedding.expand(len(pixels), 1, -1),
                embeddings.patch_embedding(pixels).flatten(2).transpose(1, 2),
            ],
            dim=1,
        )
        + stretched
    )
    found = CLIP(other, None).attention(image, query, 3)
    for got, expected in zip([*attention, *gradients], [*found[0], *found[1]], strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-3, atol=1e-5)


def test_gradients_are_those_of_the_logit(clip):
    """A step along the gradient of a layer's attention changes the logit as it says."""
    image, query = torch.randn(1, 3, 64, 64), F.normalize(torch.randn(1, 512))
    attention, gradients = clip.attention(image, query, 1)
    layer = clip.model.vision_model.encoder.layers[-1].self_attn
    step = torch.randn_like(attention[0]) * 1e-3

    def logit(change):
        def replaced(module, args, kwargs, output):
            hidden = kwargs["hidden_states"] if "hidden_states" in kwargs else args[0]
            values = module.v_proj(hidden).view(1, -1, 2, 8).transpose(1, 2)
            mixed = ((attention[0] + change) @ values).transpose(1, 2).reshape(hidden.shape)
            return module.out_proj(mixed), output[1]

        hook = layer.register_forward_hook(replaced, with_kwargs=True)
        try:
            return clip.model.logit_scale.exp() * (clip.embed_image(image) * query).sum()
        finally:
            hook.remove()

    with torch.no_grad():
        change = (logit(step) - logit(-step)) / 2
    assert change.item() == pytest.approx((gradients[0] * step).sum().item(), rel=0.02)


def test_sizes_layers_and_queries_that_do_not_fit(clip):
    query = torch.randn(1, 512)
    with pytest.raises(UserError, match="multiples of CLIP's patch of 16, got 64 x 70; set image_size"):
        clip.attention(torch.randn(1, 3, 64, 70), query, 1)
    for layers in (0, 4):
        with pytest.raises(UserError, match=rf"expected layers in 1\.\.3, .* got {layers}"):
            clip.attention(torch.randn(1, 3, 64, 64), query, layers)
    with pytest.raises(UserError, match="expected a CLIP of 100 dimensions, as the query has, got 512"):
        clip.attention(torch.randn(1, 3, 64, 64), torch.randn(1, 100), 1)


def one_line(error) -> str:
    text = str(error.value)
    assert "\n" not in text
    return text


def test_a_hub_that_is_not_reached_is_said_in_one_line(monkeypatch):
    constants = importlib.import_module("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(UserError) as error:
        CLIP.load("nobody/has-such-a-clip@main")
    text = one_line(error)
    assert text.startswith("nobody/has-such-a-clip@main: expected CLIP in a folder of transformers")
    assert text.endswith("give clip=FOLDER")


def test_what_is_no_whole_clip_is_refused(folder, tmp_path):
    with pytest.raises(UserError, match=r"nowhere: expected CLIP in a folder") as error:
        CLIP.load(str(tmp_path / "nowhere"))
    one_line(error)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"empty: expected CLIP in a folder") as error:
        CLIP.load(str(tmp_path / "empty"))
    one_line(error)
    other = tmp_path / "other"
    other.mkdir()
    (other / "config.json").write_text(json.dumps({"model_type": "vit"}))
    with pytest.raises(UserError, match="expected a model of type clip, got vit"):
        CLIP.load(str(other))
    torn = save_clip(tmp_path / "torn")
    tensors, header = read_safetensors(torn / "model.safetensors")
    tensors.pop("visual_projection.weight")
    write_safetensors(torn / "model.safetensors", tensors, header)
    with pytest.raises(UserError, match=r"got 1 lacking or of another shape, such as visual_projection\.weight"):
        CLIP.load(str(torn))


def test_without_transformers_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(UserError, match=r"pip install 'soundspot\[clip\]'"):
        CLIP.load("openai/clip-vit-base-patch32")


def test_a_name_that_is_no_folder_is_its_own_identity():
    assert identity("openai/clip-vit-base-patch32@abc") == "openai/clip-vit-base-patch32@abc"


def test_a_pickle_in_the_place_of_safetensors_is_refused(clip: CLIP, tmp_path: Path) -> None:
    clip.model.config.save_pretrained(tmp_path)
    torch.save(clip.model.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(UserError, match=r"expected CLIP in a folder of transformers, .* got: .*model\.safetensors"):
        CLIP.load(str(tmp_path))
