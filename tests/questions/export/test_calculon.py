"""Exports to Calculon: its formats, what it cannot express, and its step beside accmine's."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from accmine.errors import InputError
from accmine.questions.export import calculon
from accmine.questions.export.calculon import Step
from tests.samples.export_sample import STEP_S, answer, baseline
from tests.samples.search_sample import folder, pipeline

EXECUTION_FIELDS = {
    *("num_procs", "tensor_par", "pipeline_par", "data_par", "tensor_par_net", "pipeline_par_net", "data_par_net"),
    *("batch_size", "microbatch_size", "datatype", "fused_activation", "attention_type", "activation_recompute"),
    *("pipeline_interleaving", "optimizer_sharding", "tensor_par_comm_type", "tensor_par_overlap", "seq_par_ag_redo"),
    *("data_par_overlap", "weight_offload", "activations_offload", "optimizer_offload", "training"),
}
"""What ``Llm.Execution.from_json`` demands, no more and no less."""

NETWORK_FIELDS = {"bandwidth", "efficiency", "size", "latency", "ops", "must_be_filled", "processor_usage"}
"""What ``Network`` demands, no more and no less."""


def read(tmp_path: Path, **keys: Any) -> dict[str, Any]:
    made = calculon.files(answer(tmp_path, **keys))
    return {name: json.loads(text) if name.endswith(".json") else text for name, text in made.items()}


def test_files_say_what_the_study_and_the_design_say(tmp_path: Path) -> None:
    made = read(tmp_path, models=("gpt",), workload={"recompute": "full"})
    assert sorted(made) == ["README.txt", "application_gpt.json", "execution_gpt.json", "system.json"]
    assert made["application_gpt.json"] == {
        "hidden": 32,
        "feedforward": 128,
        "seq_size": 8,
        "attn_heads": 2,
        "attn_size": 16,
        "num_blocks": 1,
    }
    execution = made["execution_gpt.json"]
    assert set(execution) == EXECUTION_FIELDS
    assert (execution["num_procs"], execution["batch_size"], execution["microbatch_size"]) == (1, 8, 4)
    assert (execution["datatype"], execution["activation_recompute"]) == ("bfloat16", "full")
    assert execution["training"] is True
    system, design = made["system.json"], baseline()
    assert system["matrix"]["bfloat16"]["tflops"] == pytest.approx(design.peak_flops_per_s / 1e12)
    assert system["matrix"]["float32"]["tflops"] == pytest.approx(design.peak_flops_per_s / 3e12)
    assert system["vector"]["float16"]["tflops"] == pytest.approx(design.vector_ops_per_s / 1e12)
    assert system["mem1"] == {"GiB": 16.0, "GBps": 70.0, "MB_efficiency": [[0, 1.0]]}
    assert system["mem2"]["GiB"] == 0
    (network,) = system["networks"]
    assert set(network) == NETWORK_FIELDS
    assert set(network["ops"]) == {"p2p", "reduce_scatter", "all_gather", "all_reduce"}
    # An offset is demanded of collectives and refused for messages.
    assert [offset is None for _, offset in network["ops"].values()] == [True, False, False, False]
    assert "application_gpt.json execution_gpt.json system.json -" in made["README.txt"]


def test_a_pipeline_is_pipeline_parallelism_over_the_links_of_the_cluster(tmp_path: Path) -> None:
    made = read(tmp_path, models=("gpt",), **pipeline(2))
    execution, (network,) = made["execution_gpt.json"], made["system.json"]["networks"]
    assert (execution["num_procs"], execution["pipeline_par"], execution["tensor_par"]) == (2, 2, 1)
    assert network["size"] == 2
    assert network["bandwidth"] > 1
    assert "1F1B of equal stages" in made["README.txt"]


def test_calibrations_are_efficiencies(tmp_path: Path) -> None:
    from accmine.hardware import Calibration

    tuned = replace(baseline(), calibration=Calibration(0.0, 0.9, 0.8, 0.7))
    run = answer(tmp_path, models=("gpt",))
    run = replace(run, winners=(replace(run.winners[0], design=tuned),))
    system = json.loads(calculon.files(run)["system.json"])
    assert system["matrix"]["bfloat16"]["gflops_efficiency"] == [[0, 0.9]]
    assert system["vector"]["bfloat16"]["gflops_efficiency"] == [[0, 0.8]]
    assert system["mem1"]["MB_efficiency"] == [[0, 0.7]]


def test_a_gated_mlp_keeps_its_weights(tmp_path: Path) -> None:
    path = folder() / "gated.yaml"
    path.write_text(
        "name: gated\nfamily: llama\nlayers: 1\nwidth: 32\nheads: 2\nmlp_width: 80\nvocabulary: 48\n"
        "positions: 16\nsequence: 8\n"
    )
    made = read(tmp_path, models=("gated",))
    assert 2 * made["application_gated.json"]["feedforward"] == 3 * 80
    assert "the gated MLP of 3 × 80 is written as 2 × 120" in made["README.txt"]


def test_what_is_no_transformer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="mlp is no transformer; Calculon models transformers only"):
        calculon.files(answer(tmp_path, models=("mlp", "gpt")))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("kv_heads: 2", "4 heads share 2 key-value heads"),
        ("experts: 2\nexperts_per_token: 1", "special has experts; Calculon models dense transformers"),
        ("kv_rank: 8\nrotary_width: 4", "special has latent attention; Calculon models dense transformers"),
    ],
)
def test_other_attention_and_experts_are_refused(tmp_path: Path, keys: str, message: str) -> None:
    path = folder() / "special.yaml"
    path.write_text(
        "name: special\nfamily: llama\nlayers: 1\nwidth: 32\nheads: 4\nvocabulary: 48\n"
        f"positions: 16\nsequence: 8\n{keys}\n"
    )
    with pytest.raises(InputError, match=message):
        calculon.files(answer(tmp_path, models=("special",)))


def test_the_share_outside_the_blocks_is_the_head_and_the_embedding(tmp_path: Path) -> None:
    run = answer(tmp_path, models=("gpt",))
    (plan,) = run.plan.pipelines
    # Products of the block by hand: q, k, v, output and two of the MLP, 3 × forward; of attention two forward and five
    # backward, on what is below the diagonal of 8 × 8.
    rows, width = 4 * 8, 32
    block = 2 * (3 * rows * (4 * width * width + 2 * width * 128) + 7 * 4 * 36 * width)
    assert 0 < block < plan.hardware_macs
    text = calculon.files(run)["README.txt"]
    assert f"{(plan.hardware_macs - block) / plan.hardware_macs:.1%} of accmine's" in text


def test_verification_sets_the_steps_side_by_side(tmp_path: Path) -> None:
    seen: list[dict[str, Any]] = []

    def runner(*inputs: dict[str, Any]) -> Step:
        seen.extend(inputs)
        return Step(0.2, (("forward", 0.05), ("backward", 0.15)))

    run = answer(tmp_path, models=("gpt",))
    (found,) = calculon.verify(run, runner)
    made = calculon.files(run)
    names = ("application_gpt.json", "execution_gpt.json", "system.json")
    assert seen == [json.loads(made[name]) for name in names]  # what is run is what was written
    assert (found.ours, found.theirs, found.equal) == (STEP_S, 0.2, False)
    assert found.ratio == pytest.approx(0.8)
    assert found.reasons[0] == "Calculon: forward 0.05 s, backward 0.15 s"
    assert found.ok


def test_a_refusal_of_the_tool_is_told(tmp_path: Path) -> None:
    (found,) = calculon.verify(
        answer(tmp_path, models=("gpt",)), lambda *_: Step(None, error="Mem tier1 needs 20 GiB but only has 16 GiB")
    )
    assert found.theirs is None
    assert found.reasons[0] == "Calculon refuses it: Mem tier1 needs 20 GiB but only has 16 GiB"
    assert found.to_json()["difference"] is None


def fake_calculon(monkeypatch: pytest.MonkeyPatch, capacity_gib: float) -> None:
    """The interface of Calculon that ``run`` uses; the step is the batch, refused above a capacity."""

    class System:
        def __init__(self, cfg: dict[str, Any]) -> None:
            self.cfg = cfg

    class Llm:
        class Error(Exception):
            pass

        class Application:
            def __init__(self, cfg: dict[str, Any]) -> None:
                self.cfg = cfg

        class Execution:
            @staticmethod
            def from_json(cfg: dict[str, Any]) -> dict[str, Any]:
                assert set(cfg) == EXECUTION_FIELDS
                return cfg

        def __init__(self, application: Any, log: Any) -> None:
            log.debug("compiled for %s", application.cfg["hidden"])

        def compile(self, system: System, execution: dict[str, Any]) -> None:
            self.execution = execution

        def run(self, system: System) -> None:
            if system.cfg["mem1"]["GiB"] > capacity_gib:
                raise self.Error("does not fit")

        def get_total_time(self) -> float:
            return float(self.execution["batch_size"])

        def __getattr__(self, name: str) -> Any:
            assert name.startswith("get_")
            assert name.endswith("_time")
            return lambda: 1.0

    package, module = ModuleType("calculon"), ModuleType("calculon.llm")
    package.System, module.Llm = System, Llm  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "calculon", package)
    monkeypatch.setitem(sys.modules, "calculon.llm", module)


def test_the_tool_is_run_by_its_own_interface(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    run = answer(tmp_path, models=("gpt",))
    fake_calculon(monkeypatch, 16)
    (found,) = calculon.verify(run)
    assert found.theirs == 8.0
    assert "bubble 1 s" in found.reasons[0]
    fake_calculon(monkeypatch, 15)
    (found,) = calculon.verify(run)
    assert found.reasons[0] == "Calculon refuses it: does not fit"


def test_one_design_for_all_stages_is_said(tmp_path: Path) -> None:
    from accmine.questions.export.operators import read_run
    from tests.samples.export_sample import make_run

    run = make_run(tmp_path, [baseline(), baseline()], models=("gpt",), **pipeline(2))
    with pytest.raises(InputError, match="the run chose 2 designs; give --stage"):
        calculon.files(read_run(run))
    text = calculon.files(read_run(run, stage=1))["README.txt"]
    assert "all stages are exported as if they had the design of gpt/stage1" in text
