"""The page on placements: its example is a study that asks for one, and it states every assumption that is printed."""

from __future__ import annotations

import re
from pathlib import Path

from accmine.files import load_yaml, validate
from accmine.questions.run.placement.report import PARTS
from accmine.questions.run.placement.summary import assumptions_of
from accmine.study import Study, load_study, schema
from tests.samples.placed_study_sample import placement_plan

PAGE = (Path(__file__).parents[2] / "docs" / "distributed.md").read_text(encoding="utf-8")
FLAT = re.sub(r"[\s*]+", " ", PAGE)


def test_the_example_is_a_study_whose_placement_is_decided() -> None:
    (example,) = re.findall(r"```yml\n(.*?)```", PAGE, flags=re.DOTALL)
    study = validate(load_yaml(text=example, name="example.yaml"), Study)
    assert study.placed


def test_the_commands_name_shipped_studies() -> None:
    for name in re.findall(r"^accmine run (\S+)$", PAGE, flags=re.MULTILINE):
        assert load_study(name).study.placed


def test_every_key_of_parallel_is_named() -> None:
    for key in schema()["$defs"]["Parallel"]["properties"]:
        assert f".{key}" in PAGE or key == "stages", key


def test_every_assumption_and_part_is_stated() -> None:
    for sentence in assumptions_of(placement_plan().problem):
        words = re.findall(r"[a-z]{6,}", sentence.lower())
        assert sum(word in FLAT.lower() for word in words) >= 0.6 * len(words), sentence
    for _, name, _ in PARTS:
        assert name in FLAT
