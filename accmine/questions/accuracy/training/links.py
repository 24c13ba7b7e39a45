"""Time of collectives and messages on a cluster of nodes: start, hops and bytes, fitted on measured all-reduces."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from accmine.cost import read_lines
from accmine.errors import InputError

__all__ = ["Links", "fitted_links"]


@dataclass(frozen=True, slots=True)
class Links:
    """What connects the devices: a switch in each node, and a network outside.

    Attributes
    ----------
    start_s
        Seconds of a collective of any size on any number of devices.
    hop_s
        Seconds of each of the 2 (n - 1) steps of a ring.
    bytes_per_s
        Of a device within its node (NCCL's bus bandwidth of large messages).
    outside_bytes_per_s
        Of a device to other nodes.
    node
        Devices of a node.
    """

    start_s: float
    hop_s: float
    bytes_per_s: float
    outside_bytes_per_s: float
    node: int = 8

    def gather_s(self, message_bytes: float, ranks: int, stride: int = 1) -> float:
        """Seconds of an all-gather or a reduce-scatter among ``ranks`` devices that stand ``stride`` apart.

        A ring through all of them: (n - 1) hops, and (n - 1) / n of the bytes. As many rings as the group has devices
        in a node cross the network side by side.
        """
        if ranks == 1:
            return 0.0
        inside = max(1, min(ranks, self.node // stride))
        rate = self.bytes_per_s
        if inside < ranks:
            rate = self.outside_bytes_per_s * inside if inside == 1 else min(rate, self.outside_bytes_per_s * inside)
        return self.start_s + (ranks - 1) * (self.hop_s + message_bytes / ranks / rate)

    def reduce_s(self, message_bytes: float, ranks: int, stride: int = 1) -> float:
        """Seconds of an all-reduce: a reduce-scatter and an all-gather with one start."""
        return 2.0 * self.gather_s(message_bytes, ranks, stride) - (self.start_s if ranks > 1 else 0.0)

    def message_s(self, message_bytes: float, distance: int) -> float:
        """Seconds of a message between two devices that stand ``distance`` apart."""
        rate = self.bytes_per_s if distance < self.node else self.outside_bytes_per_s
        return self.hop_s + message_bytes / rate


def fitted_links(path: Path, device: str, outside_bytes_per_s: float) -> Links:
    """Start, hop and bandwidth with the least relative squared error on the measured all-reduces of a device.

    Raises
    ------
    InputError
        If the table has too few rows of the device, or rows that are none.
    """
    rows = []
    for line, cells in read_lines(path):
        try:
            if cells["device"] == device:
                values = (cells["n_gpus"], cells["bytes"], cells["out_of_place_time_us"])
                rows.append([float(value) for value in values])
        except (KeyError, ValueError) as error:
            raise InputError(f"is no measured all-reduce: {error}", where=f"{path}:{line}") from None
    if len(rows) < 4:
        raise InputError(f"{len(rows)} all-reduces of {device}; at least 4 are needed", where=str(path))
    ranks, moved, micros = np.array(rows).T
    seconds = 1e-6 * micros
    hops = 2.0 * (ranks - 1.0)
    terms = np.stack([np.ones_like(ranks), hops, hops / ranks * moved], axis=1) / seconds[:, None]
    start, hop, per_byte = np.linalg.lstsq(terms, np.ones_like(seconds), rcond=None)[0].tolist()
    return Links(start, hop, 1.0 / per_byte, outside_bytes_per_s)
