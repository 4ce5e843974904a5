"""Bring published checkpoints in: a PyTorch file of the authors becomes a weights file of soundspot."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from soundspot.lookup import find
from soundspot.tensors import BACKBONE, flat_state, read_published, sha256, without_prefixes, write_safetensors
from soundspot.types import UserError
from soundspot.weights import save

if TYPE_CHECKING:
    from torch import Tensor

    from soundspot.methods.base import Option


@dataclass(frozen=True)
class Layout:
    """How a published code names its tensors."""

    source: str
    licence: str
    rename: Callable[[str], str]
    """Their name -> ours."""
    dead: str = r"(?!)"
    """Pattern of tensors that their network holds but never uses."""
    may_lack: str = r"(?!)"
    """Pattern of our tensors that their file may be without, as only training uses them: they stay as built."""
    options: Mapping[str, int | str] = field(default_factory=dict)
    """What the method must be told to read its input as their network did, unless `convert` is told otherwise."""


@dataclass(frozen=True)
class Conversion:
    """What came of a published file."""

    path: Path
    tensors: int
    dead: tuple[str, ...]
    """Names left out, because the published network never uses them."""
    source_sha256: str


def _one_branch(name: str) -> str:
    name = re.sub(r"^imgnet\.", "image.net.", name)
    name = re.sub(r"^audnet\.", "audio.net.", name)
    name = re.sub(r"^img_proj\.", "image_head.", name)
    return re.sub(r"^aud_proj\.", "audio_head.", name)


def _two_branches(name: str) -> str:
    branch = "teacher." if name.startswith("momentum_") else "online."
    name = _one_branch(name.removeprefix("momentum_"))
    for number, space in (("1", "avc"), ("2", "loc")):
        name = re.sub(rf"^img_proj{number}\.", f"image_heads.{space}.", name)
        name = re.sub(rf"^aud_proj{number}\.", f"audio_heads.{space}.", name)
    return branch + name


def _lvs(name: str) -> str:
    return _one_branch(re.sub(r"^audnet\.conv1_a\.", "audnet.conv1.", name))


def _ssl_align(name: str) -> str:
    return re.sub(r"^(image|audio)_head\.", r"\1_projection.", _lvs(name))


def _rcgrad(name: str) -> str:
    name = re.sub(r"^image_encoder\.", "image.net.", name)
    name = re.sub(r"^audio_encoder\.", "audio.net.", name)
    return re.sub(r"^loss_fn\.logit_scale$", "log_scale", name)


def _wav2clip(name: str) -> str:
    name = re.sub(r"^audio_encoder\.", "wav2clip.encoder.net.", name)
    return re.sub(r"^audio_transform\.sequential\.", "wav2clip.transform.", name)


def _hear_the_flow(name: str) -> str:
    name = _one_branch(name.removeprefix("model."))
    name = re.sub(r"^flownet\.", "flow.net.", name)
    return re.sub(r"^flowatt\.(query|key|value)_conv\.", r"attention.\1.", name)


def _dmc(name: str) -> str:
    name = _lvs(re.sub(r"^visual_net\.", "imgnet.", re.sub(r"^audio_net\.", "audnet.", name)))
    return re.sub(r"^fc_([va])_1\.", lambda found: {"v": "image_head.", "a": "audio_head."}[found[1]], name)


def _coarse_to_fine(name: str) -> str:
    name = _lvs(re.sub(r"^vision\.", "imgnet.", re.sub(r"^audio\.", "audnet.", name)))
    name = re.sub(r"^avc\.", "match_head.", name)
    for theirs, ours in (("class_a", "sound_classes"), ("class_v", "image_classes")):
        name = re.sub(rf"^{theirs}\.", f"{ours}.", name)
    for theirs, ours in (("project_a", "sound_head"), ("project_v", "image_head")):
        name = re.sub(rf"^{theirs}\.", f"{ours}.", name)
    return name


_LICENCE = "of the weights: not stated by the authors; of the code they come with: Apache-2.0"
_MIT = "of the weights: not stated by the authors; of the code they come with: MIT"
_NONE = "of the weights and of the code they come with: none stated by the authors"
LAYOUTS = {
    "ez_vsl": Layout("stoneMo/EZ-VSL", _LICENCE, _one_branch),
    "slavc": Layout("stoneMo/SLAVC", _LICENCE, _two_branches),
    "lvs": Layout(
        "hche11/Localizing-Visual-Sounds-the-Hard-Way",
        _LICENCE,
        _lvs,
        dead=r"(imgnet|audnet)\.(fc|conv1_flow)\.|imgnet\.conv1_a\.|audnet\.conv1\.",
    ),
    "clip_audio_tran": Layout(
        "descriptinc/lyrebird-wav2clip",
        _MIT,
        _wav2clip,
        dead=r"audio_encoder\.(fc|spectrogram)\.|image_transform\.|loss_fn",
    ),
    "rcgrad": Layout(
        "hohsiangwu/rethinking-visual-sound-localization",
        _MIT,
        _rcgrad,
        dead=r"image_encoder\.(fc|conv1_a|conv1_flow)\.|audio_encoder\.spectrogram\.",
        may_lack="log_scale$",
    ),
    "dmc": Layout(
        "DTaoo/Simplified_DMC",
        _MIT,
        _dmc,
        dead=r"(visual|audio)_net\.fc\.|visual_net\.conv1_a\.|audio_net\.conv1\.|fc_[va]_2\.|fc_av\.",
    ),
    "coarse_to_fine": Layout(
        "shvdiwnkozbw/Multi-Source-Sound-Localization, folder new",
        _NONE,
        _coarse_to_fine,
        dead=r"(vision|audio)\.fc\.|vision\.conv1_a\.|audio\.conv1\.",
        options={"audio_stride": 16},
    ),
    "fnac": Layout("OpenNLPLab/FNAC_AVL", _NONE, _one_branch),
    "margin_nce": Layout("weights of MarginNCE that kaistmm/SSLalignment reads", _NONE, _one_branch),
    "ssl_tie": Layout(
        "jinxiang-liu/SSL-TIE",
        _MIT,
        _lvs,
        dead=r"(imgnet|audnet)\.(fc|conv1_flow)\.|imgnet\.conv1_a\.|audnet\.conv1\.|(vision_fc1|conv3|norm3)\.",
    ),
    "hear_the_flow": Layout("denfed/heartheflow", _MIT, _hear_the_flow, options={"flow": "bytes"}),
    "ssl_align": Layout(
        "kaistmm/ssl_kccv (training code of SSLalign)",
        _NONE,
        _ssl_align,
        dead=r"(imgnet|audnet)\.(fc|conv1_flow)\.|imgnet\.conv1_a\.|audnet\.conv1\.|(vision_fc1|conv3|norm3)\.",
    ),
}
"""Published layouts, by the method that reads them."""


def convert(path: Path | str, method: str, out: Path | str, **options: Option) -> Conversion:
    """Write the authors' checkpoint `path` as weights of `method` (a key of LAYOUTS, or "backbone").

    The file is opened without running code from it. Every tensor must find its place or be known as dead, and
    every tensor of the method must be there: UserError otherwise. "backbone" takes any flat state dict (torchvision's
    .pth files) and keeps its names; the result goes into the options init_image and init_audio.
    """
    path, out = Path(path), Path(out)
    if method == BACKBONE:
        return _backbone(path, out)
    layout = find(LAYOUTS, method, "published layout")
    options = {**layout.options, **options}
    state = without_prefixes(flat_state(read_published(path), path))
    dead = tuple(sorted(name for name in state if re.match(layout.dead, name)))
    tensors = {layout.rename(name): value for name, value in state.items() if name not in dead}
    digest = sha256(path)
    _write(path, method, tensors, out, options, _header(layout.source, layout.licence, path, digest), layout.may_lack)
    return Conversion(out, len(tensors), dead, digest)


def _backbone(path: Path, out: Path) -> Conversion:
    tensors = without_prefixes(flat_state(read_published(path), path))
    digest = sha256(path)
    write_safetensors(out, tensors, _header("not stated", "not stated", path, digest))
    return Conversion(out, len(tensors), (), digest)


def _header(source: str, licence: str, path: Path, digest: str) -> dict[str, str]:
    return {"source": f"{source}, {path.name} sha256:{digest}", "licence": licence}


def _write(
    path: Path,
    name: str,
    tensors: Mapping[str, Tensor],
    out: Path,
    options: Mapping[str, Option],
    header: Mapping[str, str],
    may_lack: str,
) -> None:
    """Put the tensors into the method and save it."""
    import torch

    from soundspot.methods import build

    with torch.random.fork_rng(devices=[]):
        method = build(name, **options)
    wanted = method.state_dict()
    tensors = {key: _as_wanted(value, wanted.get(key)) for key, value in tensors.items()}
    extra = sorted(tensors.keys() - wanted.keys())
    lacking = sorted(key for key in wanted.keys() - tensors.keys() if not re.match(may_lack, key))
    shapes = sorted(key for key in wanted.keys() & tensors.keys() if wanted[key].shape != tensors[key].shape)
    if extra or lacking or shapes:
        raise UserError(
            f"{path}: expected a checkpoint of {name}, got {len(extra)} unknown, {len(lacking)} lacking and "
            f"{len(shapes)} tensors of another shape, such as {', '.join((extra + lacking + shapes)[:3])}; "
            "name the method that the file is of"
        )
    method.load_state_dict({**wanted, **tensors})
    method.initial = dict.fromkeys(method.initial, "as published")
    save(method, out, header)


def _as_wanted(value: Tensor, wanted: Tensor | None) -> Tensor:
    """A linear layer may be written as a convolution over one place: the same numbers, with axes of length 1 behind."""
    if wanted is None or value.ndim <= wanted.ndim or any(size > 1 for size in value.shape[wanted.ndim :]):
        return value
    return value.reshape(value.shape[: wanted.ndim])
