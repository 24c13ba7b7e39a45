"""Names and files of the catalogue."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accmine.errors import InputError
from accmine.files import KINDS, did_you_mean, find_file, is_file_reference, load_yaml, names, path_of, resolve


@pytest.mark.parametrize("kind", KINDS)
def test_every_shipped_entry_resolves_and_is_yaml(kind: str) -> None:
    assert names(kind)
    assert list(names(kind)) == sorted(names(kind))
    for name in names(kind):
        path = resolve(kind, name)
        assert path.is_absolute()
        assert isinstance(load_yaml(path).data, dict)


def test_the_shipped_names_that_the_documentation_uses() -> None:
    assert {"quickstart", "gpt2-xl-pipeline", "common-design", "constrained", "perf-per-watt"} <= set(names("studies"))
    assert {"wham", "tpuv2-like", "nvdla-like"} <= set(names("accelerators"))
    assert "tpu-16nm" in names("technologies")
    assert "pcie-ring" in names("clusters")
    assert {"bert-large", "gpt2-xl", "resnet-50"} <= set(names("workloads"))


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("workloads", "bert-larg", "unknown workload 'bert-larg'; did you mean 'bert-large'? known: bert-base"),
        ("technologies", "tpu", "unknown technology 'tpu'; "),
        ("studies", "zzz", "unknown study 'zzz'; known: common-design"),
        ("studies", "", "unknown study ''"),
        ("workload", "bert-large", "unknown catalogue 'workload'; did you mean 'workloads'? known: workloads"),
        ("clusters", "nowhere.yaml", "no such file: "),
        ("clusters", "/", "/ is a folder, not a file"),
    ],
)
def test_refuses(kind: str, name: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        resolve(kind, name)
    assert message in str(caught.value)


def test_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("a: 1\n")
    assert resolve("clusters", file) == file
    assert resolve("clusters", "mine.yaml", tmp_path) == file
    monkeypatch.chdir(tmp_path)
    assert resolve("clusters", "./mine.yaml") == file
    with pytest.raises(InputError, match="known: "):
        resolve("clusters", "mine")  # a name, although a file is near


@pytest.mark.parametrize("text", ["a.yaml", "a.yml", "config.json", "A.YAML", "a/b", ".\\b", Path("b")])
def test_file_references(text: str | Path) -> None:
    assert is_file_reference(text)


@pytest.mark.parametrize("text", ["opt-1.3b", "bert-large", ""])
def test_names(text: str) -> None:
    assert not is_file_reference(text)


def test_suggestions() -> None:
    assert did_you_mean("Area", ["area", "tdp"]) == "did you mean 'area'? "
    assert did_you_mean("xyz", ["area", "tdp"]) == ""
    assert did_you_mean("a", []) == ""


IMPOSSIBLE = ["~no-such-user-here/x.yaml", "a\0b/x.yaml", f"{'x' * 5000}/y.yaml"]


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_names_that_no_file_can_have_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file can have this name"):
        resolve("clusters", name, tmp_path)
    with pytest.raises(InputError, match="no file can have this name"):
        find_file(name, tmp_path)


def test_homes_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "x.yaml").write_text("a: 1")
    assert path_of("~/x.yaml") == tmp_path / "x.yaml"
    assert find_file("~/x.yaml", tmp_path / "elsewhere") == tmp_path / "x.yaml"
    assert find_file("x.yaml", tmp_path / "elsewhere") is None
    assert find_file("x.yaml", tmp_path / "elsewhere", tmp_path) == tmp_path / "x.yaml"


WORDS = st.lists(st.text("abcdef_", min_size=3, max_size=8), min_size=1, max_size=6, unique_by=str.lower)


@given(WORDS, st.integers(0, 5))
def test_an_allowed_word_is_nearest_to_itself_in_any_case(words: list[str], which: int) -> None:
    word = words[which % len(words)]
    assert did_you_mean(word, words) == f"did you mean {word!r}? "
    assert did_you_mean(word.upper(), words) == f"did you mean {word!r}? "


@given(WORDS, st.text(max_size=12))
def test_what_is_named_is_allowed_whatever_the_order(words: list[str], word: str) -> None:
    found = did_you_mean(word, words)
    assert found == did_you_mean(word, reversed(words))
    assert not found or found.split("'")[1] in words


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("throughputs", "did you mean 'throughput'? "),
        ("Bottle-neck", "did you mean 'bottleneck'? "),
        ("zzz", ""),
        ("", ""),
    ],
)
def test_slips_of_the_pen(word: str, said: str) -> None:
    assert did_you_mean(word, ("throughput", "bottleneck", "throughput-per-tdp")) == said


def test_nothing_is_allowed() -> None:
    assert did_you_mean("x", ()) == ""


def test_a_name_of_another_kind_is_said_to_be_one() -> None:
    with pytest.raises(InputError, match=r"unknown study 'systolic-ws'; it is one of accmine list kernels; known: "):
        resolve("studies", "systolic-ws")
