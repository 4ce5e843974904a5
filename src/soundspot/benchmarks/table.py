"""The benchmarks: how each is read, and under which protocols its published numbers stand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from soundspot.data.extended import read_flickr_extended, read_vggss_extended
from soundspot.data.flickr import missing_flickr, read_flickr
from soundspot.data.vggss import annotation_file, missing_vggss, read_vggss
from soundspot.types import Clip, Missing, Target, UserError

Pairs = list[tuple[Clip, Target]]


@dataclass(frozen=True)
class Benchmark:
    """Clips with their truth, by name."""

    name: str
    title: str
    needs: str
    """What the annotations path must hold."""
    read: Callable[[Path, Path | None], Pairs]
    find_missing: Callable[[Path], list[Missing]] = lambda _: []
    protocol: str = "strict"
    """What `score` uses unless told."""

    def load(self, annotations: Path, root: Path | None = None) -> Pairs:
        """Clips and targets; with `root` the clips point to their media. UserError naming what the path must hold."""
        if not Path(annotations).exists():
            raise UserError(f"{annotations}: expected {self.needs} for {self.name}, got nothing there; check the path")
        return self.read(Path(annotations), root)

    def missing(self, annotations: Path) -> list[Missing]:
        """Clips that the benchmark lists but that have no truth in these annotations."""
        return self.find_missing(Path(annotations))


def _part_of_vggss(list_name: str) -> Callable[[Path, Path | None], Pairs]:
    def read(annotations: Path, root: Path | None) -> Pairs:
        folder = annotations if annotations.is_dir() else annotations.parent
        return read_vggss(annotations, root, ids=annotation_file(folder, list_name))

    return read


def _missing_part_of_vggss(list_name: str) -> Callable[[Path], list[Missing]]:
    def find(annotations: Path) -> list[Missing]:
        folder = annotations if annotations.is_dir() else annotations.parent
        return missing_vggss(annotations, annotation_file(folder, list_name))

    return find


def _vggss_part(name: str, title: str) -> Benchmark:
    list_name = f"{name}_test.csv"
    return Benchmark(
        name, title, f"vggss.json and {list_name}", _part_of_vggss(list_name), _missing_part_of_vggss(list_name)
    )


def _samples(annotations: Path, root: Path | None) -> Pairs:
    from soundspot.data.folder import read_folder

    return read_folder(root or annotations)


_ALL = (
    Benchmark("vggss", "VGG-SS", "vggss.json", lambda annotations, root: read_vggss(annotations, root)),
    _vggss_part("vggss_heard", "VGG-SS, 110 classes heard in training"),
    _vggss_part("vggss_unheard", "VGG-SS, 110 classes not heard in training"),
    Benchmark(
        "vggss_extended",
        "Extended VGG-SS",
        "a folder with vggss.json and vggss_test_plus_silent.csv",
        read_vggss_extended,
    ),
    Benchmark(
        "flickr",
        "Flickr-SoundNet",
        "Annotations/<id>.xml or one JSON file of boxes, and flickr_test.csv",
        lambda annotations, root: read_flickr(annotations, root),
        lambda annotations: missing_flickr(annotations),
    ),
    Benchmark(
        "flickr_extended",
        "Extended Flickr-SoundNet",
        "Annotations/<id>.xml or one JSON file of boxes, flickr_test.csv and flickr_test_plus_silent.csv",
        read_flickr_extended,
        lambda annotations: missing_flickr(annotations),
    ),
    Benchmark("samples", "A folder in soundspot's own layout", "a folder as `soundspot samples` writes", _samples),
)

BENCHMARKS: dict[str, Benchmark] = {benchmark.name: benchmark for benchmark in _ALL}
