"""From descriptions to programs: paths, numbers, ports, locations, and what does not fit."""

from __future__ import annotations

from dataclasses import replace

import pytest

from accmine.errors import InputError
from accmine.kernel.architecture import Instruction, Kernel, Loop, Operand
from accmine.kernel.described.resolve import resolve
from accmine.kernel.program import Access, Issue, Location, Port, Program, Repeat, Station, Step, issues
from accmine.kernel.recurrence import run
from tests.kernel.described.texts import ARRAY, MACS, PRODUCT, TINY, architecture, kernel, place_of


def program(text: str, machine_text: str = TINY) -> Program:
    machine = architecture(machine_text)
    return resolve(machine, kernel(text, machine))


def test_a_product_with_numbers() -> None:
    found = program(PRODUCT)
    (loop,) = found.body
    assert isinstance(loop, Repeat)
    assert loop.trips == 64
    load, product = loop.body
    # 4 + max(100 + ⌈256 / 16⌉ of dram, 1 + ⌈256 / 64⌉ of spad)
    assert load == Issue(
        "load",
        (Step("fetch", 1), Step("load_queue", 0)),
        "dma",
        120,
        1,
        (Access("dram.read", 16), Access("spad", 4)),
        ("dram.A",),
        ("spad.A",),
    )
    # 16 + 16 + 16 − 2 + (1 + 4)
    assert isinstance(product, Issue)
    assert (product.latency, product.hold, product.accesses) == (51, 16, (Access("spad", 4),))
    assert (product.reads, product.updates) == (("spad.A",), ("acc.C",))
    assert found.stations["fetch"] == Station("fetch", 4, 1)
    assert found.stations["array"] == Station("array", 1, 0)
    assert found.ports == {"dram.read": Port("dram.read", 1), "spad": Port("spad", 2)}
    assert found.locations["spad.A"] == Location("spad.A", 2)
    assert found.instructions == 128


def test_a_unit_without_interval_is_held_to_the_finish() -> None:
    (loop,) = program(PRODUCT, TINY.replace("latency: 4, interval: 1,", "latency: 4,")).body
    assert isinstance(loop, Repeat)
    assert isinstance(loop.body[0], Issue)
    assert (loop.body[0].latency, loop.body[0].hold) == (120, 120)


def test_several_transfers_through_one_group_are_one_with_their_sum() -> None:
    text = 'name: k\nbody: [{load: {reads: ["dram.A:16", "dram[0:33]"], writes: ["spad.A:64", "spad.B:65"]}}]\n'
    (load,) = program(text).body
    assert isinstance(load, Issue)
    assert load.accesses == (Access("dram.read", 1 + 3), Access("spad", 1 + 2))
    assert load.latency == 4 + 104
    machine = TINY.replace("writes: [acc]}", "writes: [spad]}").replace("read_latency: 100", "read_latency: 1")
    (update,) = program('name: k\nbody: [{matmul: {m: 1, updates: ["spad.A:640"]}}]\n', machine).body
    assert isinstance(update, Issue)
    assert (update.accesses, update.latency) == ((Access("spad", 20),), 31 + 21)  # read, then written


def test_what_is_written_into_buffers_has_room_in_all_their_slots() -> None:
    def writing(size: int, also: str = "[spad.A]") -> str:
        load = '  - load: {{reads: ["dram.A:64"], writes: {}}}\n'
        return "name: k\nbody:\n" + load.format(f'["spad.B:{size}"]') + load.format(also)

    half = 2**17
    where = r"arch.yaml:16:41: memories.spad.size: 262144 bytes hold no buffers of 262146"
    assert program(writing(half - 64)).instructions == 2
    with pytest.raises(InputError, match=where):
        program(writing(half - 63))
    with pytest.raises(InputError, match=r"as the kernel writes them: B 2 x 131072, A 2 x 64"):
        program(writing(half))
    both = TINY.replace("writes: [spad]", "writes: [spad, acc]")
    assert program(writing(half, "[acc.C]"), both).instructions == 2
    assert program(writing(half), TINY.replace(", size: 256 KiB", "")).instructions == 2


def test_overlapping_addresses_share_atoms() -> None:
    text = """\
name: k
body:
  - {load: {reads: ["dram[0:100]"], writes: [spad.A]}}
  - {load: {reads: ["dram[50:150]"], writes: [spad.A]}}
  - {load: {reads: ["dram[100:120]"], writes: [spad.A]}}
  - {load: {reads: ["dram[200:300]"], writes: [spad.A]}}
"""
    reads = [issue.reads for issue in issues(program(text).body)]
    assert reads == [
        ("dram[0:50]", "dram[50:100]"),
        ("dram[50:100]", "dram[100:120]", "dram[120:150]"),
        ("dram[100:120]",),
        ("dram[200:300]",),
    ]


@pytest.mark.parametrize(("rows", "cols", "macs"), [(1, 1, 1), (2, 3, 4), (4, 4, 9), (3, 1, 7), (8, 8, 5)])
def test_the_last_mac_of_an_output_stationary_array(rows: int, cols: int, macs: int) -> None:
    machine = architecture(ARRAY, rows=rows, cols=cols)
    found = resolve(machine, kernel(MACS, machine, macs=macs))
    texts = list(issues(found.body))
    assert len(texts) == rows * cols
    assert found.instructions == rows * cols * macs
    assert all(issue.unit == f"pe_{n // cols}_{n % cols}" for n, issue in enumerate(texts))
    assert {len(issue.reads) for issue in texts} <= {0, 1, 2}
    assert sum(len(issue.reads) for issue in texts) == rows * (cols - 1) + cols * (rows - 1)
    assert run(found).latency == rows + cols + macs - 2


def test_a_kernel_of_a_program_needs_no_file() -> None:
    load = Instruction("load", (Operand("dram", "A", 256),), (Operand("spad", "A", 256),), label="mine")
    made = Kernel("made", (Loop(2, (load,), "i"),))
    found = resolve(replace(architecture(), document=None), made)
    (loop,) = found.body
    assert isinstance(loop, Repeat)
    assert isinstance(loop.body[0], Issue)
    assert (loop.name, loop.body[0].label, found.name) == ("i", "mine", "made")
    for wrong, says in (
        (replace(load, mnemonic="laod"), "^no unit executes 'laod'; did you mean 'load'"),
        (replace(load, reads=(Operand("dram", "A", -1),)), "transfers -1 bytes"),
        (replace(load, reads=(Operand("dram", (4, 4), 1),)), "0 <= FIRST < BEHIND, got 4:4"),
        (Loop(1, ()), "a loop without instructions"),
        (Loop(0, (load,)), "at least 1, is 0"),
    ):
        with pytest.raises(InputError, match=says):
            resolve(architecture(), Kernel("made", (wrong,)))
    with pytest.raises(InputError, match="has no instructions"):
        resolve(architecture(), Kernel("made", ()))


JUNK = [
    ("{load:", "{laod:", "laod", "no unit executes 'laod'; did you mean 'load'? allowed: load, matmul"),
    ("dram.A:256", "dran.A:256", '"dran', "there is no register file or memory 'dran'; did you mean 'dram'"),
    ("dram.A:256", "spad.A:256", '"spad', "'dma' does not read 'spad'; allowed: dram"),
    ("writes: [spad.A]", "writes: [acc.C]", "acc.C", "'dma' does not write 'acc'; allowed: spad"),
    ("updates: [acc.C]", "updates: ['spad.A:8']", "'spad.A:8", "'array' does not write 'spad'; allowed: acc"),
    ("acc.C", "acc.E", "acc.E", "'acc' has no register 'E'; allowed: C, D"),
    ("dram.A:256", "dram.B:256", '"dram', "'dram' has no buffer 'B'"),
    ("dram.A:256", "dram[4000:4097]", '"dram', "[4000:4097] is outside of 'dram', which has addresses 0 to 4095"),
    ("acc.C", "'ac_{1}.C?'", "'ac_{1}", "there is no register file or memory 'ac_1'; allowed: acc, dram, spad"),
    ("acc.C", "'acc[0:4]'", "'acc[", "'acc' has registers, not addresses"),
    ("m: 16", "k: 16", "matmul", "latency of 'array': unknown name 'm'"),
    ("m: 16", "m: 16, rows: 2", "rows", "is a parameter of the architecture; call the value otherwise"),
    ("m: 16", "m: 0, d: 5", "", ""),
    ("updates: [acc.C]", "updates: [acc.C], writes: [acc.C]", "matmul", "changes acc.C twice"),
    ("loop: 64", "loop: 4611686018427387904", "46116", "trips of 2 instructions are 9223372036854775808; allowed"),
]


@pytest.mark.parametrize(
    ("old", "new", "word", "says"), JUNK, ids=[f"{new} {n}" for n, (_, new, *_) in enumerate(JUNK)]
)
def test_what_does_not_fit_has_its_place(old: str, new: str, word: str, says: str) -> None:
    text = PRODUCT.replace(old, new, 1)
    assert text != PRODUCT
    if not says:
        assert program(text).instructions == 128
        return
    with pytest.raises(InputError) as raised:
        program(text)
    wrong = [f"{item.where}: {item.message}" for item in raised.value.complaints]
    assert any(says in item for item in wrong), wrong
    assert any(item.startswith(f"kernel.yaml:{place_of(text, word)}:") for item in wrong if says in item), wrong


def test_loops_beyond_int64_are_refused_and_those_below_are_not() -> None:
    most = PRODUCT.replace("64", "4611686018427387903", 1)
    assert program(most).instructions == 2**63 - 2
    nest = (
        "name: k\nbody: [{loop: 1e12, body: [{loop: 1e12, body: [{load: {reads: ['dram.A:1'], writes: [spad.A]}}]}]}]\n"
    )
    with pytest.raises(InputError, match=r"kernel.yaml:2:15: body.0.loop: 1000000000000 trips of 1000000000000"):
        program(nest)
    loop = most.split("body:\n", 1)[1]
    with pytest.raises(InputError, match=r"kernel.yaml:3:3: body: issues 18446744073709551612 instructions"):
        program(f"name: k\nbody:\n{loop}{loop}")


def test_negative_cycles_of_an_instruction_and_intervals_beyond_the_latency() -> None:
    with pytest.raises(InputError, match=r"kernel.yaml:6:10: .*latency of 'array': must be at least 0, .* is -4"):
        program(PRODUCT, TINY.replace("rows + cols + m - 2", "12 - m"))
    with pytest.raises(InputError, match="the interval of 'array', 99, is longer than its latency, 51"):
        program(PRODUCT, TINY.replace("interval: m", "interval: 99"))
    with pytest.raises(InputError, match="passes"):
        program(PRODUCT.replace("m: 16", "m: 9223372036854775807"))


def test_what_a_program_described_wrongly_is_said_without_places() -> None:
    machine = replace(architecture(), document=None)
    stage, unit, memory = machine.stages["fetch"], machine.units["dma"], machine.memories["dram"]
    plain = kernel(PRODUCT, machine)
    for wrong, says in (
        (replace(machine, stages={**machine.stages, "fetch": replace(stage, slots=0)}), "at least 1, is 0"),
        (replace(machine, stages={**machine.stages, "fetch": replace(stage, latency=-1)}), "at least 0, -1 is -1"),
        (replace(machine, units={**machine.units, "dma": replace(unit, slots=0)}), "at least 1, is 0"),
        (
            replace(machine, units={**machine.units, "dma": replace(unit, reads=("x",))}),
            "no register file or memory 'x'",
        ),
        (replace(machine, memories={**machine.memories, "dram": replace(memory, read_latency=0)}), "at least 1, is 0"),
        (replace(machine, memories={**machine.memories, "dram": replace(memory, bandwidth="cols - 16")}), "is 0"),
        (replace(machine, stages={**machine.stages, "fetch": replace(stage, to=("no",))}), "no stage or unit 'no'"),
    ):
        with pytest.raises(InputError, match=says):
            resolve(wrong, plain)
