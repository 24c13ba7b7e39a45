"""Tables of measured training steps: what is read of a row, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from accmine.errors import InputError
from accmine.questions.accuracy.training.runs import read_runs

SAMPLES = Path(__file__).parents[3] / "data" / "training"
HEAD = "layers,d_model,heads,seq,tp,pp,dp,microbatch,global_batch,recompute,seconds"
ROW = "24,1024,16,512,2,2,2,4,32,full,1.5"


def table(tmp_path: Path, *rows: str, head: str = HEAD) -> Path:
    file = tmp_path / "runs.csv"
    file.write_text("\n".join([head, *rows]) + "\n")
    return file


def test_what_is_read_of_a_row(tmp_path: Path) -> None:
    (run,) = read_runs(table(tmp_path, ROW))
    assert (run.layers, run.width, run.heads, run.sequence) == (24, 1024, 16, 512)
    assert (run.tensor, run.pipeline, run.data, run.devices) == (2, 2, 2, 8)
    assert (run.microbatch, run.batch, run.microbatches) == (4, 32, 4)
    assert (run.recompute, run.sequence_parallel, run.chunks, run.vocabulary) == ("full", False, 1, 51_200)
    assert (run.seconds, run.where, run.gradients) == (1.5, "runs.csv:2", "fp32")


def test_published_tables() -> None:
    first = read_runs(SAMPLES / "megatron_sc21_table1.csv")
    assert [run.seconds for run in first] == [3.528, 9.399, 14.453]
    assert {run.recompute for run in first} == {"full"}
    second = read_runs(SAMPLES / "recompute_korthikanti_table5.csv")
    assert [(run.recompute, run.sequence_parallel) for run in second[:2]] == [("full", False), ("selective", True)]
    node = read_runs(SAMPLES / "vtrain_single_node.csv", "fp16")
    assert node[0].seconds == pytest.approx(0.496019576)  # milliseconds in the file
    assert {run.gradients for run in node} == {"fp16"}
    assert len({run.model for run in node}) == 2


def test_a_row_says_its_own_gradients(tmp_path: Path) -> None:
    file = table(tmp_path, f"{ROW},fp16", f"{ROW},", head=f"{HEAD},gradients")
    assert [run.gradients for run in read_runs(file)] == ["fp16", "fp32"]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("24,1024,16,512,3,2,2,4,32,full,1.5", "3 devices do not divide 16 heads"),
        ("24,1024,16,512,2,5,2,4,40,full,1.5", "24 layers are not divided by 5 stages"),
        ("24,1024,16,512,2,2,2,4,30,full,1.5", "30 sequences are no whole microbatches of 4 on 2 replicas"),
        ("24,1024,16,512,2,2,2,4,32,some,1.5", "names none of none, selective and full"),
        ("24,1024,16,512,2,2,2,4,32,full,", "no time of a step"),
        ("24,1024,16,512,2,2,2,4,32,full,-1", "must be positive"),
        ("24,1024,16,512,2,2,0,4,32,full,1", "must be positive"),
        ("x,1024,16,512,2,2,2,4,32,full,1.5", "is no run"),
    ],
)
def test_rows_that_are_no_runs_are_named(tmp_path: Path, row: str, says: str) -> None:
    with pytest.raises(InputError, match=rf"runs\.csv:3.*{says}"):
        read_runs(table(tmp_path, ROW, row))


def test_all_wrong_rows_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_runs(table(tmp_path, ROW.replace("16", "15"), ROW, ROW.replace("1.5", "")))
    assert [c.where for c in caught.value.complaints] == ["runs.csv:2", "runs.csv:4"]


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="heads: the column is missing"):
        read_runs(table(tmp_path, ROW, head=HEAD.replace("heads", "h")))
