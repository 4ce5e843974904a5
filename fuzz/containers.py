"""Targets: files of numbers. Predictions, embeddings, weights, checkpoints, packs, looks, neighbours, WAV, ONNX."""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper
from safetensors.torch import save_file

from fuzz.aim import Aim, anew, at, of_bytes
from fuzz.oracle import must
from make_scenes import make_scenes
from soundspot import encoders, tensors, weights
from soundspot.data.decoding import draw
from soundspot.data.folder import read_folder
from soundspot.data.mining import Neighbours
from soundspot.data.pack import Form, pack
from soundspot.data.shards import Packed
from soundspot.embeddings import Embeddings
from soundspot.localize.looks import Look, Looks
from soundspot.media.audio import write_wav
from soundspot.media.wav import plain_wav, riff_chunks
from soundspot.methods import build
from soundspot.nets.onnx_weights import read_layers
from soundspot.predictions import Predictions
from soundspot.train import checkpoint
from soundspot.types import Inputs

INPUTS = Inputs(image_size=24, sample_rate=8000, seconds=0.1, spectrogram="logmel")
PROVENANCE = {"method": "ez_vsl", "score_low": "-1", "score_high": "1", "options": "{}", "classes": '["dog"]'}
KEY = {"film": "x.mp4"}
MOST_SAMPLES = 2**20


def _write_predictions(folder: Path) -> None:
    maps = {"a": np.ones((2, 3), np.float32), "b": np.zeros((2, 3), np.float32), "c": np.ones((1, 2, 2), np.float32)}
    Predictions(maps, {"d": "no file"}, PROVENANCE).save(folder / "p.safetensors")


def _read_predictions(folder: Path) -> None:
    found = Predictions.load(folder / "p.safetensors")
    for clip_id, scores in found.maps.items():
        must(isinstance(clip_id, str) and scores.ndim in (2, 3) and scores.size, f"a map {scores.shape} of {clip_id!r}")
        float(np.asarray(scores).sum(dtype=np.float64))
    for texts in (found.missing, found.provenance):
        must(all(isinstance(text, str) for text in texts.values()), "a text that is none")
    must(not found.maps.keys() & found.missing.keys(), "a clip with a map that is missing")
    _ = found.score_range, found.tells_classes, found.class_names


def _write_embeddings(folder: Path) -> None:
    image, sound = np.eye(3, 4, dtype=np.float32), np.eye(3, 4, k=1, dtype=np.float32)
    labels = (("dog",), ("cat", "cow"), ())
    Embeddings(("a", "b", "c"), image, sound, labels, ("g", None, "g"), {"d": "no file"}, PROVENANCE).save(
        folder / "e.safetensors"
    )


def _read_embeddings(folder: Path) -> None:
    found = Embeddings.load(folder / "e.safetensors")
    must(found.image.shape == found.sound.shape and len(found) == len(found.image), "rows that don't belong together")
    must(all(isinstance(clip_id, str) for clip_id in found.ids), "an id that is no text")
    must(len(found.groups_by_clip) == len(found), "groups of other clips")
    for row in range(len(found)):
        must(all(isinstance(label, str) for label in found.labels_of(row)), "a label that is no text")


def _write_weights(folder: Path) -> None:
    header = {"format": weights.FORMAT, "method": "ez_vsl", "options": '{"dim": 8}', "initial": "{}", "encoders": "{}"}
    save_file({"x": torch.zeros(2, 3), "y": torch.ones(1)}, folder / "w.safetensors", header)


def _read_weights(folder: Path) -> None:
    header = weights.read_header(folder / "w.safetensors")
    must(all(isinstance(text, str) for text in header.values()), "a text that is none")


def _read_tensors(folder: Path) -> None:
    found, _ = tensors.read_safetensors(folder / "w.safetensors")
    for value in found.values():
        value.double().sum()


def _write_method(folder: Path) -> None:
    weights.save(
        build("ez_vsl", dim=8, image_backbone="resnet10t", audio_backbone="resnet10t"), folder / "w.safetensors"
    )


def _load_weights(folder: Path) -> None:
    weights.load(folder / "w.safetensors")


def _write_published(folder: Path) -> None:
    torch.save({"state_dict": {"module.x": torch.zeros(2, 3)}, "epoch": 3, "best": np.float64(0.5)}, folder / "p.pth")


def _read_published(folder: Path) -> None:
    path = folder / "p.pth"
    state = tensors.flat_state(tensors.read_published(path), path)
    for value in state.values():
        must(isinstance(value, torch.Tensor), "a tensor that is none")


def _old_pickle() -> bytes:
    held = io.BytesIO()
    torch.save({"x": torch.zeros(2)}, held, _use_new_zipfile_serialization=False)
    return held.getvalue()


def _write_checkpoint(folder: Path) -> None:
    state = checkpoint.State({"method/x": torch.zeros(2), "random/torch": torch.get_rng_state()}, {"now": {"step": 3}})
    checkpoint.write(folder, state)
    checkpoint.write(folder, state)


def _read_checkpoint(folder: Path) -> None:
    found = checkpoint.read_newest(folder)
    must(isinstance(found.state.facts, dict), "facts that are none")
    must((found.passed_over is None) == (found.path.name == checkpoint.CURRENT), "a checkpoint that says nothing")
    must(found.passed_over is None or found.passed_over.isprintable(), f"passed over: {found.passed_over!r}")


def _write_pack(folder: Path) -> None:
    scenes = make_scenes(folder / "scenes", ["visible", "silent", "visible"], size=24, seconds=0.1)
    form = Form(clips_per_shard=2, quality=95)
    pack(read_folder(scenes), INPUTS, folder / "packed", areas=("mask", "objects"), form=form, jobs=1)


def _read_pack(folder: Path) -> None:
    packed = Packed.at(folder / "packed")
    _ = packed.moves, packed.contents.lacks(packed.contents)
    packed.require(INPUTS, ("mask",))
    for clip_id, row in packed.rows.items():
        clip, _ = row.pair()
        must(clip.id == clip_id, "a row of another clip")
        decoded = packed.decode(clip_id, draw(0, 0, clip_id))
        must(decoded.image.ndim == 3 and decoded.samples.dtype == np.int16, "a clip that is none")


def _write_looks(folder: Path) -> None:
    looks = Looks(folder, KEY)
    for number in range(3):
        looks.add(Look(number / 2, np.ones((2, 2), np.float32), -20.0, tags=(("Dog", 0.5),), peaks=(0.5,)))
    _close(looks)


def _close(looks: Looks) -> None:
    """What a process's end does: a thousand are opened here."""
    looks.flush()
    looks._lines.close()
    looks._maps.close()


def _read_looks(folder: Path) -> None:
    looks = Looks(folder, KEY)
    try:
        for look in (looks[number] for number in range(len(looks))):
            must(np.isfinite(look.time_seconds) and look.maps.ndim in (2, 3), "a look that is none")
    finally:
        _close(looks)


def _write_neighbours(folder: Path) -> None:
    (folder / "ids.txt").write_text("a\nb\nc\n")
    for name in ("image", "audio"):
        np.save(folder / f"{name}_index.npy", np.array([[1, 2], [0, 2], [0, 1]], np.int32))
        (folder / f"{name}_progress.json").write_text(json.dumps({"rows": 3, "k": 2, "vectors": 1.5, "done": 3}))


def _read_neighbours(folder: Path) -> None:
    found = Neighbours(folder)
    for name in found.names:
        must(found.drawn("image", name, 0.6) in found.row, "a neighbour that nobody knows")


def _write_sound(folder: Path) -> None:
    write_wav(folder / "s.wav", np.linspace(-0.5, 0.5, 64), 8000)


def _read_wav(folder: Path) -> None:
    path = folder / "s.wav"
    with path.open("rb") as file:
        chunks = list(riff_chunks(file))
    must(len(chunks) <= path.stat().st_size, "more chunks than bytes")
    found = plain_wav(path)
    if found is None:
        return
    must(0 < found.num_samples * found.channels * 2 <= path.stat().st_size, "more samples than bytes")
    read = sum(block.shape[1] for block in found.blocks(0, float("inf")))
    must(read == found.num_samples, f"{read} of {found.num_samples} samples")


def _onnx() -> bytes:
    weight = helper.make_tensor("w", TensorProto.FLOAT, [2, 1, 1, 1], [1.0, 2.0])
    bias = helper.make_tensor("b", TensorProto.FLOAT, [2], struct.pack("<2f", 0.5, 1.5), raw=True)
    apart = TensorProto(name="g", data_type=TensorProto.FLOAT, dims=[2], data_location=TensorProto.EXTERNAL)
    for key, value in (("location", "data.bin"), ("offset", "4"), ("length", "8")):
        apart.external_data.add(key=key, value=value)
    nodes = [
        helper.make_node("QuantizeLinear", ["w"], ["wq"]),
        helper.make_node("DequantizeLinear", ["wq"], ["wd"]),
        helper.make_node("Conv", ["x", "wd", "b"], ["y"]),
        helper.make_node("Gemm", ["y", "g", "b"], ["z"]),
    ]
    model: onnx.ModelProto = helper.make_model(helper.make_graph(nodes, "g", [], [], [weight, bias, apart]))
    return bytes(model.SerializeToString())


def _read_onnx(data: bytes) -> None:
    for kind, weight, bias in read_layers(data, {"data.bin": bytes(16)}):
        must(kind in ("Conv", "Gemm") and weight.dtype == bias.dtype == np.float32, "a layer that is none")


def _write_encoder(folder: Path) -> None:
    encoder = encoders.ENCODERS["yamnet"]
    place = folder / "encoders" / f"yamnet-{encoder.version}.safetensors"
    place.parent.mkdir()
    save_file({"x": torch.zeros(2)}, place, {"inner_sha256": encoder.inner_sha256})


_PUBLISHED = at("published", "p.pth", _write_published, _read_published)
AIMS: dict[str, Aim] = {
    "predictions": at("predictions", "p.safetensors", _write_predictions, _read_predictions),
    "embeddings": at("embeddings", "e.safetensors", _write_embeddings, _read_embeddings),
    "weights-header": at("weights", "w.safetensors", _write_weights, _read_weights),
    "weights-load": at("weights-load", "w.safetensors", _write_method, _load_weights),
    "safetensors": at("tensors", "w.safetensors", _write_weights, _read_tensors),
    "published": Aim(lambda: [*_PUBLISHED.examples(), _old_pickle()], _PUBLISHED.read),
    "checkpoint": at("checkpoint", checkpoint.CURRENT, _write_checkpoint, _read_checkpoint),
    "pack-json": at("pack-json", "packed/pack.json", _write_pack, _read_pack),
    "pack-index": at("pack-index", "packed/shard-000000.jsonl", _write_pack, _read_pack),
    "pack-shard": at("pack-shard", "packed/shard-000000.tar", _write_pack, _read_pack),
    "looks": anew("looks", "looks.jsonl", _write_looks, _read_looks),
    "neighbours-index": at("neighbours-index", "image_index.npy", _write_neighbours, _read_neighbours),
    "neighbours-progress": at("neighbours-progress", "image_progress.json", _write_neighbours, _read_neighbours),
    "neighbours-ids": at("neighbours-ids", "ids.txt", _write_neighbours, _read_neighbours),
    "wav": at("wav", "s.wav", _write_sound, _read_wav),
    "onnx": of_bytes([_onnx()], _read_onnx),
    "encoder-cache": at(
        "encoder-cache",
        f"encoders/yamnet-{encoders.ENCODERS['yamnet'].version}.safetensors",
        _write_encoder,
        lambda folder: encoders.path("yamnet", cache=folder),
    ),
}
