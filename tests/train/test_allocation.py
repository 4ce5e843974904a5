"""Freed memory stays with the process: in one of its own, for it cannot be undone."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

CODE = """
import resource, sys
from soundspot.train.allocation import keep_freed_memory
if sys.argv[1] == "kept":
    assert keep_freed_memory()
def fill():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    b"x" * 2**26  # 64 MiB: 16,384 pages
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
fill()
print(fill())
"""


def faults(how: str) -> int:
    done = subprocess.run([sys.executable, "-c", CODE, how], check=True, capture_output=True, text=True)
    return int(done.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="not run: glibc's malloc alone can be told")
def test_what_was_freed_is_there_without_a_page_fault() -> None:
    assert faults("kept") < 100
    assert faults("returned") > 1000


def test_a_choice_in_the_environment_stays() -> None:
    code = "import os; from soundspot.train.allocation import keep_freed_memory as keep; keep();"
    code += "print(os.environ['THP_MEM_ALLOC_ENABLE'])"
    for given, wanted in (("0", "0"), (None, "1")):
        env = {key: value for key, value in os.environ.items() if key != "THP_MEM_ALLOC_ENABLE"}
        env |= {} if given is None else {"THP_MEM_ALLOC_ENABLE": given}
        done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=env)
        assert done.stdout.strip() == wanted
