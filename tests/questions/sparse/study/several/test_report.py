"""The report of a run over several devices."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from accmine.questions.run.reading import page, render
from accmine.questions.sparse.study.run import run_sparse
from accmine.questions.sparse.study.several.record import SpreadOutcome
from accmine.questions.sparse.study.several.report import drawn, headline, hero, sections
from tests.samples.sparse_study_sample import SEVERAL, loaded


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> SpreadOutcome:
    folder = tmp_path_factory.mktemp("run")
    found = run_sparse(loaded(folder, SEVERAL), runs_dir=folder / "runs")
    assert isinstance(found, SpreadOutcome)
    return found


def test_every_device_has_its_row(outcome: SpreadOutcome) -> None:
    own = next(section for section in sections(outcome) if section.key == "devices")
    assert [row[:2] for row in own.rows] == [("1", "small"), ("2", "small")]
    for row, device in zip(own.rows, outcome.devices, strict=True):
        assert row[2] == (device.first if device.first == device.last else f"{device.first} to {device.last}")
        assert row[3:5] == (str(len(device.layers)), f"{device.cycles:,}")
    assert own.marked == tuple(i for i, device in enumerate(outcome.devices) if device.binds)


def test_what_is_proven_is_in_the_headline(outcome: SpreadOutcome) -> None:
    assert "(synthetic: made up): the most that is possible on these devices in this order" in headline(outcome)
    open_one = replace(outcome, certificate=replace(outcome.certificate, gap=0.25))
    assert "at most 25 % below the most that is possible" in headline(open_one)


def test_a_link_that_binds_is_named(outcome: SpreadOutcome) -> None:
    link = replace(outcome.links[0], binds=True)
    text = render(replace(outcome, links=(link,)))
    assert f"The link from device 1 to 2: {link.words:,} words of an image at 2 per cycle." in text
    assert "The link from device" not in render(outcome)


def test_a_page_has_tables_and_pictures(outcome: SpreadOutcome) -> None:
    text = page(outcome, None, "kind: sparse-dataflow")
    for words in ("<svg", "Layers of each device", "made up", "no layout above", "Resources", "Links"):
        assert words in text, words


def test_figures_have_the_data_of_all_layers(outcome: SpreadOutcome) -> None:
    (layers,) = drawn(outcome)["layers"]
    assert [row[2] for row in layers.table.rows] == [row.name for own in outcome.devices for row in own.layers]
    devices = hero(outcome)[1]
    assert [row[4] for row in devices.table.rows] == [own.cycles for own in outcome.devices]


def test_the_run_folder_can_be_checked_again(outcome: SpreadOutcome) -> None:
    text = " ".join(render(outcome).split())
    assert "accmine check problem-N.json solution-N.json checks the design of device N again." in text
    assert (Path(outcome.folder) / "solution-2.json").is_file()
