"""What the README and the other pages show works as it stands there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import accmine
from accmine.errors import InfeasibleError, InputError
from accmine.files import names
from accmine.questions.run.record import Outcome
from accmine.questions.run.report import sections
from accmine.workload import forward_graph, load_model
from tests.samples.report_sample import single

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

MODEL = """
name: mlp
family: convnet
image: 4
layers: [{linear: {out: 48}}, relu, {linear: {out: 10}}]
"""
STUDY = """
name: tiny
workloads: [{use: model.yaml, batch: 8, microbatch: 4, optimizer: sgd}]
accelerator: {use: tpuv2-like, tensor_cores: 1..2}
baselines: []
budget: {deterministic: true, work: 0.5, workers: 1}
"""


def blocks(language: str) -> list[str]:
    """The fenced blocks of a language, in order."""
    every = re.findall(r"^```(\w*)\n(.*?)^```$", README, flags=re.DOTALL | re.MULTILINE)
    return [text for name, text in every if name == language]


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study of two designs in the current folder."""
    (tmp_path / "model.yaml").write_text(MODEL)
    (tmp_path / "tiny.yaml").write_text(STUDY)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_example_model_is_one(tmp_path: Path) -> None:
    (text,) = blocks("yml")
    file = tmp_path / "small-cnn.yaml"
    file.write_text(text)
    graph = forward_graph(load_model(file), batch=2)
    assert sum(operator.kind == "conv2d" for operator in graph.operators) == 5
    assert graph.macs > 0


def test_the_python_example(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (script,) = blocks("python")
    script = script.replace('"quickstart"', '"tiny.yaml"').replace("580 mm^2", "650 mm^2")
    space: dict[str, Any] = {}
    exec(compile(script, "README.md", "exec"), space)
    outcome = space["outcome"]
    assert isinstance(outcome, Outcome)
    assert capsys.readouterr().out.startswith(outcome.designs[0].name)
    assert outcome.certificate.objective <= outcome.certificate.bound
    assert (tiny / outcome.folder / "result.json").is_file()


def test_load(tiny: Path) -> None:
    ready = accmine.load("tiny.yaml", ["limits.area=650 mm^2"])
    assert ready.study.limits.area == "650 mm^2"
    assert "650 mm^2" in ready.effective()
    assert accmine.load(Path("tiny.yaml"), design="tpuv2-like").study.accelerator.mapping() == {"use": "tpuv2-like"}
    with pytest.raises(InputError, match="unknown study"):
        accmine.load("quikstart")
    with pytest.raises(InfeasibleError, match=r"limits\.area"):
        accmine.load("tiny.yaml", ["limits.area=1 mm^2"]).run(runs_dir=tiny / "other")
    assert (tiny / "other").is_dir()


def test_a_run_is_found_again(tiny: Path) -> None:
    seen: list[tuple[float, float | None, float | None]] = []
    first = accmine.load("tiny.yaml").run(runs_dir="kept", on_progress=lambda *row: seen.append(row))
    assert seen
    found = accmine.load("tiny.yaml").run(runs_dir=tiny / "kept").to_json()
    assert found.pop("earlier_run"), "it says when it was computed"
    assert found == {key: value for key, value in first.to_json().items() if key != "earlier_run"}
    again = accmine.load("tiny.yaml").run(runs_dir="kept", again=True)
    assert again.certificate == first.certificate, "a deterministic budget repeats exactly"


def test_every_shipped_study_is_named() -> None:
    assert [name for name in names("studies") if f"`{name}`" not in README] == []


def test_the_example_report_is_one() -> None:
    """Its headings and the heads of its tables are those that a report has today."""
    (example,) = blocks("text")
    known = sections(single())
    shown = re.findall(r"^── (.*?) ─", example, flags=re.MULTILINE)
    assert len(shown) >= 4
    wanted = {_stem(section.title) for section in known}
    assert [title for title in shown if _stem(title) not in wanted] == []
    for section in known:
        if section.columns and _stem(section.title) in {_stem(title) for title in shown}:
            words = [word for column in section.columns for word in column.title.split()]
            assert [word for word in words if word not in example] == [], section.title


def _stem(title: str) -> str:
    """The part of a heading that does not depend on the study."""
    return title if title.startswith("Why") else re.split(r"[:\[]", title)[0].strip()


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if target.startswith("http"):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name) if name else page
        assert file.is_file(), target
        heads = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
        slugs = {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}
        assert not anchor or anchor in slugs, target


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_files_that_are_named_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for name in re.findall(r"`((?:accmine|models|solvers|configs|tests|docs|examples)/[\w/.-]*)`", text):
        assert (ROOT / name).exists(), name
