"""Kernels as a source of costs: equal to the closed form of the same machine, seen by bounds, told where not served."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from accmine import cli
from accmine.cost import KernelSource
from accmine.cost.kernel.mapping import Product
from accmine.cost.measured.values import KERNEL, MODELLED
from accmine.errors import InputError
from accmine.files import load_yaml, resolve
from accmine.hardware import TensorCore
from accmine.plan import plan_of
from accmine.questions.run.flow import solve_study
from accmine.questions.run.folder import RunFolder
from accmine.questions.sensitivity.changes import left_out
from accmine.questions.stability.measure import stability
from accmine.search import search_problem
from accmine.study import study_hash
from accmine.study.inputs import referenced_files
from tests.problems.design_search.test_space_bound import bound_of
from tests.samples.search_sample import designs, fits, listed, reference, study, study_text

SHIPPED = Path(resolve("kernels", "systolic-ws"))


def kernels(name: str | Path) -> dict[str, str]:
    return {"use": "kernel", "architecture": str(name)}


def described(path: Path, *changes: tuple[str, str]) -> Path:
    """The shipped weight-stationary array with other numbers."""
    text = SHIPPED.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)
    return path


@pytest.mark.parametrize("flow", ["ws", "os"])
@pytest.mark.parametrize("dtype", ["bf16", "fp32"])
def test_operators_cost_what_the_model_says_of_the_same_machine(flow: str, dtype: str) -> None:
    keys: dict[str, Any] = {
        "models": ["mlp", "gpt"],
        "space": {"tensor_cores": [1, 4], "tensor_rows": [4, 8], "tensor_cols": [4, 6], "dataflow": [flow]},
        "timing": "rtl-simple",
        "workload": {"dtype": dtype},
    }
    modelled, timed = (plan_of(study(**keys, cost=cost)) for cost in ({"use": "model"}, kernels(f"systolic-{flow}")))
    before, after = modelled.library(), timed.library()
    for design in designs(timed.template):
        expected, found = before.costs(design), after.costs(design)
        assert np.array_equal(found.tensor.cycles, expected.tensor.cycles)
        assert found.key == expected.key
        grid = before.tensor(design).grid[:, 0]
        assert np.array_equal(after.origin(design), np.where(grid >= 0, KERNEL, MODELLED))
        assert (grid >= 0).any()
        assert (grid < 0).any()


def test_a_slower_array_makes_products_slower_and_nothing_else(tmp_path: Path) -> None:
    slow = described(tmp_path / "slow.yaml", ("latency: 2 * rows + cols + m - 1", "latency: 5 * rows + 3 * m"))
    modelled, timed = (plan_of(study(timing="rtl-simple", cost=cost)) for cost in ({"use": "model"}, kernels(slow)))
    before, after = modelled.library(), timed.library()
    (design, *_) = designs(timed.template)
    old, new = before.costs(design), after.costs(design)
    own = after.origin(design) == KERNEL
    assert (new.tensor.cycles[own] > old.tensor.cycles[own]).all()
    assert np.array_equal(new.tensor.cycles[~own], old.tensor.cycles[~own])
    assert np.array_equal(new.hbm_bytes, old.hbm_bytes)
    assert np.array_equal(new.vector.cycles, old.vector.cycles)
    # One fold after the other of 4 rows and columns: a load, and a stream of m rows.
    core = TensorCore(4, 4, 1 << 16, "ws")
    assert KernelSource(load_yaml(slow)).cycles(core, Product(10, 7, 9)) == 3 * 2 * (4 + 5 * 4 + 3 * 10)


def test_no_array_is_faster_than_its_arithmetic(tmp_path: Path) -> None:
    fast = described(
        tmp_path / "fast.yaml", ("latency: 2 * rows + cols + m - 1", "latency: 1"), ("latency: rows", "latency: 0")
    )
    library = plan_of(study(cost=kernels(fast))).library()
    (design, *_) = designs(plan_of(study()).template)
    costs, own = library.costs(design), library.origin(design) == KERNEL
    assert (costs.tensor.cycles >= costs.tensor.ideal_cycles).all()
    assert (costs.tensor.cycles == costs.tensor.ideal_cycles)[own].any()


@pytest.mark.parametrize("latency", ["5 * rows + 3 * m", "1", "2 * rows + cols + m - 1"])
def test_no_schedule_is_below_the_bound(tmp_path: Path, latency: str) -> None:
    path = described(tmp_path / "a.yaml", ("latency: 2 * rows + cols + m - 1", f"latency: {latency}"))
    plan = plan_of(study(models=["gpt"], cost=kernels(path)))
    library = plan.library()
    plan = reference(plan, library)
    (group,) = plan.groups(plan.study.mode)
    problem = search_problem(plan, group, 1, library)
    feasible = [design for design in designs(problem.template) if fits(problem, design)]
    assert len(feasible) > 10
    for design in feasible[::3]:
        cycles = listed(problem, design).cycles
        for paths in (True, False):
            for own, bounds in zip(cycles, bound_of(problem, design, paths=paths), strict=True):
                for found, bound in zip(own, bounds, strict=True):
                    assert bound * design.frequency_hz <= found * (1 + 1e-12)


def test_costs_are_the_same_in_other_processes() -> None:
    plan = plan_of(study(cost=kernels("systolic-ws"), timing="rtl-simple"))
    library = plan.library()
    (design, *_) = designs(plan.template)
    first = library.costs(design)
    assert isinstance(plan.source, KernelSource)
    assert plan.source._cycles
    again = pickle.loads(pickle.dumps(library))
    assert not again.source._cycles
    assert again.costs(design).key == first.key
    assert np.array_equal(again.origin(design), library.origin(design))


def test_each_kernel_is_timed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    source, core, product = KernelSource(load_yaml(SHIPPED)), TensorCore(4, 4, 1 << 16, "ws"), Product(10, 7, 9)
    first = source.cycles(core, product)
    monkeypatch.setattr("accmine.cost.kernel.source.latency", lambda _: pytest.fail("timed again"))
    assert source.cycles(TensorCore(4, 4, 1 << 20, "ws"), product) == first, "the SRAM decides nothing"


def test_sizes_that_a_description_has_not_make_no_kernels_of_their_own() -> None:
    source, product = KernelSource(load_yaml(Path(resolve("kernels", "plasticine-like")))), Product(100, 70, 90)
    found = {source.cycles(TensorCore(rows, cols, 1 << 16, "ws"), product) for rows in (4, 8) for cols in (4, 16)}
    assert len(found) == len(source._cycles) == 1


def test_a_full_cache_begins_again(monkeypatch: pytest.MonkeyPatch) -> None:
    source, core = KernelSource(load_yaml(SHIPPED)), TensorCore(4, 4, 1 << 16, "ws")
    monkeypatch.setattr("accmine.cost.kernel.source.MOST_KEPT", 3)
    first = [source.cycles(core, Product(m, 7, 9)) for m in range(1, 9)]
    assert len(source._cycles) <= 3
    assert [source.cycles(core, Product(m, 7, 9)) for m in range(1, 9)] == first == sorted(set(first))


def test_too_many_kernels_are_refused_with_what_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    keys: dict[str, Any] = {"space": {"tensor_cores": [1, 2], "tensor_rows": [4, 8], "tensor_cols": [4]}}
    library = plan_of(study(**keys)).library()
    products = len({(work.gemm, work.dtype) for work in library.works if work.gemm is not None})
    most = products * 2 * len(library.splits)
    monkeypatch.setattr("accmine.cost.kernel.source.MOST_KERNELS", most)
    plan_of(study(**keys, cost=kernels("systolic-ws")))
    monkeypatch.setattr("accmine.cost.kernel.source.MOST_KERNELS", most - 1)
    plan_of(study(**keys))
    plan_of(study(**keys, cost=kernels("plasticine-like")))  # has no rows and cols
    with pytest.raises(
        InputError, match=rf"cost\.use: would time up to {most:,} kernels, of {products:,} products on 2 "
    ):
        plan_of(study(**keys, cost=kernels("systolic-ws")))


def test_what_has_no_cycles_is_refused_by_name(tmp_path: Path) -> None:
    path = described(
        tmp_path / "a.yaml", ("latency: rows", "latency: rows // (m - 10)"), ("- load: {per", "- load: {m: m, per")
    )
    source = KernelSource(load_yaml(path))
    with pytest.raises(InputError, match=r"systolic-ws with 4 x 4, 1 x 10 x 9 x 7 \(batch, m, k, n\): "):
        source.cycles(TensorCore(4, 4, 1 << 16, "ws"), Product(10, 7, 9))


@pytest.mark.parametrize(
    ("cost", "message"),
    [
        ({"use": "kernel"}, "cost.architecture: is required with use: kernel"),
        (
            {"use": "model", "architecture": "systolic-ws"},
            "cost.architecture: belongs to use: kernel, not to use: model",
        ),
        (
            {"use": "kernel", "architecture": "systolic"},
            "cost.architecture: unknown architecture of kernels 'systolic'; ",
        ),
        ({"use": "kernel", "architecture": "nowhere.yaml"}, "cost.architecture: no such file: "),
        (kernels("systolic-ws") | {"cache": "z.csv"}, "cost.cache: belongs to use: zigzag, not to use: kernel"),
        (kernels("systolic-ws") | {"file": str(SHIPPED)}, "cost.file: belongs to use: table, not to use: kernel"),
        (kernels("systolic-ws") | {"reach": 2.0}, "cost.reach: belongs to use: table, not to use: kernel"),
        ({"use": "kernel", "architecture": 3}, "cost.architecture"),
    ],
)
def test_wrong_keys_are_refused(cost: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        study(cost=cost)
    assert message in str(error.value)


def test_wrong_descriptions_are_refused_when_the_study_is_read(tmp_path: Path) -> None:
    wrong = described(tmp_path / "wrong.yaml", ("latency: rows", "latency: row"))
    with pytest.raises(InputError, match=r"wrong\.yaml:\d+:\d+: .*row"):
        plan_of(study(cost=kernels(wrong)))
    silent = tmp_path / "silent.yaml"
    silent.write_text(SHIPPED.read_text().split("product:")[0])
    with pytest.raises(InputError, match=r"cost\.architecture: systolic-ws does not say how a product runs on it"):
        plan_of(study(cost=kernels(silent)))
    taps = described(tmp_path / "taps.yaml", ("{n: cols, k: rows}", "{n: cols, c: rows, r: 1, s: 1}"))
    with pytest.raises(InputError, match=r"cost\.architecture: systolic-ws maps the rows and taps of convolutions"):
        plan_of(study(cost=kernels(taps)))


def test_other_dataflows_are_told_and_modelled_or_refused() -> None:
    with pytest.raises(InputError, match=r"cost\.architecture: systolic-os serves core types of dataflow os, the acc"):
        plan_of(study(cost=kernels("systolic-os")))
    assert plan_of(study(cost=kernels("systolic-ws"))).inputs.left_out == ()
    space = {"tensor_cores": [1], "dataflow": ["ws", "os", "flexible"]}
    plan = plan_of(study(space=space, cost=kernels("systolic-os")))
    says = "systolic-os serves core types of dataflow os; the model costs those of dataflow"
    assert plan.inputs.left_out == (
        f"accelerator: {says} ws",
        f"accelerator: {says} flexible",
        f"baseline: {says} ws",
    )
    library, modelled = plan.library(), plan_of(study(space=space)).library()
    for design in designs(plan.template):
        served = design.tensor.dataflow == "os"
        assert (library.origin(design) == KERNEL).any() == served
        assert served or library.costs(design).key == modelled.costs(design).key


def test_sizes_that_a_description_has_not_are_told() -> None:
    plan = plan_of(study(space={"tensor_cores": [1], "tensor_dim": [4, 8]}, cost=kernels("plasticine-like")))
    said, clock = plan.inputs.left_out
    assert clock.startswith("cost.architecture: plasticine-like is described at 1000 MHz: a core takes its cycles at ")
    assert said.startswith("cost.architecture: plasticine-like has no parameter rows and cols: its cycles are the same")
    assert plan_of(study(cost=kernels("ultratrail-like"))).inputs.left_out == ()


def test_the_description_belongs_to_the_study(tmp_path: Path) -> None:
    path = described(tmp_path / "a.yaml")
    one = study(cost=kernels(path))
    assert path in referenced_files(one)
    before = study_hash(one)
    described(path, ("weight_buffers: 1", "weight_buffers: 2"))
    assert study_hash(one) != before
    assert study_hash(study(cost=kernels("systolic-ws"))) != study_hash(study())


def small(**more: Any) -> dict[str, Any]:
    return {
        "cost": kernels("systolic-ws"),
        "timing": "rtl-simple",
        "space": {"tensor_cores": [1, 2], "tensor_dim": [4, 8]},
        "budget": {"work": 0.5, "deterministic": True, "workers": 1},
        "search": {"refine": "none", "top_k": 1, "shares": 1},
        **more,
    }


def run(path: Path, capsys: pytest.CaptureFixture[str], **keys: Any) -> dict[str, Any]:
    path.mkdir()
    (path / "tiny.yaml").write_text(study_text(**keys))
    with pytest.raises(SystemExit) as caught:
        cli.main(["run", str(path / "tiny.yaml"), "--runs", str(path / "runs"), "--json"])
    assert not caught.value.code
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_a_study_runs_with_kernels_as_with_the_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    timed = run(tmp_path / "a", capsys, **small())
    modelled = run(tmp_path / "b", capsys, **small(cost={"use": "model"}))
    lines = timed["certificate"]["assumptions"]
    assert any("of products whose arrays take the cycles of kernels on systolic-ws" in line for line in lines)
    assert any("costs by kernel" in line for line in timed["certificate"]["scope"])
    assert timed["certificate"]["bound"] == modelled["certificate"]["bound"]


@pytest.mark.parametrize("latency", ["2 * rows + cols + m - 1", "7 * rows + 3 * m", "1"])
def test_no_design_of_a_small_template_is_better_than_the_bound(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], latency: str
) -> None:
    path = described(tmp_path / "a.yaml", ("latency: 2 * rows + cols + m - 1", f"latency: {latency}"))
    keys = small(cost=kernels(path), models=["gpt"])
    bound = run(tmp_path / "b", capsys, **keys)["certificate"]["bound"]
    plan = plan_of(study(**keys))
    library = plan.library()
    plan = reference(plan, library)
    (group,) = plan.groups(plan.study.mode)
    problem = search_problem(plan, group, 1, library)
    (pipeline,) = plan.pipelines
    found = []
    for design in designs(problem.template):
        if fits(problem, design):
            rows = [
                sum(run.repeats * c for run, c in zip(task.phases, own, strict=True)) / design.frequency_hz
                for task, own in zip(pipeline.tasks, listed(problem, design).cycles, strict=True)
            ]
            found.append(pipeline.batch / sum(rows))
    assert len(found) > 3
    assert len(set(found)) > 1
    assert max(found) <= bound * (1 + 1e-9)


def test_kernels_move_with_drawn_constants_as_the_model_does(tmp_path: Path) -> None:
    found = []
    for name, cost in (("a", kernels("systolic-ws")), ("b", {"use": "model"})):
        plan = plan_of(study(**small(cost=cost)))
        (tmp_path / name).mkdir()
        folder = RunFolder(tmp_path / name)
        outcome, _ = solve_study(plan, folder, lambda *_: None, compare=False)
        one = stability(plan, outcome, folder, draws=3)
        found.append((one.share, one.median_regret, one.winners, one.constants))
        assert left_out(plan) == {}, "another SRAM has costs of the same origin"
    assert found[0] == found[1]
