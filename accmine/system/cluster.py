"""Clusters: levels of devices from the inside out, and what a message between two of them takes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import AfterValidator, Field, StrictStr, TypeAdapter, WithJsonSchema

from accmine.errors import Complaint, InputError
from accmine.files import Document, load_yaml, resolve, validate
from accmine.workload.importers.values import BytesPerSecond, Part, Seconds, Size

__all__ = ["TOPOLOGIES", "Cluster", "Level", "cluster_schema", "load_cluster", "read_cluster"]

TOPOLOGIES = ("switch", "fat-tree", "ring", "point-to-point")
"""What joins the parts of a level (devices, or blocks of the level inside).

``switch``: any part reaches any other at full bandwidth, whatever the others do.
``fat-tree``: several switches with fixed routes. As a switch, but in an all-to-all, where every device speaks to every
other, routes collide (``accmine.system.collectives.FIXED_ROUTES``).
``ring``: links to two neighbours, half of the bandwidth each; the last part is linked to the first. A message takes one
link after the other. Around the whole ring collectives run in both directions; on a part of it in one, since the way
back takes the other. A torus is one level of this kind for each dimension.
``point-to-point``: as a ring without the link from the last part to the first.
"""

LINKED = ("ring", "point-to-point")
"""Topologies whose parts have links to two neighbours only."""

_Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Level:
    """Devices below one kind of switch, or on one ring.

    Attributes
    ----------
    devices
        How many, those of all blocks of the level inside together; ``None``: any number.
    bytes_per_s
        Of one device in each direction: into what joins this level, all its links together.
    latency_s
        Time of an empty message between two devices that meet at this level (``ring``, ``point-to-point``: of a hop).
    topology
        One of :data:`TOPOLOGIES`.
    efficiency
        Share of ``bytes_per_s`` that collectives reach, 0 to 1.
    start_s
        What a collective takes before its first byte moves: launch, and the devices waiting for one another.
    """

    name: str
    devices: int | None
    bytes_per_s: float
    latency_s: float
    topology: str = "switch"
    efficiency: float = 1.0
    start_s: float = 0.0

    @property
    def link_bytes_per_s(self) -> float:
        """Bandwidth between two neighbours, in each direction."""
        return self.bytes_per_s / 2 if self.topology in LINKED else self.bytes_per_s


@dataclass(frozen=True, slots=True)
class Cluster:
    """Equal devices, joined level by level.

    Attributes
    ----------
    levels
        From the inside out: a node, a rack, all racks. Device r is in block r // devices of each level.
    source
        Where the figures come from.

    Raises
    ------
    InputError
        For a level without bandwidth, one whose devices are no multiple of those inside, or an unknown topology.
    """

    name: str
    levels: tuple[Level, ...]
    source: str = ""

    def __post_init__(self) -> None:
        wrong = [] if self.levels else [Complaint("", "levels", "no level; at least one is needed")]
        for i, level in enumerate(self.levels):
            inside = self.levels[i - 1].devices if i else 1
            found = [*_wrong_values(level), *_wrong_size(level, inside, last=i == len(self.levels) - 1)]
            wrong += [Complaint("", f"levels.{i}.{key}", message) for key, message in found]
        if wrong:
            raise InputError(wrong)

    @property
    def devices(self) -> float:
        """How many it joins; infinity where the outermost level takes any number."""
        return math.inf if self.levels[-1].devices is None else self.levels[-1].devices

    @property
    def link_bytes_per_s(self) -> float:
        """Bandwidth between neighbours of the innermost level, in each direction."""
        return self.levels[0].link_bytes_per_s

    @property
    def latency_s(self) -> float:
        """Time of an empty message between neighbours of the innermost level."""
        return self.levels[0].latency_s

    @property
    def topology(self) -> str:
        """Of the innermost level."""
        return self.levels[0].topology

    def require(self, devices: int) -> None:
        """Refuse more devices than are joined.

        Raises
        ------
        InputError
            If there is no way from one of them to another.
        """
        if devices > self.devices:
            outermost = self.levels[-1]
            raise InputError(
                f"{devices} devices are disconnected: {outermost.name}, the outermost level of {self.name}, joins "
                f"{outermost.devices}; allowed: up to {outermost.devices}, or add a level around it"
            )

    def transfer_s(self, message_bytes: float, a: int = 0, b: int = 1) -> float:
        """Seconds of one message from device ``a`` to device ``b``; 0 when there is nothing to send.

        The innermost level that holds both decides: its latency + bytes / bandwidth, but no faster than the levels
        inside, which the message crosses as well.

        Raises
        ------
        InputError
            If ``message_bytes`` is negative, or the cluster has no such device.
        """
        if message_bytes < 0:
            raise InputError(f"a message of {message_bytes} bytes; at least 0 is needed")
        if min(a, b) < 0:
            raise InputError(f"device {min(a, b)}; they are counted from 0")
        self.require(max(a, b) + 1)
        if a == b or not message_bytes:
            return 0.0
        latency, rate = self._line(np.array([a]), np.array([b]), None)
        return float(latency[0] + message_bytes / rate[0])

    def boundary_s(
        self,
        message_bytes: float | Sequence[float] | _Array,
        stride: int,
        pipeline: int,
        *,
        stages: int | None = None,
        devices: int | None = None,
    ) -> _Array:
        """Seconds of the messages between neighbouring stages, each the worst over all pipelines side by side.

        Stage k runs on place k mod ``pipeline`` of each pipeline; places are ``stride`` ranks apart.

        Parameters
        ----------
        message_bytes
            Of every boundary, or of each: shape (stages - 1,).
        stages
            Default: ``pipeline``; more with several chunks on a device.
        devices
            Of all pipelines together; default: one block of ``stride * pipeline``.

        Returns
        -------
        array
            Shape (stages - 1,).

        Raises
        ------
        InputError
            If the cluster joins fewer devices, or a message is negative.
        """
        stages = pipeline if stages is None else stages
        messages = np.broadcast_to(np.asarray(message_bytes, dtype=float), (max(stages - 1, 0),))
        if (messages < 0).any():
            raise InputError(f"a message of {messages.min():g} bytes; at least 0 is needed")
        devices = max(stride * pipeline, devices or 0)
        self.require(devices)
        latency, rate = _boundaries(self, stride, pipeline, devices)
        place = np.arange(len(messages)) % pipeline
        # of all columns: the slowest with small messages need not be the slowest with large ones
        times = (latency[place] + messages[:, None] / rate[place]).max(axis=1)
        return np.where(messages > 0, times, 0.0)

    def _line(self, a: _Array, b: _Array, devices: int | None) -> tuple[_Array, _Array]:
        """Latency and bytes/s between devices, elementwise; ``devices`` in use end an outermost ring of any number."""
        latency, rate = np.zeros(a.shape), np.full(a.shape, math.inf)
        unit, slowest_s, least = 1, 0.0, math.inf
        apart = a != b
        for level in self.levels:
            slowest_s, least = max(slowest_s, level.latency_s), min(least, level.link_bytes_per_s)
            size = level.devices
            here = apart if size is None else apart & (a // size == b // size)
            hops = np.ones(a.shape)
            if level.topology in LINKED:
                hops = np.maximum(abs(a // unit - b // unit), 1).astype(float)
                around = size or devices
                if level.topology == "ring" and around is not None:
                    hops = np.minimum(hops, np.maximum(around // unit - hops, 1))
            latency[here], rate[here] = (slowest_s * hops)[here], (least / hops)[here]
            apart = apart & ~here
            unit = size or unit
        return latency, rate


def _wrong_values(level: Level) -> list[tuple[str, str]]:
    wrong = []
    if not (math.isfinite(level.bytes_per_s) and level.bytes_per_s > 0):
        wrong.append(("bandwidth", f"{level.bytes_per_s!r} bytes/s; more than 0 is needed"))
    for key, value in (("latency", level.latency_s), ("collective_start", level.start_s)):
        if not (math.isfinite(value) and value >= 0):
            wrong.append((key, f"{value!r} s; at least 0 is needed"))
    if level.topology not in TOPOLOGIES:
        wrong.append(("topology", f"{level.topology!r}; allowed: {', '.join(TOPOLOGIES)}"))
    if not 0 < level.efficiency <= 1:
        wrong.append(("efficiency", f"{level.efficiency!r}; more than 0 and at most 1 is needed"))
    return wrong


def _wrong_size(level: Level, inside: int | None, last: bool) -> list[tuple[str, str]]:
    """What is wrong with the number of devices of a level around blocks of ``inside``."""
    if level.devices is None:
        return [] if last else [("devices", "is required: only the outermost level takes any number")]
    if inside and (level.devices < max(inside, 1) or level.devices % inside):
        allowed = f"a multiple of the {inside} of the level inside" if inside > 1 else "at least 1"
        return [("devices", f"{level.devices} devices; {allowed} is needed")]
    return []


@lru_cache(maxsize=4096)
def _boundaries(cluster: Cluster, stride: int, pipeline: int, devices: int) -> tuple[_Array, _Array]:
    """Latency and bytes/s from place k of a pipeline to the next: shape (pipeline, different pipelines)."""
    block = stride * pipeline
    # pipelines that begin at the same place of a block of the outermost level but one are alike
    inner = (cluster.levels[-2].devices or 1) if len(cluster.levels) > 1 else 1
    alike = inner // math.gcd(inner, block)
    starts = np.arange(min(stride, inner)), block * np.arange(min(devices // block, alike))
    first = np.add.outer(*starts).reshape(1, -1)
    place = np.arange(pipeline)[:, None]
    latency, rate = cluster._line(first + stride * place, first + stride * ((place + 1) % pipeline), devices)
    different = np.unique(np.concatenate([latency, rate]), axis=1)
    return different[:pipeline], different[pipeline:]


def _topology(word: str) -> str:
    if word not in TOPOLOGIES:
        raise ValueError(f"must be one of {', '.join(TOPOLOGIES)}, got {word!r}")
    return word


_Topology = Annotated[StrictStr, AfterValidator(_topology), WithJsonSchema({"enum": list(TOPOLOGIES)})]
_Text = Annotated[StrictStr, Field(min_length=1)]


class _Level(Part):
    name: _Text
    devices: Size | None = None
    bandwidth: BytesPerSecond
    latency: Seconds
    topology: _Topology = "switch"
    efficiency: Annotated[float, Field(strict=True)] = 1.0
    collective_start: Seconds = 0.0


class _Levels(Part):
    """A file with levels."""

    name: _Text
    levels: tuple[_Level, ...]
    source: StrictStr = ""


class _OneLevel(Part):
    """A file of any number of devices, with the bandwidth of a link between two neighbours."""

    name: _Text
    link: BytesPerSecond
    latency: Seconds
    topology: _Topology = "ring"
    source: StrictStr = ""


def cluster_schema() -> dict[str, Any]:
    """JSON schema of a cluster's file."""
    found: dict[str, Any] = TypeAdapter(_Levels | _OneLevel).json_schema()
    return found


def read_cluster(document: Document) -> Cluster:
    """The cluster of a file: its ``levels``, or one ``link`` between any number of devices.

    Raises
    ------
    InputError
        With everything that is wrong, each with its place.
    """
    if isinstance(document.data, dict) and "link" in document.data:
        one = validate(document, _OneLevel)
        bandwidth = one.link * (2 if one.topology in LINKED else 1)
        levels = [
            _Level.model_construct(name=one.name, bandwidth=bandwidth, latency=one.latency, topology=one.topology)
        ]
        name, source = one.name, one.source
    else:
        read = validate(document, _Levels)
        levels, name, source = list(read.levels), read.name, read.source
    try:
        return Cluster(
            name,
            tuple(
                Level(v.name, v.devices, v.bandwidth, v.latency, v.topology, v.efficiency, v.collective_start)
                for v in levels
            ),
            source,
        )
    except InputError as error:
        raise InputError([_located(document, item) for item in error.complaints]) from None


def _located(document: Document, item: Complaint) -> Complaint:
    place: tuple[str | int, ...] = tuple(int(step) if step.isdigit() else step for step in item.field.split("."))
    if "link" in document.data:
        place = ("link" if place[-1] == "bandwidth" else place[-1],)
    return Complaint(document.locate(place), ".".join(map(str, place)), item.message)


def load_cluster(name_or_path: str | Path, relative_to: Path | None = None) -> Cluster:
    """A shipped cluster by name, or one from a YAML file.

    Raises
    ------
    InputError
        If there is no such cluster, or the file is wrong.
    """
    return read_cluster(load_yaml(resolve("clusters", name_or_path, relative_to)))
