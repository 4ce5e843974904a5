"""`torchrun` over two machines, here namespaces of the network: joined by one cable, each with files of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from soundspot.data.shards import Packed
from soundspot.data.training import Plan

NETWORK = "10.77.0"
PORT = 29411
BATCH = 4
SETTINGS = {
    "data.ids": "none",
    "data.test_ids": "",
    "batch_size": BATCH,
    "epochs": 1,
    "optimizer": "sgd",
    "learning_rate": 0.01,
    "log_steps": 1,
    "num_workers": 0,
    "method.image_backbone": "resnet10t",
    "method.audio_backbone": "resnet10t",
    "method.image_size": 64,
    "method.seconds": 0.5,
    "method.sample_rate": 8000,
    "method.batch_norm": "frozen",
    "method.dim": 32,
    "compile": "off",
    "autocast": "off",
}
SETS = [word for key, value in SETTINGS.items() for word in ("--set", f"{key}={value}")]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


@pytest.fixture(scope="module")
def machines() -> Iterator[list[str]]:
    """Two namespaces that reach each other and nothing else; CI must be able to make them, others may go without."""
    names = [f"soundspot{os.getpid()}{side}" for side in "ab"]
    cables = [f"ss{os.getpid()}{side}" for side in "ab"]
    try:
        for name in names:
            ip("netns", "add", name)
        ip("link", "add", cables[0], "type", "veth", "peer", "name", cables[1])
        for number, (name, cable) in enumerate(zip(names, cables, strict=True), 1):
            ip("link", "set", cable, "netns", name)
            ip("-n", name, "link", "set", cable, "name", "cable")
            ip("-n", name, "address", "add", f"{NETWORK}.{number}/24", "dev", "cable")
            for device in ("cable", "lo"):
                ip("-n", name, "link", "set", device, "up")
        yield names
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        reason = getattr(error, "stderr", "") or str(error)
        how = f"not run: this machine makes no network namespaces ({reason.strip()}); needs `ip`, and root"
        if os.environ.get("CI"):
            pytest.fail(how, pytrace=False)
        pytest.skip(how)
    finally:
        if shutil.which("ip") is not None:
            for name in names:
                subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


@pytest.fixture(scope="module")
def packed(pairs_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("packed") / "whole"
    code = "from soundspot.cli import main; main()"
    words = ["pack", "ez_vsl_flickr_10k", str(pairs_root), str(out), *SETS, "--clips", "5", "--jobs", "1"]
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return out


def share_of(rank: int, packed: Path, out: Path) -> Path:
    """A copy in which every part of every clip of the other rank is made of zeros."""
    shutil.copytree(packed, out)
    there = Packed.at(out)
    ids = sorted(there.rows)
    plan = Plan(len(ids), BATCH, seed=0, rank=rank, num_ranks=2)
    own = {ids[index] for step in plan.steps(0) for batch in step for index in batch}
    assert len(own) == len(ids) // BATCH * BATCH // 2
    for name in set(ids) - own:
        row = there.rows[name]
        with row.shard.open("rb+") as file:
            for start, size, _ in row.moments[0].values():
                file.seek(start)
                file.write(bytes(size))
    return out


def training(root: Path, out: Path) -> list[str]:
    return ["train", "ez_vsl_flickr_10k", "--root", str(root), "--out", str(out), *SETS]


def launch(*words: str) -> list[str]:
    entry = (sys.executable, "-c", "from soundspot.cli import main; main()")
    return [sys.executable, "-m", "torch.distributed.run", *words, "--no-python", *entry]


def losses(out: Path) -> list[float]:
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [row["loss"] for row in rows if row["kind"] == "step"]


def test_two_machines_compute_what_two_processes_of_one_do_and_each_reads_its_share(
    machines: list[str], packed: Path, tmp_path: Path, command: Callable[..., Any]
) -> None:
    alone, together = tmp_path / "alone", tmp_path / "together"
    one = [*launch("--standalone", "--nproc-per-node=2"), *training(packed, alone)]
    done = subprocess.run(one, capture_output=True, text=True, timeout=500, env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr[-3000:]
    agents = []
    for rank, name in enumerate(machines):
        root = share_of(rank, packed, tmp_path / f"root{rank}")
        # the node's number decides which rank is whose, and so whose share is whose
        words = launch(
            "--nnodes=2",
            "--nproc-per-node=1",
            f"--node-rank={rank}",
            "--rdzv-backend=c10d",
            f"--rdzv-endpoint={NETWORK}.1:{PORT}",
            # an agent tells by its names whether the endpoint is its own, and a namespace has none
            f"--rdzv-conf=is_host={'false' if rank else 'true'},timeout=300",
            "--rdzv-id=two",
            f"--local-addr={NETWORK}.{rank + 1}",
        )
        words = ["ip", "netns", "exec", name, *words, *training(root, together)]
        more = {"GLOO_SOCKET_IFNAME": "cable", "TORCH_DISTRIBUTED_DEBUG": "OFF"}
        agents.append(
            subprocess.Popen(
                words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**ENVIRONMENT, **more}
            )
        )
    try:
        told = [agent.communicate(timeout=500)[0] for agent in agents]
    finally:
        for agent in agents:
            agent.kill()
    assert [agent.returncode for agent in agents] == [0, 0], "\n".join(text[-3000:] for text in told)
    summary = json.loads((together / "summary.json").read_text())
    assert (summary["num_ranks"], summary["clips_missing"]) == (2, 0), "the zeros were never read"
    assert losses(together) == losses(alone)
    ours, theirs = (load_file(out / "weights.safetensors") for out in (together, alone))
    for name, tensor in ours.items():
        assert torch.equal(tensor, theirs[name]), name
