"""A sweep into pandas: what more area buys, with small arrays and with large ones.

Run it as ``python examples/sweep_to_pandas.py``; finished points are read from ``runs/`` the next time.
"""

from pathlib import Path

import accmine

STUDY = Path(__file__).parent / "study.yaml"
POINTS = {"grid": {"accelerator.tensor_dim": [64, 128], "limits.area": ["500 mm^2", "550 mm^2", "600 mm^2"]}}


def main(runs="runs"):
    found = accmine.sweep(STUDY, seconds=1, sweep=POINTS, runs=runs)
    frame = found.to_pandas()
    print(frame.pivot(index="limits.area", columns="accelerator.tensor_dim", values="samples_per_s").round(0))
    frame["samples_per_j"] = frame["samples_per_s"] / frame["tdp_w"]
    print(f"\nmost samples per joule: {frame.loc[frame['samples_per_j'].idxmax(), 'designs']}")

    everything = accmine.results(runs=runs, where="gap > 1", sort=["-gap"])  # of all runs, also of other studies
    print(f"{len(everything)} answers are more than 1 % from their bound")
    return frame


if __name__ == "__main__":
    main()
