"""The benchmarks: how each is read, and under which protocols its published numbers stand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from soundspot.data.sets.audioset_instrument import read_audioset_instrument
from soundspot.data.sets.avatar import missing_avatar, read_avatar
from soundspot.data.sets.avsbench import read_avsbench, read_avsbench_boxes
from soundspot.data.sets.extended import read_flickr_extended, read_vggss_extended
from soundspot.data.sets.flickr import missing_flickr, read_flickr
from soundspot.data.sets.is3 import read_is3
from soundspot.data.sets.music import read_music
from soundspot.data.sets.reading import list_file
from soundspot.data.sets.synthetic import read_music_synthetic, read_synthetic
from soundspot.data.sets.unlabelled import NO_TRUTH
from soundspot.data.sets.urbansas import missing_urbansas, read_urbansas
from soundspot.data.sets.vggss import LISTS, missing_vggss, read_vggss
from soundspot.data.sets.vpo import read_vpo
from soundspot.lookup import find
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
    floors: tuple[str, ...] = ("centre",)
    """Priors that stand beside every result: those that know the set's habits, too."""
    settings: str = ""
    """How its papers cut the sound, as words for `predict`, for methods that would listen elsewhere."""

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
        return read_vggss(annotations, root, ids=list_file(folder, (list_name,)))

    return read


def _missing_part_of_vggss(list_name: str) -> Callable[[Path], list[Missing]]:
    def find(annotations: Path) -> list[Missing]:
        folder = annotations if annotations.is_dir() else annotations.parent
        return missing_vggss(annotations, list_file(folder, (list_name,)))

    return find


def _vggss_part(name: str) -> Benchmark:
    list_name, count, title = LISTS[name]
    return Benchmark(
        name,
        f"VGG-SS, {title}: {count} clips",
        f"vggss.json and {list_name}",
        _part_of_vggss(list_name),
        _missing_part_of_vggss(list_name),
    )


def _samples(annotations: Path, root: Path | None) -> Pairs:
    from soundspot.data.folder import read_folder

    pairs = read_folder(root or annotations)
    if not pairs:
        raise UserError(f"{root or annotations}: expected scenes, got an empty list of them; make some")
    return pairs


_ONE_SECOND = "--set seconds=1 --set window=frame"
_ALL = (
    Benchmark("vggss", "VGG-SS", "vggss.json", lambda annotations, root: read_vggss(annotations, root)),
    *(_vggss_part(name) for name in LISTS),
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
    Benchmark("is3", "IS3", "synthetic3240_bbox.json", read_is3),
    Benchmark("vpo_ss", "VPO, one source", "vpo_ss_bbox.json", partial(read_vpo, part="ss")),
    Benchmark("vpo_ms", "VPO, several sources", "vpo_ms_bbox.json", partial(read_vpo, part="ms")),
    Benchmark(
        "avsbench_s4",
        "AVSBench S4, masks",
        "s4_meta_data.csv or s4_seg.json",
        read_avsbench,
        protocol="avsbench",
        settings=_ONE_SECOND,
    ),
    Benchmark(
        "avsbench_ms3",
        "AVSBench MS3, masks",
        "ms3_meta_data.csv or ms3_seg.json",
        partial(read_avsbench, subset="ms3"),
        protocol="avsbench",
        settings=_ONE_SECOND,
    ),
    Benchmark("avsbench_s4_boxes", "AVSBench S4, SSLalign's boxes", "s4_box.json", read_avsbench_boxes),
    Benchmark(
        "avsbench_ms3_boxes",
        "AVSBench MS3, SSLalign's boxes",
        "ms3_box.json",
        partial(read_avsbench_boxes, subset="ms3"),
    ),
    Benchmark(
        "music_solo",
        "MUSIC solo, DSOL's frames",
        "solotest.json",
        partial(read_music, part="solo"),
        protocol="dsol_solo",
        settings=_ONE_SECOND,
    ),
    Benchmark(
        "music_duet",
        "MUSIC duet, DSOL's frames",
        "duettest.json",
        partial(read_music, part="duet"),
        protocol="dsol_duet",
        settings=_ONE_SECOND,
    ),
    Benchmark(
        "audioset_instrument",
        "AudioSet-instrument, DSOL's frames",
        "audioset_box.json",
        read_audioset_instrument,
        settings=_ONE_SECOND,
    ),
    *(
        Benchmark(
            name,
            f"{title} (Zenodo {record})",
            "a folder with box/<id>.npy",
            read,
            protocol="dsol_synthetic",
            floors=("centre", "quadrants"),
            settings="--set seconds=1",
        )
        for name, title, record, read in (
            ("music_synthetic", "MUSIC-Synthetic, test", 4079386, read_music_synthetic),
            ("realistic_music", "Realistic MUSIC", 6235313, read_music_synthetic),
            ("vggsound_synthetic", "VGGSound-Synthetic", 6237158, read_synthetic),
            ("dailylife", "DailyLife", 6235340, read_synthetic),
        )
    ),
    Benchmark(
        "urbansas",
        "Urbansas, frames with sounding vehicles",
        "a folder with audio_annotations.csv and video_annotations.csv",
        read_urbansas,
        missing_urbansas,
        protocol="rcgrad_0.3",
        settings=_ONE_SECOND,
    ),
    Benchmark(
        "avatar",
        "AVATAR, in soundspot's form",
        "avatar.json",
        read_avatar,
        missing_avatar,
        settings="--set window=frame",
    ),
    Benchmark("samples", "A folder in soundspot's own layout", "a folder as `soundspot samples` writes", _samples),
)

BENCHMARKS: dict[str, Benchmark] = {benchmark.name: benchmark for benchmark in _ALL}


def find_benchmark(name: str) -> Benchmark:
    """The benchmark called `name`. UserError for an unknown one, and for known clips that have no truth."""
    if name in NO_TRUTH:
        raise UserError(NO_TRUTH[name])
    return find(BENCHMARKS, name, "benchmark")
