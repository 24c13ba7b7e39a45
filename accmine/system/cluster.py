"""Clusters: the links between the devices of a pipeline."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accmine.errors import Complaint, InputError

__all__ = ["TOPOLOGIES", "Cluster", "cluster_from_mapping", "load_cluster"]

TOPOLOGIES = ("ring", "point-to-point")
"""``ring``: every device is linked to two neighbours; ``point-to-point``: neighbouring stages have a link of their
own. In both a pipeline has one full-duplex link per boundary; a ring has one more, from the last device to the first.
"""

_KEYS = ("name", "link", "latency", "topology", "source")


@dataclass(frozen=True, slots=True)
class Cluster:
    """Devices with equal full-duplex links between neighbours.

    Attributes
    ----------
    link_bytes_per_s
        Effective bandwidth of a link in each direction.
    latency_s
        Time of an empty message.
    topology
        One of :data:`TOPOLOGIES`.
    source
        Where the figures come from.
    """

    name: str
    link_bytes_per_s: float
    latency_s: float
    topology: str = "ring"
    source: str = ""

    def __post_init__(self) -> None:
        wrong = []
        if not (math.isfinite(self.link_bytes_per_s) and self.link_bytes_per_s > 0):
            wrong.append(Complaint("", "link", f"{self.link_bytes_per_s!r} bytes/s; more than 0 is needed"))
        if not (math.isfinite(self.latency_s) and self.latency_s >= 0):
            wrong.append(Complaint("", "latency", f"{self.latency_s!r} s; at least 0 is needed"))
        if self.topology not in TOPOLOGIES:
            wrong.append(Complaint("", "topology", f"{self.topology!r}; allowed: {', '.join(TOPOLOGIES)}"))
        if wrong:
            raise InputError(wrong)

    def transfer_s(self, message_bytes: float) -> float:
        """Seconds of one message over one link: latency + bytes / bandwidth; 0 when there is nothing to send.

        Raises
        ------
        InputError
            If ``message_bytes`` is negative.
        """
        if message_bytes < 0:
            raise InputError(f"a message of {message_bytes} bytes; at least 0 is needed")
        return self.latency_s + message_bytes / self.link_bytes_per_s if message_bytes else 0.0


def cluster_from_mapping(data: Any, where: str = "") -> Cluster:
    """A cluster from the values of its YAML file.

    Raises
    ------
    InputError
        If a key is unknown or missing, or a value has a wrong unit.
    """
    from accmine.files import parse_quantity

    if not isinstance(data, Mapping):
        raise InputError(f"a cluster is an object with {', '.join(_KEYS)}", where)
    wrong = [Complaint(where, str(k), f"unknown key; allowed: {', '.join(_KEYS)}") for k in data if k not in _KEYS]
    wrong += [Complaint(where, k, "missing") for k in ("name", "link", "latency") if k not in data]
    values = {"link": 1.0, "latency": 0.0}
    for key, dimension in (("link", "bytes/s"), ("latency", "seconds")):
        if key in data:
            try:
                values[key] = parse_quantity(data[key], dimension)
            except InputError as error:
                wrong += [Complaint(where, key, c.message) for c in error.complaints]
    if wrong:
        raise InputError(wrong)
    try:
        return Cluster(
            name=str(data["name"]),
            link_bytes_per_s=values["link"],
            latency_s=values["latency"],
            topology=str(data.get("topology", "ring")),
            source=str(data.get("source", "")),
        )
    except InputError as error:
        raise InputError([Complaint(where, c.field, c.message) for c in error.complaints]) from None


def load_cluster(name_or_path: str | Path, relative_to: Path | None = None) -> Cluster:
    """A shipped cluster by name, or one from a YAML file.

    Raises
    ------
    InputError
        If there is no such cluster, or the file is wrong.
    """
    from accmine.files import load_yaml, resolve

    document = load_yaml(resolve("clusters", name_or_path, relative_to))
    try:
        return cluster_from_mapping(document.data)
    except InputError as error:
        located = [
            Complaint(document.locate((c.field,) if c.field else ()), c.field, c.message) for c in error.complaints
        ]
        raise InputError(located) from None
