"""The process that takes what goes wrong upon itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from soundspot.cluster.child import Child, Lost
from soundspot.types import UserError


def begin():
    return work


def work(item, alive):
    kind, value = item
    if kind == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "die once" and not Path(value).exists():
        Path(value).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "stand":
        time.sleep(1000)
    if kind == "slow":
        for _ in range(8):
            time.sleep(0.5)
            alive()
    if kind == "wrong":
        raise KeyError(value)
    return kind, value, os.getpid()


def refuse():
    raise UserError("expected weights, got none; fetch them")


@pytest.fixture
def child(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    import test_child

    child = Child(test_child.begin, 3.0)
    yield child
    child.close()


def test_what_dies_or_stands_still_is_lost_and_the_next_is_done(child: Child, tmp_path: Path) -> None:
    first = child.do(("a", 1))
    assert first[:2] == ("a", 1)
    assert child.do(("b", 2))[2] == first[2] != os.getpid(), "one process for all"
    with pytest.raises(Lost, match=r"the process died twice \(signal 9\)"):
        child.do(("die", 0))
    assert child.do(("die once", str(tmp_path / "mark")))[:1] == ("die once",), "somebody else may have ended it"
    with pytest.raises(Lost, match="nothing moved for 3 s"):
        child.do(("stand", 0))
    assert child.do(("slow", 0))[:1] == ("slow",), "what says that it lives is waited for"
    with pytest.raises(Lost, match=r"died twice \(exit code 1\)"):
        child.do(("wrong", 0))


def test_what_cannot_begin_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    import test_child

    with pytest.raises(UserError, match="expected weights, got none; fetch them"):
        Child(test_child.refuse, 3.0).do(0)
    with pytest.raises(RuntimeError, match="could not begin to work: exit code 1"):
        Child(lambda_free, 3.0).do(0)


def lambda_free():
    raise KeyError("no user's mistake")


def test_it_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import test_child\n"
        "from soundspot.cluster.child import Child\n"
        "child = Child(test_child.begin, 100.0)\n"
        "print(child.do(('a', 1))[2], flush=True)\n"
        "child.do(('stand', 0))\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
    until = time.monotonic() + 30
    while Path(f"/proc/{pid}").exists() and "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text():
        assert time.monotonic() < until, "it is still there"
        time.sleep(0.1)
