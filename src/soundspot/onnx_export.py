"""A method with its weights as one ONNX file, which onnxruntime runs alone: picture and sound in, raw maps out."""

from __future__ import annotations

import io
import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from soundspot.lookup import find
from soundspot.media.audio import SPECTROGRAMS
from soundspot.media.files import written_aside
from soundspot.methods.base import Method, Option
from soundspot.methods.spot import Spot
from soundspot.onnx_spot import SpotSteps
from soundspot.predict import provenance
from soundspot.types import Batch, UserError
from soundspot.weights import find_weights, load

FORMAT = "soundspot onnx 1"
MAX_BATCH = 64
TOLERANCE = 1e-4
"""Of the maps of onnxruntime and of torch, for each of SIZES; scores beyond 1 may differ by this share of them."""
SIZES = (1, 3)
DEFAULT_RATE = 16000
"""For methods that keep each file's own rate, as everywhere."""
EXTRA = "pip install 'soundspot[onnx]'"


@dataclass(frozen=True)
class Exported:
    """What was written, and how near its maps are to torch's."""

    path: Path
    method: str
    map_shape: tuple[int, ...]
    """Of one picture: (h, w), or (K, h, w) of a method that tells classes apart."""
    largest_difference: float

    def text(self) -> str:
        """For people."""
        shape = " x ".join(map(str, self.map_shape))
        return f"{self.path}: {self.method}, maps of {shape}, at most {self.largest_difference:.1e} from torch's"

    def facts(self) -> dict[str, Any]:
        """For machines."""
        return {**vars(self), "path": str(self.path)}


class _AnySize(Batch):
    """A batch whose size is a symbol while a graph is made of it: nothing can be checked."""

    def __post_init__(self) -> None:
        pass

    def __len__(self) -> int:
        return self.image.shape[0]


class _Graph(nn.Module):
    """(B, 3, S, S) uint8 pictures and (B, N) samples -> (B, h, w) raw maps: normalising and spectrogram included."""

    def __init__(self, method: Method) -> None:
        super().__init__()
        self.method = method
        self.steps = SpotSteps(method) if isinstance(method, Spot) else None
        inputs = method.inputs
        self.sample_rate = inputs.sample_rate or DEFAULT_RATE
        self.spectrogram = find(SPECTROGRAMS, inputs.spectrogram, "spectrogram")
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(inputs.image_mean).view(3, 1, 1))
        self.register_buffer("std", torch.tensor(inputs.image_std).view(3, 1, 1))

    def forward(self, image: Tensor, waveform: Tensor) -> Tensor:
        batch = self._batch(image, waveform)
        return (self.method.localize(batch) if self.steps is None else self.steps(batch)).float()

    def maps(self, image: Tensor, waveform: Tensor) -> Tensor:
        """What the method itself gives: what the graph is measured by."""
        return self.method.localize(self._batch(image, waveform)).float()

    def _batch(self, image: Tensor, waveform: Tensor) -> Batch:
        return _AnySize(
            image=(image.float().div(255) - self.mean) / self.std,
            audio=self.spectrogram(waveform, self.sample_rate),
            clip_ids=(),
            extra={"waveform": waveform} if self.method.inputs.waveform else {},
        )

    def example(self, size: int) -> tuple[Tensor, Tensor]:
        """Pictures and samples of noise, the same at every call."""
        draw = torch.Generator().manual_seed(size)
        side, count = self.method.inputs.image_size, round(self.method.inputs.seconds * self.sample_rate)
        # Enlarged from few cells: a picture with objects of a kind in it, so that maps differ from place to place.
        cells = torch.randint(0, 256, (size, 3, 5, 5), dtype=torch.uint8, generator=draw).float()
        image = torch.nn.functional.interpolate(cells, size=(side, side), mode="bilinear").byte()
        return image, 0.1 * torch.randn(size, count, generator=draw)


def export(weights: Path | str, out: Path | str, *, options: Mapping[str, Option] | None = None) -> Exported:
    """Write OUT.onnx of a weights file (or "default"), run it with onnxruntime, and compare with torch.

    `options` replaces some of those that the weights were saved with. UserError for a method that no graph can be made
    of, and where the maps differ by more than TOLERANCE.
    """
    out = Path(out)
    if out.suffix != ".onnx":
        raise UserError(f"{out}: expected a name that ends in .onnx, got {out.suffix or 'no ending'!r}; rename it")
    _need_packages()
    method = load(find_weights(weights), options=options).requires_grad_(False)
    return write(method, out)


def write(method: Method, out: Path) -> Exported:
    """The same of a method at hand."""
    name = provenance(method)["method"]
    if method.inputs.views:
        views = " and ".join(method.inputs.views)
        raise UserError(f"{name}: expected a method of one picture and a sound, got one that needs {views}; use torch")
    graph = _Graph(method).eval()
    with torch.no_grad():
        example = graph.example(2)
        shape = tuple(graph(*example).shape[1:])
        model = _model(name, graph, example)
    model.model.metadata_props.update(metadata(method, shape))
    with written_aside(out) as aside:
        model.save(aside)
        difference = _difference(graph, aside, name)
    return Exported(out, name, shape, difference)


def metadata(method: Method, map_shape: tuple[int, ...]) -> dict[str, str]:
    """What stands in the file beside the graph: all that is needed to prepare inputs and to read maps."""
    inputs = method.inputs
    rate = inputs.sample_rate or DEFAULT_RATE
    image = {"size": inputs.image_size, "resize": inputs.resize, "mean": inputs.image_mean, "std": inputs.image_std}
    sound = {"sample_rate": rate, "seconds": inputs.seconds, "samples": round(inputs.seconds * rate)}
    origin = {key: value for key, value in provenance(method).items() if key not in ("options", "initial")}
    fitted: tuple[str, ...] = ("calibration", "class_thresholds")
    kept = {key: method.provenance[key] for key in fitted if key in method.provenance}
    return {
        **origin,
        **kept,
        "format": FORMAT,
        "options": json.dumps({key: value for key, value in method.options.items() if not key.startswith("init_")}),
        "image": json.dumps(image | {"input": "uint8 (B, 3, size, size) RGB; mean and std are applied in the graph"}),
        "sound": json.dumps(sound | {"input": "float32 (B, samples) mono in -1..1"}),
        "spectrogram": json.dumps({"name": inputs.spectrogram, "made": "in the graph"}),
        "map": json.dumps({"shape": map_shape, "output": "raw scores (B, ...)"}),
        "class_names": json.dumps(method.class_names),
        "licence": method.provenance.get("licence", "not stated"),
        "source": method.provenance.get("source", "not stated"),
    }


def _need_packages() -> None:
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise UserError(f"expected the package {error.name}, got none; install it: {EXTRA}") from None


def _model(name: str, graph: _Graph, example: tuple[Tensor, Tensor]) -> Any:
    size = torch.export.Dim("batch", min=1, max=MAX_BATCH)
    try:
        with _quiet():
            traced = torch.export.export(graph, example, dynamic_shapes=({0: size}, {0: size}), strict=False)
            return torch.onnx.export(
                traced, (), input_names=["image", "waveform"], output_names=["map"], dynamo=True, verbose=False
            )
    # torch names no common class of what may go wrong; all that it raises in making a graph means one thing
    except (RuntimeError, ValueError, TypeError, AttributeError, KeyError, IndexError, NotImplementedError) as error:
        reason = _reason(error)
        raise UserError(
            f"{name}: expected a method that a fixed graph can stand for, got one whose steps depend on values"
            f" ({reason}); use torch, or other options"
        ) from error


def _reason(error: BaseException) -> str:
    """The innermost cause's first line that says something, in 120 letters."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else 'no reason given'}"[:120]


@contextmanager
def _quiet() -> Iterator[None]:
    """torch's exporter tells its progress, doubts and whole graphs; what counts is compared afterwards."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _difference(graph: _Graph, path: Path, name: str) -> float:
    """The largest of all maps of SIZES; UserError above TOLERANCE."""
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(path, settings, providers=["CPUExecutionProvider"])
    largest = 0.0
    for size in SIZES:
        image, waveform = graph.example(size)
        with torch.no_grad():
            wanted: npt.NDArray[np.float32] = graph.maps(image, waveform).numpy()
        (got,) = session.run(["map"], {"image": image.numpy(), "waveform": waveform.numpy()})
        if got.shape != wanted.shape or not np.isfinite(got).all():
            raise UserError(f"{name}: expected maps {wanted.shape} of the graph, got {got.shape}; use torch")
        largest = max(largest, float((np.abs(got - wanted) / np.maximum(1, np.abs(wanted))).max()))
    if largest > TOLERANCE:
        raise UserError(
            f"{name}: expected maps within {TOLERANCE:g} of torch's, got a difference of {largest:.2g}; use torch"
        )
    return largest
