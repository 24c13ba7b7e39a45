"""Files of others, and accmine's own in the wrong place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from accmine.errors import InputError
from accmine.files import looks_like, names, resolve
from accmine.problems.files import load_problem
from accmine.study import load_study

PATTERSON = "5 1\n2\n0 0 2 2 3\n2 1 1 4\n3 2 1 5\n2 1 1 5\n0 0 0\n"
TIME_LAGS = "3 1 0 0\n0 1 2 1 2 [0] [0]\n1 1 2 2 4 [3] [-5]\n2 1 1 4 [2]\n0 1 0 0\n1 1 2 1\n2\n"
TOPOLOGY = "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter,\nc,8,8,3,3,3,6,\n"
TIMELOOP = "problem:\n  version: 0.4\n  shape:\n    name: conv\n    dimensions: [C, M]\n"
CALCULON = '{"hidden":12288,"feedforward":49152,"seq_size":2048,"attn_heads":96,"attn_size":128,"num_blocks":96}'
META = '{"dim": 4096, "n_layers": 32, "n_heads": 32, "vocab_size": 128256, "norm_eps": 1e-05}'
NAMELESS = '{"hidden_size": 768, "num_attention_heads": 12, "num_hidden_layers": 12, "vocab_size": 31090}'
MINIZINC = "int: n = 3;\narray[1..n] of var 0..9: s;\nconstraint s[1] < s[2];\nsolve minimize s[n];\n"

FOREIGN = [
    ("a.rcp", PATTERSON, "Patterson"),
    ("a.txt", PATTERSON, "Patterson"),
    ("b.sch", TIME_LAGS, "time lags"),
    ("b.txt", TIME_LAGS, "time lags"),
    ("topology.csv", TOPOLOGY, "SCALE-Sim"),
    ("problem.yaml", TIMELOOP, "Timeloop"),
    ("gpt3.json", CALCULON, "Calculon"),
    ("params.json", META, "Meta's params.json"),
    ("config.json", NAMELESS, "Hugging Face without model_type"),
    ("config.json", '{"model_type": "bert", ' + NAMELESS[1:], "a config.json of Hugging Face"),
    ("a.mzn", "solve satisfy;\n", "MiniZinc"),
    ("a.txt", MINIZINC, "MiniZinc"),
    ("model.onnx", "x", "ONNX"),
    ("result.json", '{"kind": "x", "status": "optimal", "solution": {}}', "accmine solve"),
    ("result.json", '{"study": "x", "status": "optimal", "stop": "done", "certificate": {}}', "accmine show"),
]


@pytest.mark.parametrize(("name", "text", "says"), FOREIGN)
def test_recognises(name: str, text: str, says: str, tmp_path: Path) -> None:
    file = tmp_path / name
    assert says in str(looks_like(text, file))
    file.write_text(text)
    with pytest.raises(InputError) as caught:
        load_study(file if file.suffix in (".yaml", ".json") else str(file))
    if file.suffix in (".yaml", ".json"):
        assert str(caught.value).startswith(f"{file}: is no study; it looks like ")
        assert says in str(caught.value)
    if '"kind"' not in text:
        with pytest.raises(InputError) as caught:
            load_problem(file)
        assert says in str(caught.value)
        assert "read are: accmine, psplib" in str(caught.value)


def test_formats_that_are_named_and_are_not(tmp_path: Path) -> None:
    file = tmp_path / "a.rcp"
    file.write_text(PATTERSON)
    with pytest.raises(InputError, match=r"a\.rcp: is no file of PSPLIB; it looks like .* Patterson"):
        load_problem(file, "psplib")
    nothing = tmp_path / "notes.txt"
    nothing.write_text("dear reader\n")
    formats = "accmine, psplib, phaze, dnn-partitioning, pipedream"
    with pytest.raises(InputError, match=rf"\.txt: is in no format of problems that is read; read are: {formats}$"):
        load_problem(nothing)


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("workloads", "a description of a model"),
        ("accelerators", "an accelerator"),
        ("technologies", "a technology"),
        ("clusters", "a cluster"),
        ("stacks", "a stack of software"),
        ("kernels", "a described architecture"),
        ("studies", "a study"),
    ],
)
def test_own_files(kind: str, says: str) -> None:
    for name in names(kind):
        path = resolve(kind, name)
        assert str(looks_like(path.read_text(encoding="utf-8"), path)).startswith(says), name
        if kind != "studies":
            with pytest.raises(InputError, match=rf"is no study; it looks like {says}"):
                load_study(path)


EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def test_a_kernel_and_its_architecture_in_yaml_and_json() -> None:
    for name, says in (("kernel", "a kernel"), ("kernel-architecture", "a described architecture")):
        text = (EXAMPLES / f"{name}.yaml").read_text(encoding="utf-8")
        assert str(looks_like(text, Path("x.yaml"))).startswith(f"{says}, which accmine kernel ")
        assert str(looks_like(json.dumps(yaml.safe_load(text)), Path("x.json"))).startswith(f"{says}, which accmine ")
        with pytest.raises(InputError, match=f'needs an object with "kind"; it looks like {says}, .*; read are: '):
            load_problem(EXAMPLES / f"{name}.yaml")


def test_own_problems() -> None:
    found = sorted(EXAMPLES.glob("*.json"))
    assert found
    for path in found:
        assert looks_like(path.read_text(encoding="utf-8"), path) == "a problem of accmine, which accmine solve reads"


@pytest.mark.parametrize("text", ["", "\n", "5\n", "[]", "{}", "a: 1\n", "1 2 3\n", "x,y\n1,2\n", "solve\n"])
def test_says_nothing_where_nothing_is_known(text: str) -> None:
    assert looks_like(text, Path("x.yaml")) is None
