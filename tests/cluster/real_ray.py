"""A real Ray cluster on this machine."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


@contextmanager
def real_ray(deadly: str) -> Iterator[str]:
    """Of a head with two workers, in whose processes some films are deadly."""
    patient = {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_health_check_failure_threshold": "1000",
        "RAY_health_check_timeout_ms": "100000",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": deadly,
    }
    before = {name: os.environ.get(name) for name in patient}
    os.environ.update(patient)
    from ray._private.node import Node
    from ray.cluster_utils import Cluster

    names = ("metrics_agent_port", "runtime_env_agent_port", "dashboard_agent_listen_port", "metrics_export_port")
    ports = {name: free_port() for name in names}
    start = Node.start_raylet

    def start_raylet(self: Node, *words: object, **more: object) -> object:
        # the raylet gives its agents 15 s to say their ports, and ends otherwise: too little where other tests run
        for name, port in ports.items():
            Path(self._session_dir, f"{name}_{self._node_id}").write_text(str(port))
        return start(self, *words, **more)

    Node.start_raylet = start_raylet
    light = SimpleNamespace(include_log_monitor=False, no_monitor=True, include_dashboard=False)
    try:
        cluster = Cluster(
            initialize_head=True,
            head_node_args={**vars(light), **ports, "num_cpus": 2, "object_store_memory": 128 * 2**20},
        )
    finally:
        Node.start_raylet = start
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
    try:
        yield cluster.address
    finally:
        cluster.shutdown()
