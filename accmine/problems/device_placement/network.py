"""Seam to the cluster: what the messages and collectives of a placement take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from accmine.errors import Complaint, InputError
from accmine.system import Cluster

__all__ = ["cluster_from_json", "cluster_to_json", "collective_s", "level_sizes", "transfer_s"]


def level_sizes(cluster: Cluster) -> tuple[int, ...]:
    """Devices below one switch of each level, from the inside out, without the last."""
    del cluster
    return ()


def transfer_s(cluster: Cluster, message_bytes: int, a: int, b: int) -> float:
    """Seconds of a message between two ranks; none between a device and itself."""
    return 0.0 if a == b else cluster.transfer_s(message_bytes)


def collective_s(cluster: Cluster, kind: str, message_bytes: int, ranks: int, stride: int) -> float:
    """Seconds of a collective among ``ranks`` devices, ``stride`` apart, as a ring."""
    del stride
    if ranks < 2 or not message_bytes:
        return 0.0
    turns = (ranks - 1) * (2 if kind == "all-reduce" else 1)
    return turns * (cluster.latency_s + message_bytes / ranks / cluster.link_bytes_per_s)


def cluster_from_json(obj: Any) -> Cluster:
    """A cluster written inline, in SI units."""
    keys = ("name", "link_bytes_per_s", "latency_s", "topology", "source")
    if not isinstance(obj, Mapping):
        raise InputError(f"an object with {', '.join(keys)} is needed")
    wrong = [Complaint("", str(k), f"unknown key; allowed: {', '.join(keys)}") for k in obj if k not in keys]
    wrong += [Complaint("", k, "missing") for k in keys[1:3] if k not in obj]
    if wrong:
        raise InputError(wrong)
    return Cluster(**{"name": "cluster", **obj})


def cluster_to_json(cluster: Cluster) -> dict[str, Any]:
    """The inverse of ``cluster_from_json``."""
    return asdict(cluster)
