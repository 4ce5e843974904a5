"""No loader that can run code from a file, and no fetching of a model, stands in src without a reason here."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import soundspot

SRC = Path(soundspot.__file__).parent
MODULES = {"pickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "yaml", "runpy", "sqlite3"}
CALLS = {
    "torch.load",
    "torch.jit.load",
    "torch.export.load",
    "torch.hub.load",
    "eval",
    "exec",
    "__import__",
    "os.system",
}
HUB = {"from_pretrained", "hf_hub_download", "snapshot_download", "load_state_dict_from_url", "load_dataset"}
OWN = "Localizer.from_pretrained"
"""Ours: it takes a .safetensors file by its path, and fetches nothing."""
MUST_BE = {"weights_only": True, "trust_remote_code": False, "allow_pickle": False, "shell": False}
"""What these words may be set to."""
ALLOWED = {
    ("tensors.py", "<module>", "import pickle"): "for the class of its error alone",
    ("tensors.py", "read_published", "torch.load"): "soundspot convert, with weights_only",
    ("encoders.py", "_convert_lite", "torch.load"): "of a file whose sha256 was checked before, with weights_only",
    ("nets/tags.py", "_file", "hf_hub_download"): "model.safetensors alone; a revision may be given",
    ("nets/clip.py", "load", "AutoConfig.from_pretrained"): "JSON, no remote code; a revision may be given",
    ("nets/clip.py", "load", "loader.from_pretrained"): "safetensors alone; a revision may be given",
    ("nets/clip.py", "load", "AutoTokenizer.from_pretrained"): "JSON, no remote code; a revision may be given",
    ("samples/diffusion.py", "diffusion_painter", "loader.from_pretrained"): "safetensors alone, no remote code",
}
"""(file, function, what stands there) -> why it may."""


def suspects(source: str) -> Iterator[tuple[str, str, ast.Call | None]]:
    """(function, what stands there, the call) for all that may run code from a file, or fetches a model."""
    tree = ast.parse(source)
    full = {  # "from torch import load as l" -> {"l": "torch.load"}
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names
    }  # fmt: skip
    full |= {
        alias.asname: alias.name
        for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names if alias.asname
    }  # fmt: skip

    def walk(node: ast.AST, function: str) -> Iterator[tuple[str, str, ast.Call | None]]:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            function = node.name
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        else:
            found = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        yield from ((function, f"import {name}", None) for name in found if name.split(".")[0] in MODULES)
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            first, _, rest = name.partition(".")
            known = full.get(first, first) + (f".{rest}" if rest else "")
            loose = any(_is_loose(each) for each in node.keywords)
            last = known.rsplit(".", 1)[-1]
            fetched = (last in HUB and name != OWN) or (last == "create_model" and _asks_for_weights(node))
            if known in CALLS or fetched or loose:
                yield function, name, node
        for child in ast.iter_child_nodes(node):
            yield from walk(child, function)

    yield from walk(tree, "<module>")


def _is_loose(word: ast.keyword) -> bool:
    """Whether a word of a call allows what it must not, or leaves it to a variable."""
    if word.arg not in MUST_BE:
        return False
    return not isinstance(word.value, ast.Constant) or word.value.value is not MUST_BE[word.arg]


def _asks_for_weights(call: ast.Call) -> bool:
    """timm fetches weights, a pickle too, where it is told `pretrained`."""
    return any(word.arg == "pretrained" for word in call.keywords)


def found_in_src() -> dict[tuple[str, str, str], ast.Call | None]:
    return {
        (str(path.relative_to(SRC)), function, name): call
        for path in sorted(SRC.rglob("*.py"))
        for function, name, call in suspects(path.read_text(encoding="utf-8"))
    }


def test_every_loader_that_could_run_code_has_its_reason() -> None:
    assert found_in_src().keys() == ALLOWED.keys(), "add a reason to ALLOWED, or load safetensors or JSON instead"


@pytest.mark.parametrize(("last", "word", "value"), [
    ("torch.load", "weights_only", True), ("loader.from_pretrained", "use_safetensors", True),
    ("AutoTokenizer.from_pretrained", "trust_remote_code", False),
    ("AutoConfig.from_pretrained", "trust_remote_code", False),
])  # fmt: skip
def test_those_that_stay_are_told_to_be_careful(last: str, word: str, value: bool) -> None:
    calls = [call for (_, _, name), call in found_in_src().items() if name == last]
    assert calls
    for call in calls:
        assert call is not None
        words = {
            each.arg: ast.literal_eval(each.value) for each in call.keywords if isinstance(each.value, ast.Constant)
        }
        assert words.get(word) is value, ast.unparse(call)


def test_every_picture_is_opened_as_one_of_the_few_formats() -> None:
    opened = [
        (str(path.relative_to(SRC)), call)
        for path in sorted(SRC.rglob("*.py"))
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "Image.open"
    ]
    assert len(opened) > 5
    assert [place for place, call in opened if "formats" not in [word.arg for word in call.keywords]] == []


@pytest.mark.parametrize(
    "line",
    [
        "import joblib",
        "from yaml import load",
        "from torch import load as get\nget('x')",
        "import torch as t\nt.hub.load('a', 'b')",
        "import numpy as np\nnp.load('x', allow_pickle=True)",
        "import numpy as np\nnp.load('x', allow_pickle=wanted)",
        "timm.create_model('resnet18', pretrained=True)",
        "AutoModel.from_pretrained('x')",
        "subprocess.run('ls', shell=True)",
        "eval(text)",
    ],
)
def test_a_new_one_is_seen(line: str) -> None:
    assert list(suspects(line))


@pytest.mark.parametrize(
    "line", ["np.load('x')", "net.eval()", "re.compile('x')", "weights.load(path)", "np.load(p, allow_pickle=False)"]
)
def test_what_is_harmless_is_let_be(line: str) -> None:
    assert not list(suspects(f"import numpy as np, re\nfrom soundspot import weights\n{line}"))
