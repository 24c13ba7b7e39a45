"""A sweep on a cluster: here a Dask scheduler and two workers on this machine.

Run it as ``python examples/cluster_on_loopback.py``. On a real cluster only the address is another one.
"""

from pathlib import Path

from distributed import LocalCluster

import accmine

STUDY = Path(__file__).parent / "study.yaml"
POINTS = {"grid": {"limits.area": ["500 mm^2", "600 mm^2"]}}


def main(runs="runs"):
    with LocalCluster(n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=":0") as cluster:
        found = accmine.sweep(
            STUDY,
            seconds=1,
            sweep=POINTS,
            cluster=cluster.scheduler_address,
            runs=Path(runs).resolve(),  # workers see the same folder
            on_point=lambda point: print(f"point {point.number}: {point.status}"),
        )
    print(found.to_pandas()[["limits.area", "status", "samples_per_s", "gap"]])
    return found


if __name__ == "__main__":  # workers import this file
    main()
