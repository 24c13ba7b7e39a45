"""The cluster of measured runs: start, hops and bandwidth within a node fitted on measured all-reduces."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from accmine.cost import read_lines
from accmine.errors import InputError
from accmine.system.cluster import Cluster, Level

__all__ = ["fitted_cluster"]

NODE = 8
"""Devices of a node."""


def fitted_cluster(path: Path, device: str, outside_bytes_per_s: float) -> Cluster:
    """Nodes of 8 devices whose all-reduces are nearest to measured ones, and a network around them.

    Start, hop and bandwidth of a ring (``accmine.system.collectives``) with the least relative squared error. Start and
    hop hold outside of a node as well: nothing was measured there.

    Parameters
    ----------
    device
        Whose rows are fitted on.
    outside_bytes_per_s
        Of one device to other nodes.

    Raises
    ------
    InputError
        If the table has too few rows of the device, or rows that are none.
    """
    rows = []
    for line, cells in read_lines(path):
        try:
            if cells["device"] == device:
                rows.append([float(cells[key]) for key in ("n_gpus", "bytes", "out_of_place_time_us")])
        except (KeyError, ValueError) as error:
            raise InputError(f"is no measured all-reduce: {error}", where=f"{path}:{line}") from None
    if len(rows) < _LEAST:
        raise InputError(f"{len(rows)} all-reduces of {device}; at least {_LEAST} are needed", where=str(path))
    ranks, moved, micros = np.array(rows).T
    seconds, hops = 1e-6 * micros, 2.0 * (ranks - 1.0)
    terms = np.stack([np.ones_like(ranks), hops, hops / ranks * moved], axis=1) / seconds[:, None]
    start, hop, per_byte = np.linalg.lstsq(terms, np.ones_like(seconds), rcond=None)[0].tolist()
    node = Level("node", NODE, 1.0 / per_byte, hop, start_s=start)
    return Cluster("measured", (node, Level("network", None, outside_bytes_per_s, hop, start_s=start)))


_LEAST = 4
"""One more than there are constants."""
