"""SCALE-Sim 3: a design's array and its longest products as configuration, topology and layout.

SCALE-Sim (MIT licence; ``pip install 'accmine[scalesim]'``) simulates one systolic array. Its compute cycles have the
closed form that accmine's timing ``scalesim3`` reproduces, so the two have to agree exactly; ``verify`` lets the tool
run and says which parameters of the study's own timing differ, and what each of them is worth.

Complete runs hold every address of every cycle in memory. ``verify`` therefore runs each product cut down to at most
two folds along each dimension of the array, a full one and the last, which may be partial, and to ``MOST_STREAM``
streamed rows: cycles are folds times the cycles of one, on both sides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from math import ceil
from pathlib import Path

from accmine.cost import PRESETS, Timing, array_cycles, array_folds, pace, resolve_timing
from accmine.cost import gemm as gemm_cost
from accmine.errors import InputError
from accmine.hardware import Design, Rates
from accmine.questions.export.comparison import Comparison, operator_reasons
from accmine.questions.export.operators import ExportedOperator, RunAnswer, Winner
from accmine.workload import BYTES

__all__ = [
    "MOST_STREAM",
    "VERSION",
    "Simulator",
    "configuration",
    "cut_down",
    "files",
    "layout",
    "simulate",
    "topology",
]
__all__ += ["verify"]

VERSION = "3.0.0"
"""Release that the files are written for and that was tried."""

MOST_STREAM = 512
"""Rows that ``verify`` streams through a fold at most."""

Product = tuple[str, int, int, int]
"""Label, m, k, n."""

Simulator = Callable[[str, str, str], Sequence[int]]
"""(configuration, topology, layout) -> "Total Cycles" of each layer: ``simulate``, or what stands for it."""


def configuration(design: Design, dataflow: str, element_bytes: int) -> str:
    """The ``.cfg`` file of one core's array, as of SCALE-Sim 3.

    ``CALC`` mode: the memory never stalls the array, and the tool reports the bandwidth this takes. The private SRAM is
    a third each for inputs, weights and outputs; the tool counts elements of one byte.
    """
    tensor = design.tensor
    third_kib = max(1, tensor.sram_bytes // (3 * 1024 * element_bytes))
    words_per_cycle = max(1, int(design.usable_hbm_bytes_per_cycle / element_bytes))
    sections: dict[str, dict[str, object]] = {
        "general": {"run_name": f"accmine_{dataflow}"},
        "run_presets": {"InterfaceBandwidth": "CALC", "UseRamulatorTrace": False},
        "architecture_presets": {
            "ArrayHeight": tensor.rows,
            "ArrayWidth": tensor.cols,
            "IfmapSramSzkB": third_kib,
            "FilterSramSzkB": third_kib,
            "OfmapSramSzkB": third_kib,
            "IfmapOffset": 0,
            "FilterOffset": 10_000_000,
            "OfmapOffset": 20_000_000,
            "Bandwidth": words_per_cycle,
            "Dataflow": dataflow,
            "ReadRequestBuffer": 32,
            "WriteRequestBuffer": 32,
        },
        "layout": {
            f"{operand}{key}": value
            for operand in ("Ifmap", "Filter")
            for key, value in (
                ("CustomLayout", False),
                ("SRAMBankBandwidth", 10),
                ("SRAMBankNum", 10),
                ("SRAMBankPort", 2),
            )
        },
        "sparsity": {
            "SparsitySupport": "false",
            "SparseRep": "ellpack_block",
            "OptimizedMapping": "false",
            "BlockSize": 8,
            "RandomNumberGeneratorSeed": 40,
        },
    }
    text = [
        f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in own.items()) for name, own in sections.items()
    ]
    return "\n".join(text)


def topology(products: Sequence[Product]) -> str:
    """The topology file: a product per row as M, N, K; every row ends in a comma, as the tool wants it."""
    rows = "".join(f"{label},{m},{n},{k},\n" for label, m, k, n in products)
    return "Layer,M,N,K,\n" + rows


def layout(products: Sequence[Product]) -> str:
    """The layout file, which the tool reads even where no custom layout is used: ones throughout."""
    header = (
        "Layer name,IFMAP Height Intraline Factor,IFMAP Width Intraline Factor,Filter Height Intraline Factor,"
        "Filter Width Intraline Factor,Channel Intraline Factor,Num Filter Intraline Factor,"
        "IFMAP Height Intraline Order,IFMAP Width Intraline Order,Channel Intraline Order,"
        "IFMAP Height Interline Order,IFMAP Width Interline Order,Channel Interline Order,"
        "Num Filter Intraline Order,Channel Intraline Order,Filter Height Intraline Order,Filter Width Intraline Order,"
        "Num Filter Interline Order,Channel Interline Order,Filter Height Interline Order,Filter Width Interline Order,"
    )
    ones = ",".join(["1"] * (header.count(",") - 1))
    return header + "\n" + "".join(f"{label},{ones},\n" for label, *_ in products)


def _by_dataflow(winner: Winner) -> dict[str, list[ExportedOperator]]:
    """A configuration has one dataflow; the products of a flexible array are in several."""
    found: dict[str, list[ExportedOperator]] = {}
    for operator in winner.operators:
        found.setdefault(operator.dataflow, []).append(operator)
    return found


def _product(operator: ExportedOperator) -> Product:
    gemm = operator.work.gemm
    assert gemm is not None
    return operator.label, gemm.m, gemm.k, gemm.n


def _element_bytes(operators: Sequence[ExportedOperator]) -> int:
    return max(BYTES[operator.work.dtype] for operator in operators)


def files(answer: RunAnswer) -> dict[str, str]:
    """The files of every design: ``scale_DATAFLOW.cfg``, ``topology_DATAFLOW.csv``, ``layout_DATAFLOW.csv``, README."""
    made: dict[str, str] = {}
    for winner in answer.winners:
        folder = "" if len(answer.winners) == 1 else f"{winner.name}/"
        for dataflow, operators in _by_dataflow(winner).items():
            products = [_product(operator) for operator in operators]
            made[f"{folder}scale_{dataflow}.cfg"] = configuration(winner.design, dataflow, _element_bytes(operators))
            made[f"{folder}topology_{dataflow}.csv"] = topology(products)
            made[f"{folder}layout_{dataflow}.csv"] = layout(products)
        made[f"{folder}README.txt"] = _readme(answer, winner)
    return made


def _readme(answer: RunAnswer, winner: Winner) -> str:
    from accmine.questions.export.readme import heading, operator_table

    flows = tuple(_by_dataflow(winner))
    commands = "".join(
        f"    python -m scalesim.scale -c scale_{flow}.cfg -t topology_{flow}.csv -l layout_{flow}.csv -i gemm -p out\n"
        for flow in flows
    )
    largest = max(_gigabytes(operator, winner.design) for operator in winner.operators)
    return heading("SCALE-Sim", VERSION, answer, winner) + (
        f"Run it (pip install 'scalesim=={VERSION}' 'numpy<2.3'; it fails with newer numpy):\n\n{commands}\n"
        "It holds every address of every cycle in memory and writes them all as traces (-s N is ignored by this\n"
        f"version): about {largest:,.1f} GB for the largest operator here. `accmine export … --verify` runs each\n"
        "operator cut down to a few folds instead.\n\n"
        "Compare `Total Cycles` of COMPUTE_REPORT.csv with the column scalesim3 below: both are the index of the\n"
        "last cycle, one less than their number.\n\n"
        + operator_table(
            winner, "scalesim3", {o.label: f"{_whole_cycles(o, winner.design):,}" for o in winner.operators}
        )
        + "\nWhat it models differently:\n\n"
        + "".join(f"- {line}\n" for line in _general(answer, winner))
    )


def _general(answer: RunAnswer, winner: Winner) -> list[str]:
    lines = [
        f"One array. The design has {winner.design.tensor_cores}; a product may be split over them.",
        "CALC mode: no memory stalls. accmine takes max(cycles, bytes / HBM bandwidth).",
        "SRAM: a third of the core's each for inputs, weights and outputs; in CALC mode it changes no compute cycles.",
        "No vector unit: the vector part of a fused operator is missing.",
        "A batch is one product here; the tool has no batches.",
    ]
    if answer.timing != "scalesim3":
        names = ", ".join(_differing(resolve_timing(answer.timing)))
        lines.append(f"The study's timing is {answer.timing}; it differs from scalesim3 in {names}.")
    if any(operator.is_im2col for operator in winner.operators):
        lines.append("Convolutions are their im2col products: MNK rows, with more input than the real image.")
    return lines


def _differing(timing: Timing) -> list[str]:
    tool = PRESETS["scalesim3"]
    return [f.name for f in fields(Timing) if getattr(timing, f.name) != getattr(tool, f.name)]


def _whole_cycles(operator: ExportedOperator, design: Design) -> int:
    """What the tool would report for one product of the operator."""
    _, m, k, n = _product(operator)
    return gemm_cost(m, k, n, (design.tensor.rows, design.tensor.cols), operator.dataflow, "scalesim3").cycles


def _gigabytes(operator: ExportedOperator, design: Design) -> float:
    """Demand matrices of a complete run: one 8-byte address per row or column of the array, operand and cycle."""
    return 8e-9 * (design.tensor.rows + 2 * design.tensor.cols) * _whole_cycles(operator, design)


def cut_down(m: int, k: int, n: int, rows: int, cols: int, dataflow: str) -> tuple[int, int, int]:
    """A product of at most two folds along rows and columns, a full one and the last, and a bounded stream."""

    def folded(size: int, unit: int) -> int:
        return size if size <= 2 * unit else unit + (size - 1) % unit + 1

    if dataflow == "ws":
        return min(m, MOST_STREAM), folded(k, rows), folded(n, cols)
    if dataflow == "is":
        return folded(m, cols), folded(k, rows), min(n, MOST_STREAM)
    return folded(m, rows), min(k, MOST_STREAM), folded(n, cols)


def simulate(configuration: str, topology: str, layout: str) -> tuple[int, ...]:
    """Run SCALE-Sim on three files in a temporary folder; returns "Total Cycles" of each layer.

    Raises
    ------
    InputError
        If SCALE-Sim is not installed, or fails as it does with too new a numpy.
    """
    import contextlib
    import csv
    import io
    import tempfile

    try:
        from scalesim.scale_sim import scalesim
    except ImportError as error:
        message = f"needs SCALE-Sim ({error.name or error} is missing): pip install 'accmine[scalesim]'"
        raise InputError(message, field="--verify") from None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        given = {"scale.cfg": configuration, "topology.csv": topology, "layout.csv": layout}
        for file, text in given.items():
            (folder / file).write_text(text, encoding="utf-8")
        paths = {key: str(folder / file) for key, file in zip(("config", "topology", "layout"), given, strict=True)}
        heard = io.StringIO()
        try:
            with contextlib.redirect_stdout(heard), contextlib.redirect_stderr(heard):
                tool = scalesim(save_disk_space=True, verbose=False, input_type_gemm=True, **paths)
                tool.run_scale(top_path=str(folder / "out"))
        except TypeError as error:  # int() of an array of one element, since numpy 2.3
            message = f"SCALE-Sim {VERSION} failed ({error}); it needs numpy<2.3: pip install 'accmine[scalesim]'"
            raise InputError(message, field="--verify") from None
        (report,) = (folder / "out").rglob("COMPUTE_REPORT.csv")
        rows = list(csv.DictReader(report.read_text(encoding="utf-8").splitlines(), skipinitialspace=True))
    return tuple(int(float(row["Total Cycles"])) for row in rows)


def verify(answer: RunAnswer, simulator: Simulator = simulate) -> tuple[Comparison, ...]:
    """Let the tool run every exported product, cut down; its cycles have to equal those of ``scalesim3``.

    Raises
    ------
    InputError
        If SCALE-Sim is not installed, or reports other layers than were asked for.
    """
    found: list[Comparison] = []
    for winner in answer.winners:
        for dataflow, operators in _by_dataflow(winner).items():
            array = winner.design.tensor.rows, winner.design.tensor.cols
            products: list[Product] = []
            for operator in operators:
                label, m, k, n = _product(operator)
                products.append((label, *cut_down(m, k, n, *array, dataflow)))
            config = configuration(winner.design, dataflow, _element_bytes(operators))
            cycles = simulator(config, topology(products), layout(products))
            if len(cycles) != len(products):
                raise InputError(
                    f"SCALE-Sim reports {len(cycles)} layers, {len(products)} were given", field="--verify"
                )
            for operator, (_, m, k, n), theirs in zip(operators, products, cycles, strict=True):
                ours = gemm_cost(m, k, n, array, dataflow, "scalesim3").cycles
                what = f"{operator.name}: {m}×{k}×{n} {dataflow}"
                reasons = _reasons(answer, winner, operator, (m, k, n))
                found.append(Comparison(winner.name, what, "Total Cycles", ours, theirs, True, reasons))
    return tuple(found)


def _reasons(
    answer: RunAnswer, winner: Winner, operator: ExportedOperator, ran: tuple[int, int, int]
) -> tuple[str, ...]:
    """Why the study's own cycles of this operator are not what the tool reports for it."""
    tensor, gemm = winner.design.tensor, operator.work.gemm
    assert gemm is not None
    array = tensor.rows, tensor.cols
    reasons = ["both are the index of the last cycle: count - 1"]
    if ran != (gemm.m, gemm.k, gemm.n):
        (few, short), (folds, stream) = (
            map(int, array_folds(*sizes, *array, operator.dataflow)) for sizes in (ran, (gemm.m, gemm.k, gemm.n))
        )
        part = f"{few} of {folds} folds, {short} of {stream} streamed rows"
        whole = f"{gemm.m}×{gemm.k}×{gemm.n}: {_whole_cycles(operator, winner.design):,} by scalesim3"
        reasons.append(f"ran {part} of {whole}")
    rates = winner.design.tensor.rates
    if operator.work.dtype in dict(rates):
        rate = dict(rates)[operator.work.dtype]
        reasons.append(f"the array runs {operator.work.dtype} at {rate:g} times its bf16 rate, which SCALE-Sim has not")
    for name, value, added in timing_steps(operator, *array, resolve_timing(answer.timing), rates):
        if added:
            reasons.append(f"the study's timing has {name} = {value}: {added:+,} cycles on the whole operator")
    return (*reasons, *operator_reasons(operator, "SCALE-Sim"))


def timing_steps(
    operator: ExportedOperator, rows: int, cols: int, timing: Timing, rates: Rates = ()
) -> list[tuple[str, object, int]]:
    """Cycles of the whole operator on one core, from ``scalesim3`` to ``timing`` one parameter at a time.

    Returns
    -------
    list of (parameter, value, cycles)
        Parameters that differ, in the order of their declaration, and what changing each of them adds. The steps add
        up to the whole difference in the number of cycles; ``last_index`` changes the report only and is left out.
    """
    gemm = operator.work.gemm
    assert gemm is not None

    def count(chosen: Timing) -> int:
        passes, rate = pace(operator.work.dtype, rates, chosen)
        sizes = gemm.m, gemm.k, gemm.n, gemm.batch * passes
        return ceil(int(array_cycles(*sizes, rows, cols, operator.dataflow, chosen)) / rate)

    here = replace(PRESETS["scalesim3"], last_index=False)
    cycles, steps = count(here), []
    for field in fields(Timing):
        value = getattr(timing, field.name)
        if field.name == "last_index" or value == getattr(here, field.name):
            continue
        here = replace(here, **{field.name: value})
        after = count(here)
        steps.append((field.name, value, after - cycles))
        cycles = after
    return steps
