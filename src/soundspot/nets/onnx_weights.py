"""Read the weights out of an ONNX file without the onnx package: just enough of protobuf's wire format."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from soundspot.types import UserError

Array = npt.NDArray[np.float32]
Message = memoryview | bytes

# Field numbers of onnx.proto (ModelProto, GraphProto, NodeProto, TensorProto, StringStringEntryProto).
MODEL_GRAPH = 7
GRAPH_NODE, GRAPH_INITIALIZER = 1, 5
NODE_INPUT, NODE_OUTPUT, NODE_OP_TYPE = 1, 2, 4
TENSOR_DIMS, TENSOR_DATA_TYPE, TENSOR_FLOATS, TENSOR_NAME, TENSOR_RAW, TENSOR_EXTERNAL = 1, 2, 4, 8, 9, 13
ENTRY_KEY, ENTRY_VALUE = 1, 2
MOST_BITS = 64
FLOAT = 1
"""TensorProto.DataType of float32."""

QUANTISING = ("QuantizeLinear", "DequantizeLinear")


@dataclass
class Node:
    """One operation: its kind, and the names it reads and writes."""

    op_type: str = ""
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)


def read_layers(model: bytes, external: Mapping[str, bytes]) -> list[tuple[str, Array, Array]]:
    """(kind, weight, bias) of every Conv and Gemm in the file's order; quantising nodes on the way are passed through.

    `external` holds the files that the model keeps its tensors in, by the name it calls them.
    """
    try:
        return _layers(memoryview(model), external)
    except UserError:
        raise
    except (LookupError, TypeError, ValueError, struct.error) as error:
        raise UserError(f"expected an ONNX model, got a damaged one ({error}); fetch the package again") from error


def _layers(model: memoryview, external: Mapping[str, bytes]) -> list[tuple[str, Array, Array]]:
    graph = next(_messages(model, MODEL_GRAPH), None)
    if graph is None:
        raise UserError("expected an ONNX model, got a file without a graph; fetch the package again")
    nodes = [_node(message) for message in _messages(graph, GRAPH_NODE)]
    weights = dict(_tensor(message, external) for message in _messages(graph, GRAPH_INITIALIZER))
    passed = {node.outputs[0]: node.inputs[0] for node in nodes if node.op_type in QUANTISING}
    layers = []
    for node in nodes:
        if node.op_type in ("Conv", "Gemm"):
            weight, bias = (weights[_origin(name, passed)] for name in node.inputs[1:3])
            layers.append((node.op_type, weight, bias))
    return layers


def _origin(name: str, passed: Mapping[str, str]) -> str:
    """The tensor that `name` is a quantised and dequantised copy of."""
    for _ in passed:
        name = passed.get(name, name)
    if name in passed:
        raise ValueError(f"{name!r} is made of itself")
    return name


def _varint(data: Message, at: int) -> tuple[int, int]:
    """The number at `at` in seven-bit groups, lowest first, and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
        if shift >= MOST_BITS:
            raise ValueError("a number without an end")


def _fields(data: Message) -> Iterator[tuple[int, int | memoryview]]:
    """(field number, value) of a message: a number for varints, the bytes for everything else."""
    view, at = memoryview(data), 0
    while at < len(view):
        tag, at = _varint(view, at)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            value, at = _varint(view, at)
            yield number, value
            continue
        if wire == 2:
            size, at = _varint(view, at)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise UserError(f"expected an ONNX model, got protobuf wire type {wire}; fetch the package again")
        if at + size > len(view):
            raise ValueError("a field that is cut off")
        yield number, view[at : at + size]
        at += size


def _messages(data: Message, number: int) -> Iterator[memoryview]:
    return (value for found, value in _fields(data) if found == number and isinstance(value, memoryview))


def _bytes(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise TypeError("a number where bytes should be")
    return value


def _text(value: int | memoryview) -> str:
    return bytes(_bytes(value)).decode()


def _numbers(value: int | memoryview) -> list[int]:
    """A repeated varint field: one number, or several packed together."""
    if isinstance(value, int):
        return [value]
    numbers, at = [], 0
    while at < len(value):
        number, at = _varint(value, at)
        numbers.append(number)
    return numbers


def _node(data: Message) -> Node:
    node = Node()
    for number, value in _fields(data):
        if number == NODE_INPUT:
            node.inputs.append(_text(value))
        elif number == NODE_OUTPUT:
            node.outputs.append(_text(value))
        elif number == NODE_OP_TYPE:
            node.op_type = _text(value)
    return node


def _tensor(data: Message, external: Mapping[str, bytes]) -> tuple[str, Array]:
    """(name, values); tensors of other kinds than float32 (quantisation's zero points, shapes) come out empty."""
    name, kind, dims, raw = "", 0, list[int](), memoryview(b"")
    floats, place = list[float](), dict[str, str]()
    for number, value in _fields(data):
        if number == TENSOR_DIMS:
            dims += _numbers(value)
        elif number == TENSOR_DATA_TYPE:
            kind = value if isinstance(value, int) else 0
        elif number == TENSOR_NAME:
            name = _text(value)
        elif number == TENSOR_RAW:
            raw = _bytes(value)
        elif number == TENSOR_FLOATS:
            packed = _bytes(value)
            floats += struct.unpack(f"<{len(packed) // 4}f", packed)
        elif number == TENSOR_EXTERNAL:
            entry = dict(_fields(_bytes(value)))
            place[_text(entry[ENTRY_KEY])] = _text(entry[ENTRY_VALUE])
    if kind != FLOAT:
        return name, np.empty(0, np.float32)
    if place:
        if place["location"] not in external:
            raise UserError(f"expected the tensors' file {place['location']} beside the ONNX model; fetch it again")
        start, size = int(place.get("offset", 0)), int(place["length"])
        if start < 0 or size < 0:
            raise ValueError("a tensor that begins before its file")
        raw = memoryview(external[place["location"]])[start : start + size]
    values = np.frombuffer(raw, "<f4") if len(raw) else np.array(floats, np.float32)
    return name, values.astype(np.float32).reshape(dims)
