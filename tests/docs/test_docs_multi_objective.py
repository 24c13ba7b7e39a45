"""The examples of docs/multi-objective.md, run as they stand there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from accmine import load
from accmine.report import number, percent

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "multi-objective.md").read_text(encoding="utf-8")
STUDIES = re.findall(r"^```yml\n(.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With the models of the page."""
    certificate = (DOCS / "certificate.md").read_text(encoding="utf-8")
    model = re.findall(r"^```yml\n(name: two-towers\n.*?)^```$", certificate, flags=re.DOTALL | re.MULTILINE)
    (tmp_path / "model.yaml").write_text(model[0])
    layers = "[{linear: {out: 512}}, relu, {linear: {out: 512}}, relu, {linear: {out: 10}}]"
    (tmp_path / "perceptron.yaml").write_text(f"name: perceptron\nfamily: convnet\nimage: 8\nlayers: {layers}\n")
    for name, text in zip(("tiny", "robust"), STUDIES, strict=True):
        (tmp_path / f"{name}.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.full
@pytest.mark.usefixtures("folder")
def test_the_front_is_the_table() -> None:
    outcome = load("tiny.yaml").front()
    rows = [
        f"| {number(p.tdp_w)} | {number(p.area_mm2)} | {round(p.objective)} | {round(p.bound)} |"
        for p in outcome.points
        if p.on_front
    ]
    head = "| TDP of all devices, W |"
    lines = PAGE[PAGE.index(head) :].splitlines()[2:]
    assert rows == lines[: lines.index("")]
    assert (outcome.status, outcome.certificate.feasible_designs <= 24) == ("optimal", True)


@pytest.mark.full
@pytest.mark.usefixtures("folder")
def test_the_regret_is_what_is_printed() -> None:
    regret = load("robust.yaml").run().regret
    assert regret is not None
    for row in regret.mixes:
        said = [number(row.answer), number(row.best), number(row.bound)]
        said += [percent(row.regret), percent(row.regret_at_most)]
        assert " ".join(said) in " ".join(PAGE.split())
    assert f"no design of the space loses less than {percent(regret.at_least)}." in PAGE
