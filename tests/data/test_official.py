"""Authors' annotation files: only the known ones get their names, from a folder, a mirror or the authors' address."""

from __future__ import annotations

import hashlib
import io
import json
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from soundspot.benchmarks import BENCHMARKS
from soundspot.data import official
from soundspot.data.official_files import OFFICIAL, Annotations, File, Repository
from soundspot.data.sets.vggsound import TRAINING_LISTS, training_list
from soundspot.types import UserError

CONTENT = {"boxes.json": b'[{"file": "a"}]', "list.txt": b"a\nb\n"}


def line(path: str, content: bytes) -> str:
    return f"{len(content)} {hashlib.sha256(content).hexdigest()} {path}"


MADE = Repository(
    "somebody/some-paper", "none stated", "abc1234",
    "\n".join([line("metadata/boxes.json", CONTENT["boxes.json"]), line("lists/list.txt", CONTENT["list.txt"])]),
)  # fmt: skip


@pytest.fixture(autouse=True)
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Annotations:
    """The table with one more entry, and a cache of its own."""
    entry = Annotations("Made up", ((MADE, ()),))
    monkeypatch.setitem(OFFICIAL, "made_up", entry)
    monkeypatch.setenv("SOUNDSPOT_CACHE", str(tmp_path / "cache"))
    return entry


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    """A folder with the authors' paths."""
    for file in MADE.files.values():
        path = tmp_path / f"mirror/{MADE.name}/raw/{MADE.commit}/{file.path}"
        path.parent.mkdir(parents=True)
        path.write_bytes(CONTENT[file.name])
    return tmp_path / "mirror"


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_files_come_into_one_folder_under_their_own_names(mirror: Path) -> None:
    folder = official.fetch("made_up", source=str(mirror))
    assert folder == official.place("made_up")
    assert names_in(folder) == ["boxes.json", "list.txt"]
    assert (folder / "boxes.json").read_bytes() == CONTENT["boxes.json"]


@pytest.mark.parametrize("inside", ["somebody/some-paper/{}", "some-paper/{}", "{}", "flat"])
def test_a_folder_may_hold_copies_of_repositories_or_the_files(tmp_path: Path, inside: str) -> None:
    for file in MADE.files.values():
        path = tmp_path / "from" / (file.name if inside == "flat" else inside.format(file.path))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(CONTENT[file.name])
    assert names_in(official.fetch("made_up", to=tmp_path / "to", source=str(tmp_path / "from"))) == sorted(CONTENT)


def test_a_file_address_is_a_folder_too(mirror: Path, tmp_path: Path) -> None:
    assert names_in(official.fetch("made_up", to=tmp_path / "to", source=mirror.as_uri())) == sorted(CONTENT)


@pytest.mark.parametrize("source", ["http://mirror.example", "ftp://mirror.example/x", "file://host/x", "https://"])
def test_other_addresses_are_refused(tmp_path: Path, source: str) -> None:
    with pytest.raises(UserError, match=re.escape(f"file:///... or https://..., got '{source}'")):
        official.fetch("made_up", to=tmp_path / "to", source=source)


def test_another_content_is_refused_and_not_kept(mirror: Path, tmp_path: Path) -> None:
    (mirror / f"{MADE.name}/raw/{MADE.commit}/lists/list.txt").write_bytes(b"a\nc\n")
    known = MADE.files["list.txt"].sha256
    with pytest.raises(
        UserError, match=rf"some-paper's lists/list.txt with sha256 {known}, got [0-9a-f]{{64}}"
    ) as told:
        official.fetch("made_up", to=tmp_path / "to", source=str(mirror))
    assert f"replace {mirror / MADE.name}/raw/abc1234/lists/list.txt by the authors' own" in str(told.value)
    assert not (tmp_path / "to").exists()


def test_a_longer_content_is_not_even_read(mirror: Path, tmp_path: Path) -> None:
    with (mirror / f"{MADE.name}/raw/{MADE.commit}/metadata/boxes.json").open("ab") as file:
        file.write(b" ")
    with pytest.raises(UserError, match=r"mirror.*boxes\.json: expected .*boxes\.json of 15 bytes, got more"):
        official.fetch("made_up", to=tmp_path / "to", source=str(mirror))
    assert not (tmp_path / "to").exists()


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    for source in (str(tmp_path / "none"), (tmp_path / "none").as_uri()):
        with pytest.raises(
            UserError, match=r"--from: expected a folder .*, got no such folder: .*none; check the path"
        ):
            official.fetch("made_up", to=tmp_path / "to", source=source)


def test_a_folder_without_the_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"expected boxes\.json of somebody/some-paper in it, got none"):
        official.fetch("made_up", source=str(tmp_path))


def test_what_is_there_is_kept_and_another_file_of_the_name_too(mirror: Path, tmp_path: Path) -> None:
    folder = official.fetch("made_up", source=str(mirror))
    assert official.fetch("made_up", source=str(tmp_path / "gone")) == folder
    (folder / "list.txt").write_text("mine")
    with pytest.raises(
        UserError, match=r"list\.txt: expected somebody/some-paper's file .*, got another one; remove it"
    ):
        official.fetch("made_up", source=str(mirror))
    assert (folder / "list.txt").read_text() == "mine"


def test_unknown_names_and_names_by_hand() -> None:
    with pytest.raises(UserError, match="did you mean 'vggss'"):
        official.fetch("vggs")
    with pytest.raises(UserError, match=r"flickr: expected annotations that can be fetched, got ones by hand: .*Drive"):
        official.fetch("flickr")


class Web:
    """Answers in the place of the network: bytes, or an error to raise, by address."""

    def __init__(self, answers: dict[str, bytes | Exception]) -> None:
        self.answers, self.asked = answers, []

    def open(self, request: urllib.request.Request, timeout: float) -> io.BytesIO:
        assert timeout == official.TIMEOUT_SECONDS
        self.asked.append(request.full_url)
        answer = self.answers[request.full_url]
        if isinstance(answer, Exception):
            raise answer
        return io.BytesIO(answer)


def gone(code: int = 404) -> urllib.error.HTTPError:
    return urllib.error.HTTPError("", code, "Not Found", {}, None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("source", "base"), [(None, official.AUTHORS), ("https://mirror.example/x/", "https://mirror.example/x")]
)
def test_the_known_version_is_asked_for_then_the_newest(
    monkeypatch: pytest.MonkeyPatch, source: str | None, base: str
) -> None:
    known, newest = f"{base}/somebody/some-paper/raw/abc1234", f"{base}/somebody/some-paper/raw/HEAD"
    web = Web(
        {
            f"{known}/metadata/boxes.json": CONTENT["boxes.json"],
            f"{known}/lists/list.txt": gone(),
            f"{newest}/lists/list.txt": CONTENT["list.txt"],
        }
    )
    monkeypatch.setattr(official, "_opener", lambda: web)
    assert names_in(official.fetch("made_up", source=source)) == sorted(CONTENT)
    assert web.asked == list(web.answers)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (gone(), "raw/HEAD/metadata/boxes.json, got: HTTP 404 Not Found; check the network"),
        (gone(503), "raw/abc1234/metadata/boxes.json, got: HTTP 503"),
        (urllib.error.URLError("no route to host"), "got: no route to host; check the network, or give a folder"),
        (TimeoutError("timed out"), "got: timed out"),
        (b"x" * 16, "boxes.json of 15 bytes, got more"),
        (b"x" * 15, "boxes.json with sha256"),
    ],
)
def test_what_goes_wrong_on_the_way_is_one_line(
    monkeypatch: pytest.MonkeyPatch, answer: bytes | Exception, said: str
) -> None:
    base = f"{official.AUTHORS}/somebody/some-paper/raw"
    web = Web({f"{base}/{version}/metadata/boxes.json": answer for version in ("abc1234", "HEAD")})
    monkeypatch.setattr(official, "_opener", lambda: web)
    with pytest.raises(UserError, match=said) as caught:
        official.fetch("made_up")
    assert "\n" not in str(caught.value)
    assert not official.place("made_up").exists()


def test_redirects_lead_to_https_only() -> None:
    request = urllib.request.Request("https://a.example/x")
    follow = official._OnlyHttps().redirect_request
    there = follow(request, None, 302, "Found", {}, "https://b.example/y")  # type: ignore[arg-type]
    assert there is not None
    assert there.full_url == "https://b.example/y"
    for address in ("http://b.example/y", "file:///etc/passwd"):
        with pytest.raises(UserError, match=r"a redirect to .*, which is not https"):
            follow(request, None, 302, "Found", {}, address)  # type: ignore[arg-type]


def test_the_verbs_fetch_say_the_licence_and_list(mirror: Path, tmp_path: Path, command: Callable) -> None:
    done = command("annotations", "fetch", "made_up", "--to", tmp_path / "to", "--from", mirror)
    assert (done.code, done.out) == (0, f"made_up\t{tmp_path / 'to'}\n")
    assert done.err == (
        "made_up: from somebody/some-paper, licence of that repository: none stated; you get the files from the authors"
        " themselves: ask them before you pass them on\n"
    )
    command("annotations", "fetch", "made_up", "--from", mirror.as_uri())
    told = json.loads(command("annotations", "list", "--json").out)
    paths = {row["name"]: row["path"] for row in told["fetched"]}
    assert paths["made_up"] == str(official.place("made_up"))
    assert paths["vggss"] == ""
    assert "Zenodo record 4079386" in told["by_hand"]["music_synthetic"]
    shown = command("annotations", "list").out
    assert "stoneMo/EZ-VSL" in shown
    assert "by hand: flickr: " in shown
    refused = command("annotations", "fetch", "made_up", "--to", tmp_path / "no", "--from", "http://mirror.example")
    assert (refused.code, len(refused.err.splitlines())) == (2, 1)


def test_the_table_is_whole() -> None:
    for name, known in OFFICIAL.items():
        names = [file.name for file in known.files]
        assert len(set(names)) == len(names), name
        assert all(len(bytes.fromhex(file.sha256)) == 32 and file.size > 0 for file in known.files)
        assert set(known.benchmarks) <= BENCHMARKS.keys()
        assert name not in BENCHMARKS or name in known.benchmarks
        assert name not in official.BY_HAND


def test_every_benchmark_is_fetched_or_named_by_hand() -> None:
    fetched = {name for known in OFFICIAL.values() for name in known.benchmarks}
    by_hand = {name for name in BENCHMARKS if any(name.startswith(start) for start in official.BY_HAND)}
    assert fetched | by_hand == BENCHMARKS.keys() - {"samples"}


@pytest.fixture(scope="module")
def real(annotations: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mirror of the authors' repositories out of the files at hand, of which each is there once."""
    rows = (annotations / "SAME.md").read_text().splitlines()
    copies = {name: names[0] for row in rows if (names := re.findall(r"`([^`]+)`", row)) for name in names}
    mirror = tmp_path_factory.mktemp("mirror")
    for file in {file for known in OFFICIAL.values() for file in known.files if file.repository != MADE}:
        name = f"{file.repository.name.replace('/', '+', 1)}/{file.path}"
        place = mirror / f"{file.repository.name}/raw/{file.repository.commit}/{file.path}"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(annotations / copies.get(name, name))
    return mirror


@pytest.mark.shared
@pytest.mark.parametrize("name", sorted(OFFICIAL))
def test_the_real_files_are_the_known_ones_and_can_be_read(name: str, real: Path) -> None:
    folder = official.fetch(name, source=str(real))
    assert names_in(folder) == sorted(file.name for file in OFFICIAL[name].files)
    for benchmark in OFFICIAL[name].benchmarks:
        assert BENCHMARKS[benchmark].load(folder)
        assert BENCHMARKS[benchmark].missing(folder) == []


@pytest.mark.shared
def test_every_training_list_of_a_recipe_can_be_fetched(real: Path, tmp_path: Path) -> None:
    known: dict[tuple[str, str], File] = {
        (file.repository.name, file.name): file for entry in OFFICIAL.values() for file in entry.files
    }
    assert {(item.source, item.file) for item in TRAINING_LISTS.values()} <= known.keys()
    folder = official.fetch("vggsound_lists", to=tmp_path, source=str(real))
    assert len(training_list("heard_110", folder)) == 59_468


@pytest.mark.shared
def test_scoring_works_right_after_fetching(real: Path, tmp_path: Path, command: Callable) -> None:
    to = tmp_path / "there"
    assert command("annotations", "fetch", "vggss", "avsbench_boxes", "--to", to, "--from", real).code == 0
    small = command("score", "centre", "--benchmark", "avsbench_ms3_boxes", "--annotations", to, "--json")
    assert json.loads(small.out)["provenance"]["clips_listed"] == 320
    ids = tmp_path / "some.txt"
    ids.write_text("\n".join((to / "vggss_heard_test.csv").read_text().splitlines()[:50]))
    words = ("score", "centre", "--benchmark", "vggss_extended", "--annotations", to, "--ids", ids, "--json")
    some = json.loads(command(*words).out)
    assert some["provenance"]["clips_listed"] == 50
    assert some["benchmark"] == "vggss_extended, clips of some.txt"
