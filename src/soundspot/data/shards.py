"""Packed training clips: WebDataset shards (tar) with an index, from which any clip is read by one look.

A sample is a clip: `<number>.jpg` its picture at the training size, `<number>.npy` (or `.flac`) its window of sound as
whole numbers, `<number>.json` its id, labels and truth; `<number>.mask.png` and the frames of views where a method
needs them, and `<number>.<moment>.jpg` where a film was packed at several moments. Beside each shard stands its index,
`shard-<number>.jsonl`: where every part begins, how long it is, and its CRC-32. `pack.json` lists the shards with their
SHA-256, and says what was packed.

Since every clip is found by one look, the order of an epoch is that of the training plan (a permutation by seed and
epoch), whatever the number of workers or ranks; an epoch has each clip once; and a run goes on from its middle at once.
"""

from __future__ import annotations

import io
import os
import zlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from operator import index
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import simplejpeg
from PIL import Image

from soundspot.collector import collector_at_rest
from soundspot.data.decoding import Decoded, Draws, Pair, Pixels, training_side
from soundspot.lookup import find
from soundspot.media.errors import MediaError
from soundspot.media.image import FORMATS
from soundspot.misread import parse_json
from soundspot.textfiles import taken_apart
from soundspot.types import Clip, Inputs, Missing, Target, UserError

PACK = "pack.json"
FORMAT = 1
NPY = b"\x93NUMPY"
MOST_OPEN = 256
"""Shards held open by one process."""
Part = tuple[int, int, int]
"""Where it begins in the shard, how many bytes it has, their CRC-32."""


@dataclass(frozen=True)
class Contents:
    """What of each clip a pack holds: a run can be trained on it that asks for the same."""

    side: int
    """Pixels of a picture's shorter side."""
    seconds: float
    sample_rate: int | None
    window: str
    train_frame: str
    train_sound: str
    views: tuple[str, ...] = ()
    num_frames: int = 1
    areas: tuple[str, ...] = ()

    @classmethod
    def of(cls, inputs: Inputs, areas: Collection[str]) -> Contents:
        """What a method with these Inputs is trained on."""
        return cls(
            side=training_side(inputs),
            seconds=inputs.seconds,
            sample_rate=inputs.sample_rate,
            window=inputs.window,
            train_frame=inputs.train_frame,
            train_sound=inputs.train_sound,
            views=tuple(inputs.views),
            num_frames=inputs.num_frames,
            areas=tuple(sorted(areas)),
        )

    def lacks(self, wanted: Contents) -> list[str]:
        """In what it is not `wanted`; views and areas may be more than are."""
        have, want = asdict(self), asdict(wanted)
        more = {name: set(have[name]) >= set(want[name]) for name in ("views", "areas")}
        return [
            f"{name}={want[name]} (not {have[name]})" for name in have if not more.get(name, have[name] == want[name])
        ]


@dataclass(frozen=True)
class Row:
    """One clip of the index."""

    clip_id: str
    shard: Path
    sample_rate: int
    moments: list[Mapping[str, Part]]
    """Of each packed moment, its parts by ending."""
    labels: tuple[str, ...] = ()
    group: str | None = None
    target: Mapping[str, Any] | None = None

    def pair(self) -> Pair:
        """The clip, without files of its own, and what is known of it."""
        clip = Clip(self.clip_id, labels=self.labels, group=self.group)
        if self.target is None:
            return clip, None
        boxes = tuple((float(x0), float(y0), float(x1), float(y1)) for x0, y0, x1, y1 in self.target.get("boxes", ()))
        names = tuple(self.target.get("box_labels", ()))
        kind = self.target.get("kind", "visible")
        return clip, Target(self.clip_id, kind, boxes, names, labels=self.labels, group=self.group)


@dataclass
class Packed:
    """A folder that `soundspot pack` wrote."""

    folder: Path
    contents: Contents
    data: Mapping[str, Any]
    """Of which data it was made: DataSpec's fields."""
    rows: dict[str, Row]
    missing: list[Missing]
    """Clips that were listed without media, or could not be read when it was made."""
    _open: dict[Path, int] = field(default_factory=dict, repr=False)

    @classmethod
    @collector_at_rest()
    def at(cls, folder: Path) -> Packed:
        """Read the index. Raises UserError where it is not whole."""
        head = _read_json(folder / PACK)
        if head.get("format") != FORMAT:
            raise UserError(f"{folder / PACK}: expected a pack of format {FORMAT}, got another; pack anew")
        with taken_apart(folder / PACK, "what `soundspot pack` wrote", "pack again"):
            contents = Contents(**{name: _tupled(value) for name, value in head["contents"].items()})
            for names in (contents.views, contents.areas):
                if not isinstance(names, tuple) or not all(isinstance(name, str) for name in names):
                    raise TypeError("views and areas that are no lists of names")
            missing = [Missing(str(entry["clip_id"]), str(entry["reason"])) for entry in head["without_media"]]
            found = cls(folder, contents, head["data"], {}, missing)
            shards = [(folder / shard["file"], index(shard["bytes"])) for shard in head["shards"]]
        for shard, size in shards:
            found._add(shard, size)
        return found

    def _add(self, shard: Path, size: int) -> None:
        if shard.parent != self.folder or shard.is_symlink():
            raise UserError(f"{self.folder / PACK}: expected names of files beside it, got {shard}; pack again")
        if not shard.is_file() or shard.stat().st_size != size:
            raise UserError(f"{shard}: expected the {size} bytes that {PACK} lists, got another file; pack again")
        with taken_apart(index_of(shard), "the index of a shard", "pack again"):
            for row in index_rows(index_of(shard)):
                if "missing" in row:
                    self.missing.append(Missing(str(row["id"]), str(row["missing"])))
                else:
                    self.rows[str(row["id"])] = _row(row, shard, size)

    @property
    def moves(self) -> bool:
        """Whether it holds several moments of any clip."""
        return any(len(row.moments) > 1 for row in self.rows.values())

    def require(self, inputs: Inputs, areas: Collection[str]) -> None:
        """UserError unless it holds what a method with these Inputs is trained on."""
        lacking = self.contents.lacks(Contents.of(inputs, areas))
        if lacking:
            raise UserError(
                f"{self.folder}: expected a pack with {', '.join(lacking)}, got another; pack it with the same --set"
            )

    def decode(self, clip_id: str, draws: Draws) -> Decoded:
        """The clip at the moment that was drawn; raises MediaError where its bytes are not those that were packed."""
        row = self.rows[clip_id]
        try:
            return self._decoded(row, draws)
        except MediaError:
            raise
        except (OSError, SyntaxError, ValueError) as error:  # of bytes that are those of the index, and no picture
            raise MediaError(
                f"{row.shard}: clip {clip_id}: expected pictures and a sound, got '{error}'; pack again"
            ) from error

    def _decoded(self, row: Row, draws: Draws) -> Decoded:
        parts = row.moments[min(int(draws.moment * len(row.moments)), len(row.moments) - 1)]
        samples: npt.NDArray[np.int16] | None = None
        areas: dict[str, Pixels] = {}
        frames: dict[str, list[Pixels]] = {}
        for ending, part in parts.items():
            if ending in SOUNDS:
                samples = SOUNDS[ending](self._bytes(row, part))
            elif ending.endswith(".png"):
                areas[ending.removesuffix(".png")] = np.asarray(
                    Image.open(io.BytesIO(self._bytes(row, part)), formats=FORMATS)
                )
            elif ending != "jpg":
                frames.setdefault(ending.split(".")[0], []).append(_picture(self._bytes(row, part)))
        assert samples is not None  # as `_row` made sure
        return Decoded(_picture(self._bytes(row, parts["jpg"])), samples, row.sample_rate, areas, frames)

    def _bytes(self, row: Row, part: Part) -> bytes:
        start, size, checksum = part
        file = self._file(row.shard)
        is_inside = start >= 0 and 0 <= size <= os.fstat(file).st_size - start
        found = os.pread(file, size, start) if is_inside else b""  # an index may claim any size
        if not is_inside or zlib.crc32(found) != checksum:
            raise MediaError(
                f"{row.shard}: clip {row.clip_id}: expected the bytes that were packed, got others; pack again"
            )
        return found

    def _file(self, shard: Path) -> int:
        if shard not in self._open:
            if len(self._open) >= MOST_OPEN:
                os.close(self._open.pop(next(iter(self._open))))
            self._open[shard] = os.open(shard, os.O_RDONLY)
        return self._open[shard]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_open": {}}  # a file belongs to the process that opened it

    def __del__(self) -> None:
        for file in self._open.values():
            os.close(file)


def _row(row: Mapping[str, Any], shard: Path, size: int) -> Row:
    """A line of an index, its parts within the shard; whatever else it raises than ValueError: it is no such line."""
    moments: list[Mapping[str, Part]] = []
    for moment in row["moments"]:
        parts = {
            name: (index(start), index(length), index(checksum)) for name, (start, length, checksum) in moment.items()
        }
        within = all(start >= 0 <= length and start + length <= size for start, length, _ in parts.values())
        if not within or "jpg" not in parts or SOUNDS.keys().isdisjoint(parts):
            raise ValueError("no picture or no sound within the shard")
        moments.append(parts)
    target, labels, rate = row.get("target"), row.get("labels", ()), index(row["sample_rate"])
    if (
        not moments
        or rate <= 0
        or not isinstance(target, dict | None)
        or not all(isinstance(name, str) for name in labels)
    ):
        raise TypeError("a field of another kind")
    found = Row(str(row["id"]), shard, rate, moments, tuple(labels), row.get("group"), target)
    found.pair()
    return found


def index_of(shard: Path) -> Path:
    """The file of a shard's index."""
    return shard.with_suffix(".jsonl")


def index_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a shard's index after its head, in order; UserError where one is not JSON."""
    lines = iter(_lines(path))
    next(lines, None)
    yield from lines


def index_head(path: Path) -> dict[str, Any]:
    """The first row of a shard's index: of what and how it was made."""
    return next(_lines(path), {})


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with path.open(encoding="utf-8") as file:
            for line in file:
                yield parse_json(line)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: expected the index of a shard, got {error}; pack again") from error


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: expected what `soundspot pack` wrote, got {error}; pack again") from error
    if not isinstance(found, dict):
        raise UserError(f"{path}: expected a JSON object, got {type(found).__name__}; pack again")
    return found


def _tupled(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def picture_bytes(picture: Pixels, quality: int) -> bytes:
    """(H, W, 3) as a JPEG file."""
    held = io.BytesIO()
    Image.fromarray(picture).save(held, "JPEG", quality=quality)
    return held.getvalue()


def area_bytes(area: Pixels) -> bytes:
    """(H, W) as a PNG file."""
    held = io.BytesIO()
    Image.fromarray(area).save(held, "PNG")
    return held.getvalue()


def _picture(data: bytes) -> Pixels:
    picture: Pixels = simplejpeg.decode_jpeg(data)  # the same bits as Pillow's, in half the time
    return picture


def npy_bytes(samples: npt.NDArray[np.int16], sample_rate: int) -> bytes:
    """(N,) as NumPy's file."""
    held = io.BytesIO()
    np.save(held, samples, allow_pickle=False)
    return held.getvalue()


def flac_bytes(samples: npt.NDArray[np.int16], sample_rate: int) -> bytes:
    """(N,) as a FLAC file: about half as large and not a bit lost, at some time for the reader."""
    held = io.BytesIO()
    # without padding for tags, which would be a tenth of it
    with av.open(held, "w", format="flac", container_options={"metadata_header_padding": "0"}) as container:
        stream = container.add_stream("flac", rate=sample_rate, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[None]), format="s16", layout="mono")
        frame.sample_rate = sample_rate
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)
    return held.getvalue()


def _from_npy(data: bytes) -> npt.NDArray[np.int16]:
    # NumPy reads the header as a Python expression, which takes longer than all the rest
    if data[:6] != NPY or b"'descr': '<i2', 'fortran_order': False" not in data[:128]:
        raise MediaError("expected NumPy's file of int16, got another")
    return np.frombuffer(data, "<i2", offset=10 + int.from_bytes(data[8:10], "little"))


def _from_flac(data: bytes) -> npt.NDArray[np.int16]:
    with av.open(io.BytesIO(data), "r") as container:
        frames = [frame.to_ndarray()[0] for frame in container.decode(audio=0)]
    return np.concatenate(frames).astype(np.int16)


SOUNDS = {"npy": _from_npy, "flac": _from_flac}
WRITERS = {"npy": npy_bytes, "flac": flac_bytes}


def sound_writer(name: str) -> Any:
    """How sounds are written: of WRITERS."""
    return find(WRITERS, name, "form of sounds")
