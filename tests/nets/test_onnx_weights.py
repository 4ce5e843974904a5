"""The minimal ONNX reader against the onnx package."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from soundspot.nets.onnx_weights import read_layers
from soundspot.types import UserError


def quantised(name: str) -> list[onnx.NodeProto]:
    """Nodes that make `name`_qdq, a quantised and dequantised copy of `name`."""
    return [
        helper.make_node("QuantizeLinear", [name, "scale", "zero"], [f"{name}_q"]),
        helper.make_node("DequantizeLinear", [f"{name}_q", "scale", "zero"], [f"{name}_qdq"]),
    ]


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    shapes = {"conv.w": (300, 1, 3, 3), "conv.b": (300,), "fc.w": (5, 300), "fc.b": (5,)}
    return {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}


@pytest.fixture
def model(arrays: dict[str, np.ndarray]) -> onnx.ModelProto:
    """Conv and Gemm with quantising nodes before the weights, and initializers out of order and of every kind."""
    nodes = [
        *quantised("fc.w"),
        *quantised("conv.w"),
        helper.make_node("Conv", ["x", "conv.w_qdq", "conv.b"], ["y"], group=1, kernel_shape=[3, 3]),
        helper.make_node("Gemm", ["y", "fc.w_qdq", "fc.b"], ["z"], transB=1, alpha=1.0),
    ]
    weights = [numpy_helper.from_array(arrays[name], name) for name in ("fc.w", "conv.w", "conv.b")]
    weights.append(helper.make_tensor("fc.b", TensorProto.FLOAT, [5], arrays["fc.b"]))  # float_data, not raw
    weights.append(numpy_helper.from_array(np.float32(0.1), "scale"))
    weights.append(numpy_helper.from_array(np.uint8(3), "zero"))
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in "xz"]
    return helper.make_model(helper.make_graph(nodes, "g", ends[:1], ends[1:], weights), doc_string="d" * 300)


def check(layers: list[tuple[str, np.ndarray, np.ndarray]], arrays: dict[str, np.ndarray]) -> None:
    assert [kind for kind, _, _ in layers] == ["Conv", "Gemm"]
    for (_, weight, bias), name in zip(layers, ("conv", "fc"), strict=True):
        np.testing.assert_array_equal(weight, arrays[f"{name}.w"])
        np.testing.assert_array_equal(bias, arrays[f"{name}.b"])


def test_reads_what_the_onnx_package_wrote(model: onnx.ModelProto, arrays: dict[str, np.ndarray]) -> None:
    check(read_layers(model.SerializeToString(), {}), arrays)


def test_reads_tensors_kept_in_another_file(
    model: onnx.ModelProto, arrays: dict[str, np.ndarray], tmp_path: Path
) -> None:
    onnx.save_model(
        model,
        tmp_path / "m.onnx",
        save_as_external_data=True,
        location="m.data",
        size_threshold=0,
        convert_attribute=False,
    )
    content = (tmp_path / "m.onnx").read_bytes()
    assert len(content) < arrays["conv.w"].nbytes
    check(read_layers(content, {"m.data": (tmp_path / "m.data").read_bytes()}), arrays)
    with pytest.raises(UserError, match=r"tensors' file m\.data"):
        read_layers(content, {})


def test_a_file_without_a_graph_is_refused() -> None:
    with pytest.raises(UserError, match="without a graph"):
        read_layers(b"", {})
