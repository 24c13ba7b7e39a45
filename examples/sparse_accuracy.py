"""A network that is trained here, made sparse until it may lose no more, and laid out on 96 multipliers of an FPGA.

The losses of levels are measured one layer at a time, on calibration images, and added up: a proxy. The loop asks the
network itself, all layers pruned together, on validation images, and goes on until that loss is within its budget. The
test images are only reported. Run it as ``python examples/sparse_accuracy.py`` (about a minute; needs scikit-learn).
"""

from accmine.problems.sparse_dataflow import Budget
from accmine.questions.sparse.truth import Settings, digits_problem, true_loss_loop
from accmine.sparse.layer import POINT


def main(rounds=6, **options):
    problem, digits = digits_problem(Budget(dsp=96, lut=30_000, bram18=200, loss=1 * POINT), **options)
    dense = digits.dense
    print("dense:", ", ".join(f"{accuracy:.2f} % of {part} images" for part, accuracy in dense.items()))

    outcome = true_loss_loop(problem, digits, Settings(rounds=rounds, reference=dense["validation"]))
    print(*outcome.lines(), sep="\n")

    if (best := outcome.best) is not None:
        levels = {layer.name: name for layer, name in zip(problem.layers, best.levels, strict=True)}
        print("levels:", ", ".join(f"{layer} {level}" for layer, level in levels.items()))
        print(f"loss on test images, which decided nothing: {dict(best.others)['test_loss']:.2f} points")
        together = digits.measured_interval(problem, levels, best.solution)
        print(f"cycles with all layers pruned together, counted on test images: {together} ({best.interval} planned)")
    return outcome


if __name__ == "__main__":
    main()
