"""``accmine calibrate --runs``: a stack of software from measured training steps."""

from __future__ import annotations

from pathlib import Path

from accmine.questions.options import echo_json, echo_text

__all__ = ["NO_RUNS", "calibrate_stack"]

NO_RUNS = "give a table of measured operators, or --runs with one of measured training steps"


def calibrate_stack(
    runs: Path, accelerator: str, cluster: str | None, output: Path | None, seed: int, as_json: bool
) -> None:
    """Calibrate a stack on 20 steps of a table, score it on the others, and write it to a file."""
    from accmine.files import write_atomic
    from accmine.hardware.stack import dump_stack
    from accmine.questions.accuracy.training.machine import CLUSTER, machine_of
    from accmine.questions.accuracy.training.stacks import calibrated, read_measured
    from accmine.report import to_json

    where = cluster or CLUSTER
    steps = read_measured(runs, machine_of(chip=accelerator, cluster=where))
    name = (output or runs).stem
    source = f"20 of {len(steps)} steps of {runs.name} on {accelerator}, {where} (seed {seed})"
    found = calibrated(name, steps, source, seed)
    if output is not None:
        write_atomic(output, dump_stack(found.stack))
    if as_json:
        said = None if output is None else str(output)
        echo_json({"runs": str(runs), "accelerator": accelerator, "cluster": where, **to_json(found), "output": said})
        return
    stack = found.stack
    lines = [
        f"a step takes {stack.factor:.4g} times the modelled time; 9 of 10 are within × or ÷ {stack.band:.3f} of that",
        f"calibrated on {len(stack.runs)} of {len(steps)} steps, which are not scored:",
        *(f"  {run}" for run in stack.runs),
    ]
    if found.others is not None and found.covered is not None:
        own = found.others
        lines.append(
            f"the other {own.rows}: mean error {100 * own.mape:.1f} %, bias {100 * own.bias:+.1f} %, "
            f"{100 * found.covered:.0f} % within the band"
        )
    lines.append(f"\nwritten: {output}" if output is not None else "\nnothing is written without -o FILE")
    echo_text("\n".join(lines))
