"""Frozen networks as onnxruntime runs them on a CPU: about twice as fast as torch does, the same but for rounding.

They are written down node by node here, because torch's exporter takes seconds for each at every start. For gradients,
other devices and graphs to export there are the networks themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from soundspot.nets.lite import LiteEncoder
from soundspot.nets.yamnet import SameConv, YAMNet
from soundspot.types import UserError

OPSET, IR_VERSION = 18, 10
"""What onnxruntime 1.20 and later read."""
Node = str
"""The name of what an operation gives."""
Floats = npt.NDArray[np.float32]


class Graph:
    """Operations upon one input, written down one by one."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, value: Tensor | float) -> Node:
        """A fixed tensor."""
        name, values = f"constant{len(self.constants)}", torch.as_tensor(value, dtype=torch.float32)
        self.constants.append(numpy_helper.from_array(values.detach().cpu().numpy(), name))
        return name

    def add(self, operation: str, *inputs: Node, **attributes: Any) -> Node:
        """What the operation makes of its inputs."""
        name = f"node{len(self.nodes)}"
        self.nodes.append(helper.make_node(operation, list(inputs), [name], **attributes))
        return name

    def convolved(self, node: Node, conv: Any, weight: Tensor, bias: Tensor, **padding: Any) -> Node:
        """`conv` with these weights."""
        return self.add(
            "Conv",
            node,
            *(self.constant(each) for each in (weight, bias)),
            group=conv.groups,
            strides=list(conv.stride),
            dilations=list(conv.dilation),
            **padding,
        )

    def pooled(self, node: Node) -> Node:
        """(N, C, h, w) -> (N, C, 1, 1), the mean."""
        return self.add("GlobalAveragePool", node)


class Compiled:
    """A network of one input; its weights are those of when it was written down.

    Items pass one at a time, side by side where torch has several threads: what comes out of one does not depend on the
    others. Several threads may use it at once.
    """

    def __init__(self, write: Callable[[Graph, Node], Sequence[Node]], item: Sequence[int | str]) -> None:
        """`write` makes the outputs of the input; `item` is its shape, a word where any size will do."""
        graph = Graph()
        outputs = list(write(graph, "given"))
        made = helper.make_graph(
            graph.nodes,
            "frozen",
            [helper.make_tensor_value_info("given", TensorProto.FLOAT, list(item))],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
            graph.constants,
        )
        model = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])

    def __call__(self, items: Tensor) -> tuple[Tensor, ...]:
        """(N, *item) -> each output of all items, joined along its first dimension."""
        given: list[Floats] = list(items.detach().contiguous().numpy())
        threads = min(torch.get_num_threads(), len(given))
        if threads > 1:
            with ThreadPoolExecutor(threads, "side by side") as pool:
                made = list(pool.map(self._one, given))
        else:
            made = [self._one(item) for item in given]
        return tuple(torch.from_numpy(np.concatenate(column)) for column in zip(*made, strict=True))

    def _one(self, item: Floats) -> list[Floats]:
        made: list[Floats] = self._session.run(None, {"given": item})
        return made


class CompiledLite:
    """What is asked of a frozen `LiteEncoder`, of pictures (B, 3, H, W), normalised."""

    def __init__(self, encoder: LiteEncoder) -> None:
        picture = (1, 3, "height", "width")

        def classified(graph: Graph, head: Node) -> list[Node]:
            weight, bias = encoder.classifier.weight[:, :, None, None], encoder.classifier.bias
            return [graph.convolved(head, nn.Conv2d(1, 1, 1), weight, bias)]

        def seen(graph: Graph, given: Node) -> list[Node]:
            *stages, head = _lite(encoder, graph, given)
            return [*stages, *classified(graph, head)]

        self._seen = Compiled(seen, picture)
        self._classes = Compiled(
            lambda graph, given: classified(graph, graph.pooled(_lite(encoder, graph, given)[-1])), picture
        )

    def stages_and_classes(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """As `LiteEncoder.stages_and_classes`."""
        stride8, stride16, last, class_map = self._seen(image[:, None])
        return stride8, stride16, last, class_map

    def classes(self, image: Tensor) -> Tensor:
        """As `LiteEncoder.classes`."""
        return self._classes(image[:, None])[0][:, :, 0, 0]


class CompiledYAMNet:
    """A frozen YAMNet's embedding."""

    def __init__(self, net: YAMNet) -> None:
        self._embedding = Compiled(
            lambda graph, given: [graph.pooled(_yamnet(net, graph, given))], ("patches", 1, "frames", "bands")
        )

    def embedding(self, log_mel: Tensor) -> Tensor:
        """As `YAMNet.embedding`."""
        patches = YAMNet.patches(log_mel)
        return self._embedding(patches.transpose(3, 4))[0][:, :, 0, 0].unflatten(0, patches.shape[:2])


def _lite(encoder: LiteEncoder, graph: Graph, picture: Node) -> list[Node]:
    """What it makes of a picture at strides 8 and 16, at its last stage, and in its head."""
    node, ends = _normalised(graph, encoder.stem[0], encoder.stem[1], picture), []
    stages: Any = encoder.blocks
    for stage in stages:
        for block in stage:
            before = node
            for conv, norm in _layers(block):
                node = _normalised(graph, conv, norm, node)
            if block.has_skip:
                node = graph.add("Add", node, before)
        ends.append(node)
    return [ends[2], ends[4], ends[6], _normalised(graph, encoder.head[0], encoder.head[1], node)]


def _layers(block: Any) -> Iterator[tuple[nn.Module, nn.Module]]:
    names = ("conv_pw", "conv_dw", "conv_pwl") if hasattr(block, "conv_pwl") else ("conv_dw", "conv_pw")
    return ((getattr(block, name), getattr(block, f"bn{number}")) for number, name in enumerate(names, 1))


def _normalised(graph: Graph, conv: Any, norm: Any, node: Node) -> Node:
    """A convolution padded as TensorFlow's "same", batch norm folded into it, and ReLU6 or nothing."""
    if not isinstance(norm.act, nn.ReLU6 | nn.Identity):
        raise UserError(f"expected ReLU6 or nothing after a batch norm, got {norm.act}; use the encoder itself")
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    weight, bias = conv.weight * scale[:, None, None, None], norm.bias - norm.running_mean * scale
    # Only with a stride does the padding depend on the picture's size; with a dilation onnxruntime knows no such word.
    sides = [dilation * (kernel - 1) // 2 for dilation, kernel in zip(conv.dilation, conv.kernel_size, strict=True)]
    padding = {"pads": [*sides, *sides]} if conv.stride == (1, 1) else {"auto_pad": "SAME_UPPER"}
    made = graph.convolved(node, conv, weight, bias, **padding)
    if isinstance(norm.act, nn.Identity):
        return made
    return graph.add("Clip", made, graph.constant(0.0), graph.constant(6.0))


def _yamnet(net: YAMNet, graph: Graph, patches: Node) -> Node:
    node = patches
    for layer in net.layers:
        assert isinstance(layer, SameConv)
        assert layer.conv.bias is not None
        before, after = layer.padding[:2]
        made = graph.convolved(
            node, layer.conv, layer.conv.weight, layer.conv.bias, pads=[before, before, after, after]
        )
        node = graph.add("Relu", made)
    return node
