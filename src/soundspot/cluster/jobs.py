"""Run a job's shards on Ray Data: on this machine, or on a cluster that runs; all that knows of Ray."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from soundspot.data.workers import usable_cores
from soundspot.types import UserError

AUTO = "auto"
START_TRIES = 3
CONNECT_SECONDS = 10.0
STORE_BYTES = 512 * 2**20
"""Of a local cluster's memory for what passes between processes: rows here are small."""


@dataclass(frozen=True)
class Workers:
    """Of what kind and how many."""

    cluster: str = AUTO
    """auto: of this machine; or the address of a cluster that runs."""
    jobs: int | None = None
    """None: as many as there are cores, or GPUs, when the job begins."""
    num_gpus: int = 0
    """Of each."""


def ray_module() -> Any:
    """Ray with Ray Data. UserError where it is not installed."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would tell its makers of every run
    # what it would write to our stderr is of use to its makers alone
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise UserError("expected Ray for --cluster, got none; pip install 'soundspot[cluster]'") from error
    return ray


@contextmanager
def session(workers: Workers) -> Iterator[Any]:
    """Ray, started or joined, and left at the end; one that this process has joined already is used as it is."""
    ray = ray_module()
    if ray.is_initialized():
        yield ray
        return
    _join(ray, workers)
    try:
        yield ray
    finally:
        ray.shutdown()


def _join(ray: Any, workers: Workers) -> None:
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    if workers.cluster != AUTO:
        _require_listener(workers.cluster)
        ray.init(address=workers.cluster, **quiet)
        return
    for number in range(START_TRIES):
        try:
            ray.init(
                address="local",  # never one that somebody else has running here
                num_cpus=workers.jobs or usable_cores(),
                include_dashboard=False,
                object_store_memory=STORE_BYTES,
                **quiet,
            )
            return
        except Exception as error:  # Ray has no class of its own for a busy machine on which it started too slowly
            ray.shutdown()
            if "timed out" not in str(error):
                raise
            if number + 1 == START_TRIES:
                raise UserError(
                    "expected Ray to start on this machine in its 30 s, got a machine too busy for it; try again later,"
                    " or start it by `ray start --head` and give --cluster its address"
                ) from error


def _require_listener(address: str) -> None:
    """UserError unless somebody listens there: Ray itself would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
    except (OSError, ValueError) as error:
        raise UserError(
            f"expected auto, or HOST:PORT of a Ray cluster that runs, got {address} ({error}); start one with"
            " `ray start --head`, or give --cluster auto"
        ) from error


def each_shard(ray: Any, work: type, job: Any, items: Sequence[Mapping[str, Any]], workers: Workers) -> Iterator[Any]:
    """What `work(job)(item)` gives for every item, a dict each, as they are done.

    An object of the class is made once a worker. A worker that dies is replaced, and its item begun anew.
    """
    if not items:
        return
    _hush(ray)
    have = ray.cluster_resources()
    free = have.get("GPU", 0) // workers.num_gpus if workers.num_gpus else have.get("CPU", 1)
    most = max(1, min(len(items), int(free), workers.jobs or int(free)))
    data = ray.data.from_items(list(items), override_num_blocks=len(items)).map(
        work,
        fn_constructor_args=(job,),
        compute=ray.data.ActorPoolStrategy(min_size=1, max_size=most, initial_size=most),
        num_cpus=1,
        num_gpus=workers.num_gpus or None,
    )
    yield from data.iter_rows()


def _hush(ray: Any) -> None:
    """Our own bar says how far it is."""
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
