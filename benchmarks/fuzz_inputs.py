"""Inputs for ``fuzz.py``: shipped files and small ones of our own, changed at random, and who reads them."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
SOLVE_S = 0.05

ODD: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 3, 7, 64, 1000, 10**9, 10**18, 2**63, 2**64, 10**30, -(10**30), 10**300, 0.0, -0.0,
    0.5, 1.5, -2.5, 1e-9, 1e-300, 1e18, 1e300, "", " ", "x", "0", "1", "-1", "1e3", "1e999", "nan", "inf", "1 GiB",
    "1 mm^2", "-1 W", "1e300 Hz", "0 B", "1e-300 s", "1..4", "4..1", "1..1000000000", "..", "é😀", "a\nb", "a\0b",
    "\u202e", "x" * 5000, "./no.yaml", "/", "~x/y.yaml", "$out", "auto", "none", "baseline", [], {}, [[]], [None],
    [1, 2, 3], ["x"], {"x": 1}, {"": None}, [{}], {"use": "x"}, [1] * 1000,
)  # fmt: skip
WORDS = (
    "0400", "4:16", "0b11", "0o17", "0x1F", "1_000", "yes", "no", "on", ".5", "5.", "1e3", "1e1", "2001-99-99",
    "2001-01-01", ".inf", ".nan", "-.inf", "~", "null", "<<", "=", "&a", "*a", "&a [*a]", "!!int x", "!!binary aGk=",
    "!x y", "{", "[", "]", "\"\\ud800\"", "'", "|", ">", "? x", ": x", "- - - x", "{a: 1, a: 2}", "9" * 400, "9" * 5000,
    "1e999", "NaN", "Infinity", "\t", "\x85", "\ufeff", "%YAML 1.2", "---", "...", "[" * 200, "{a: " * 150, "- " * 150,
    "1e-400", "1.7976931348623159e308", "00", "08", "99999999999999999999", "-0", "+1", "1e", "0x", "''", '""',
)  # fmt: skip
MILD = (
    "1", "2", "8", "true", "none", "400 mm^2", "300 W", "16 GiB", "700 MHz", "1..4", "tpuv2-like", "[1, 2]", "worst",
)  # fmt: skip

BERT = {
    "model_type": "bert", "hidden_size": 64, "num_attention_heads": 4, "num_hidden_layers": 2, "vocab_size": 100,
    "intermediate_size": 128, "max_position_embeddings": 32, "type_vocab_size": 2, "hidden_act": "gelu",
}  # fmt: skip
GPT2 = {"model_type": "gpt2", "n_embd": 64, "n_head": 4, "n_layer": 2, "vocab_size": 100, "n_positions": 32}
LLAMA = {
    "model_type": "llama", "hidden_size": 64, "num_attention_heads": 4, "num_hidden_layers": 2, "vocab_size": 100,
    "intermediate_size": 128, "max_position_embeddings": 32, "num_key_value_heads": 2, "hidden_act": "silu",
}  # fmt: skip
WINDOW = {
    "kind": "schedule-window", "most_gain": 5,
    "schedule": {
        "kind": "operator-schedule", "resources": {"t": 2},
        "operations": [
            {"name": "a", "duration": 3, "uses": {"t": 1}, "after": []},
            {"name": "b", "modes": [{"duration": 4, "uses": {"t": 1}}, {"duration": 2}], "after": ["a"]},
            {"name": "c", "duration": 2, "uses": {"t": 2}, "after": ["b"]},
        ],
    },
    "free": {"a": {"earliest": 0, "due": 9}, "b": {"earliest": 3, "due": 12}}, "fixed": {}, "moving": {"c": 12},
}  # fmt: skip
PIPELINE = {
    "kind": "pipeline-schedule", "microbatches": 3, "split_backward": True, "transfers": [[1, 2]],
    "stages": [
        {"name": "a", "forward": 2, "backward": 3, "weight": 2, "update": 1, "activation": 2, "memory": 6},
        {"forward": 2, "backward": 2, "weight": 3, "memory": 2},
    ],
}  # fmt: skip
SECONDS = {
    "kind": "operator-schedule", "resources": {"t": 1}, "time_unit": "0.1",
    "operations": [{"name": "a", "duration": 0.3, "uses": {"t": 1}}, {"name": "b", "duration": 1.2, "after": ["a"]}],
}  # fmt: skip
_PLACED = {"start": {"a": 0, "b": 3, "c": 5}, "mode": {"b": 1}}
_PICKED = {"two-stages": {"stages": {"front": "small", "back": "medium"}, "step_s": 0.9}}
SOLUTIONS: tuple[dict[str, Any], ...] = (
    _PLACED,
    {"kind": "operator-schedule", "status": "optimal", "objective": 7, "bound": 7, "solution": _PLACED},
    {"kind": "schedule-window", "objective": 1, "solution": {**_PLACED, "gain": 1}},
    {"pipelines": _PICKED, "area_mm2": 730, "tdp_w": 355},
    {"kind": "stage-selection", "objective": 1.0, "solution": {"pipelines": _PICKED}},
)

SMALL_MODEL = """\
name: small
family: convnet
image: 16
blocks:
  two:
    parameters: {out: required, stride: 1}
    layers:
      - residual: {body: [{conv: {out: $out, kernel: 3, stride: $stride, padding: 1}}, relu], shortcut: auto}
layers:
  - conv: {out: 8, kernel: 3, padding: same, repeat: 2}
  - two: {out: 16, stride: 2}
  - relu
  - flatten
  - linear: {out: 10}
"""
SMALL_STUDY = """\
name: small
workloads:
  - {use: resnet-18, batch: 8, microbatch: 4, optimizer: sgd}
accelerator: {use: wham, tensor_cores: [1, 2, 4], tensor_dim: [64, 128], vector_cores: [1, 2]}
limits: {area: 520 mm^2, tdp: 230 W}
objective: throughput
budget: {seconds: 10, workers: 1, seed: 0}
"""
PLACED_STUDY = """\
name: placed
workloads: [{use: bert-base, sequence: 128, batch: 64, microbatch: [1, 4], recompute: [none, full]}]
accelerator: {use: wham, tensor_cores: [2, 4], tensor_dim: 128, vector_cores: 2, hbm_stacks: 1..2, hbm_stack: 16 GiB,
  hbm_stack_bandwidth: 400 GB/s}
technology: accelerator-7nm
system: {devices: 8, cluster: dgx-a100}
parallel: {tensor: [1, 2], pipeline: [1, 2], data: auto, zero: [0, 1], schedule: [1f1b, zb-h1]}
device_limits: {area: baseline, tdp: baseline}
baseline: tpuv4-like
budget: {seconds: 5, workers: 1}
"""
GRAPH = """\
node1 -- Input -- forward_compute_time=0.0, backward_compute_time=0.0, activation_size=10.0, parameter_size=0.0
node2 -- Linear -- forward_compute_time=1.5, backward_compute_time=3.0, activation_size=20.0, parameter_size=40.0
node3 -- Linear -- forward_compute_time=2.5, backward_compute_time=3.0, activation_size=20.0, parameter_size=40.0
\tnode1 -- node2
\tnode2 -- node3
"""
PROJECT = """\
projects                      :  1
jobs (incl. supersource/sink ):  4
  - renewable                 :  1   R
  - nonrenewable              :  1   N
  - doubly constrained        :  0   D
PROJECT INFORMATION:
pronr.  #jobs rel.date duedate tardcost  MPM-Time
    1      2      0        6        1        6
****
PRECEDENCE RELATIONS:
jobnr.    #modes  #successors   successors
   1        1          2           2   3
   2        2          1           4
   3        1          1           4
   4        1          0
****
REQUESTS/DURATIONS:
jobnr. mode duration  R 1  N 1
----
  1      1     0       0    0
  2      1     2       1    5
         2     6       1    1
  3      1     3       1    5
  4      1     0       0    0
****
RESOURCEAVAILABILITIES:
  R 1  N 1
    1   10
****
"""


@dataclass(frozen=True)
class Input:
    """A file, and for studies and solutions what comes with it."""

    target: str
    name: str
    content: bytes
    overrides: tuple[str, ...] = ()


def _files(folder: str, *names: str) -> list[str]:
    paths = sorted((ROOT / folder).glob("*.yaml"))
    return [path.read_text(encoding="utf-8") for path in paths if not names or path.stem in names]


# libyaml where PyYAML has it, some ten times as fast
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


_SOON = ("bert-base", "gnmt-4", "inception-v3", "mobilenet-v3-large", "opt-1.3b", "resnet-18", "vgg-16")
"""Models whose graphs are built in a second."""


@cache
def _bases() -> dict[str, list[tuple[str, str]]]:
    """(text, ending) of what each target reads when nobody has changed it."""
    problems = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "examples").glob("*.json"))]
    problems += [json.dumps(problem, indent=1) for problem in (WINDOW, PIPELINE, SECONDS)]
    bases: dict[str, list[str]] = {
        "study": [SMALL_STUDY, *_files("configs/studies", "quickstart", "constrained"), PLACED_STUDY],
        "set": [SMALL_STUDY, PLACED_STUDY],
        "stack": _files("configs/stacks"),
        "model": [SMALL_MODEL, *_files("configs/workloads", *_SOON)],
        "technology": _files("configs/technologies"),
        "accelerator": _files("configs/accelerators"),
        "cluster": _files("configs/clusters"),
    }
    found = {target: [(text, "yaml") for text in texts] for target, texts in bases.items()}
    found["config"] = [(json.dumps(config, indent=2), "json") for config in (BERT, GPT2, LLAMA)]
    found["problem"] = [(text, "json") for text in problems]
    phaze = sorted((ROOT / "tests/data/phaze").rglob("*.in.json"))
    found["placement"] = [(path.read_text(encoding="utf-8"), "json") for path in phaze] + [(GRAPH, "txt")]
    found["runs"] = [((ROOT / "tests/data/training/vtrain_single_node.csv").read_text(encoding="utf-8"), "csv")]
    found["project"] = [(PROJECT, "mm")]
    found["solution"] = [(json.dumps(solution, indent=1), "json") for solution in SOLUTIONS]
    found["measured"] = [((ROOT / "tests/data/measured_sample.csv").read_text(encoding="utf-8"), "csv")]
    return found


def _weights() -> dict[str, int]:
    return {
        "study": 6, "set": 10, "model": 14, "config": 14, "technology": 8, "accelerator": 8, "cluster": 6,
        "problem": 8, "project": 8, "solution": 10, "measured": 8,
        "stack": 4, "placement": 10, "runs": 8,
    }  # fmt: skip


def make_input(rng: random.Random) -> Input:
    """An input, decided by the state of ``rng``."""
    target = rng.choices(list(_weights()), list(_weights().values()))[0]
    text, ending = rng.choice(_bases()[target])
    overrides: tuple[str, ...] = ()
    if target == "set":
        overrides = tuple(_override(rng, yaml.load(text, Loader=_Loader)) for _ in range(rng.choice((1, 1, 2, 3))))
        return Input(target, f"input.{ending}", text.encode(), overrides)
    if ending in ("yaml", "json") and rng.random() < 0.7:
        data = json.loads(text) if ending == "json" else yaml.load(text, Loader=_Loader)
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            data = _changed(rng, data)
        ending = rng.choice((ending, ending, ending, "yaml", "json"))
        text = _written(data, ending)
    if ending not in ("yaml", "json") or rng.random() < 0.35:
        for _ in range(rng.choice((1, 1, 2))):
            text = _changed_text(rng, text)
    content = text.encode("utf-8", "surrogatepass")
    if rng.random() < 0.05:
        content = _noise(rng, content)
    if target == "project" and rng.random() < 0.2:
        ending = "txt"
    return Input(target, f"input.{ending}", content, overrides)


def _written(data: Any, ending: str) -> str:
    if ending == "json":
        return json.dumps(data, indent=1, default=str)
    try:
        return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True)
    except RecursionError:  # of the writer
        return json.dumps(data, default=str)


def _places(data: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    below = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    found = [place] if place else []
    return found + [deeper for step, item in below for deeper in _places(item, (*place, step))]


def _changed(rng: random.Random, data: Any) -> Any:
    """A copy with one place deleted, replaced, moved, doubled, nested or renamed."""
    data = copy.deepcopy(data)
    places = _places(data)
    if not places or rng.random() < 0.02:
        return copy.deepcopy(rng.choice(ODD))
    place = rng.choice(places)
    above = data
    for step in place[:-1]:
        above = above[step]
    last, value = place[-1], above[place[-1]]
    change = rng.choice(("odd", "odd", "odd", "scale", "delete", "swap", "nest", "rename", "double", "type"))
    if change == "delete":
        del above[last]
    elif change == "swap":
        other = data
        for step in rng.choice(places):
            other = other[step]
        above[last] = copy.deepcopy(other)
    elif change == "nest":
        deep = value
        for _ in range(rng.choice((1, 2, 60, 120))):
            deep = [deep] if rng.random() < 0.5 else {"x": deep}
        above[last] = deep
    elif change == "rename" and isinstance(above, dict):
        above[str(rng.choice((f"{last}x", "", "x", "é", "kind", "name", "<<", "1")))] = above.pop(last)
    elif change == "double" and isinstance(above, list):
        above.insert(last, copy.deepcopy(value))
    elif change == "type":
        above[last] = rng.choice((str(value), [value], {"x": value}, {str(value)[:20]: value}, bool(value)))
    elif change == "scale" and isinstance(value, int | float) and not isinstance(value, bool):
        scale = rng.choice((0, -1, 2, 3, 10, 1000, 10**9, 10**18))
        above[last] = value * scale if rng.random() < 0.7 else value / max(1, scale)
    else:
        above[last] = copy.deepcopy(rng.choice(ODD))
    return data


def _changed_text(rng: random.Random, text: str) -> str:
    change = rng.choice(("word", "word", "word", "line", "lines", "cut", "insert", "crlf", "bom", "alias", "tabs"))
    lines = text.split("\n")
    row = rng.randrange(len(lines))
    if change == "word":  # what stands behind a colon, a comma or a blank
        cuts = [i for i, c in enumerate(text) if c in ":,[{ "]
        if cuts:
            start = rng.choice(cuts) + 1
            end = next((i for i in range(start + 1, len(text)) if text[i] in ",]}\n "), len(text))
            text = f"{text[:start]} {rng.choice(WORDS)}{text[end:]}"
    elif change == "line":
        text = "\n".join([*lines[:row], lines[row], *lines[row:]])
    elif change == "lines":
        other = rng.randrange(len(lines))
        lines[row], lines[other] = lines[other], lines[row]
        text = "\n".join(lines)
    elif change == "cut":
        text = text[: rng.randrange(len(text) + 1)]
    elif change == "insert":
        at = rng.randrange(len(text) + 1)
        text = text[:at] + rng.choice(WORDS) + text[at:]
    elif change == "crlf":
        text = text.replace("\n", "\r\n")
    elif change == "bom":
        text = f"\ufeff{text}"
    elif change == "alias":
        levels = rng.choice((1, 3, 9))
        rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
        rows += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, levels)]
        text = f"{text}\n" + "\n".join([*rows, f"name: *a{levels - 1}\n"])
    else:
        text = text.replace("  ", "\t")
    return text


def _noise(rng: random.Random, content: bytes) -> bytes:
    noisy = bytearray(content)
    for _ in range(rng.choice((1, 3, 20))):
        if noisy:
            noisy[rng.randrange(len(noisy))] = rng.randrange(256)
    return bytes(noisy)


def _override(rng: random.Random, data: Any) -> str:
    keys = ["limits.area", "limits.tdp", "device_limits.area", "parallel.pipeline", "system.devices", "system.cluster"]
    keys += ["technology", "baseline", "baselines", "objective", "mode", "floor", "search", "search.method", "cost"]
    keys += ["cost.file", "timing", "budget.work", "workloads.0.sequence", "workloads.0.image", "accelerator.hbm"]
    keys += ["parallel.tensor", "parallel.data", "parallel.stages", "parallel.zero", "workloads.0.recompute"]
    keys += ["accelerator.frequency", "accelerator.dataflow", "operator_split", "residency", "search.top_k"]
    keys += [".".join(map(str, place)) for place in _places(data)]
    key = rng.choice(keys) if rng.random() < 0.95 else rng.choice(WORDS)
    if rng.random() < 0.3:
        return f"{key}={rng.choice(MILD)}"
    value = rng.choice(WORDS) if rng.random() < 0.6 else json.dumps(rng.choice(ODD), ensure_ascii=False)
    return f"{key}={value}"


def _study(file: Path, given: Input) -> None:
    from accmine.plan import placement_of, plan_of
    from accmine.study import as_mapping, effective, load_study

    loaded = load_study(file, given.overrides)
    as_mapping(loaded.study)
    effective(loaded.study)
    (placement_of if loaded.study.placed else plan_of)(loaded)


def _model(file: Path, given: Input) -> None:
    from accmine.workload import forward_graph, load_model, summary

    model = load_model(file)
    summary(model)
    forward_graph(model, batch=1)


def _technology(file: Path, given: Input) -> None:
    from accmine.hardware.technology.file import load_technology

    load_technology(file)


def _accelerator(file: Path, given: Input) -> None:
    from accmine.hardware import read_accelerator, template_of

    template_of(read_accelerator(file))


def _cluster(file: Path, given: Input) -> None:
    from accmine.system import load_cluster

    load_cluster(file)


def _problem(file: Path, given: Input) -> None:
    from accmine.ports import Stop
    from accmine.solving import load_problem, rate, result_to_json, solve

    problem = load_problem(file)
    result = solve(problem, stop=Stop(seconds=SOLVE_S))
    json.dumps(result_to_json(problem, result), allow_nan=False)
    if result.solution is not None:
        assert rate(problem, result.solution)["valid"]


def _rated(file: Path, given: Input) -> None:
    from accmine.solving import load_problem, rate

    problems = (json.dumps(WINDOW), ROOT / "examples/stage-selection.json", json.dumps(WINDOW["schedule"]))
    kinds = (b"gain", b"pipelines", b"")  # what tells the solutions apart
    meant = next(i for i, kind in enumerate(kinds) if kind in given.content)
    json.dumps(rate(load_problem(problems[meant]), file))


def _measured(file: Path, given: Input) -> None:
    from accmine.cost import read_rows

    read_rows(file)


def _stack(file: Path, given: Input) -> None:
    from accmine.hardware.stack import load_stack

    load_stack(file)


def _runs(file: Path, given: Input) -> None:
    from accmine.questions.accuracy.training.runs import read_runs

    read_runs(file)


TARGETS: dict[str, Callable[[Path, Input], None]] = {
    "study": _study,
    "set": _study,
    "model": _model,
    "config": _model,
    "technology": _technology,
    "accelerator": _accelerator,
    "cluster": _cluster,
    "problem": _problem,
    "project": _problem,
    "solution": _rated,
    "measured": _measured,
    "stack": _stack,
    "placement": _problem,
    "runs": _runs,
}
"""Who reads the inputs."""
