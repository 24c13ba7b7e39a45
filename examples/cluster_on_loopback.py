"""A sweep on a cluster: here a Dask scheduler and two workers on this machine.

Run it as ``python examples/cluster_on_loopback.py``. On a real cluster only the address is another one.
"""

from pathlib import Path

from distributed import LocalCluster

import accmine
from accmine.questions.sweep.executors import opened

STUDY = Path(__file__).parent / "study.yaml"
POINTS = {"grid": {"limits.area": ["500 mm^2", "550 mm^2", "600 mm^2"]}}


def main(runs="runs"):
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None) as cluster,
        opened("dask", cluster.scheduler_address, say=print) as workers,
    ):
        found = accmine.sweep(
            STUDY,
            seconds=1,
            sweep=POINTS,
            jobs=2,
            executor=workers,
            runs=Path(runs).resolve(),  # workers see the same folder
            on_point=lambda point: print(f"point {point.number}: {point.status}"),
        )
    print(found.records())
    return found


if __name__ == "__main__":  # workers import this file
    main()
