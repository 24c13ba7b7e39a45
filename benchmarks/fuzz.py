"""Feed accmine mutated inputs: nothing but an answer or an ``AccmineError`` may come back, and soon.

    python benchmarks/fuzz.py --count 10000 --seed 0

Every input is made from the seed and its number alone, so it can be made again. Workers are processes of their own: one
that takes longer than ``LONGEST_S`` or more than ``MEMORY_BYTES`` beyond what it needs to start is a finding and is
replaced. Findings are printed, and saved to ``--folder`` with the input. Exit code 1 if there are any.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import select
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from fuzz_inputs import TARGETS, Input, make_input

LONGEST_S = 20.0
MEMORY_BYTES = 2 * 2**30


@dataclass(frozen=True)
class Finding:
    """An input that was answered by something other than a value or an error in words."""

    number: int
    target: str
    what: str
    where: str
    text: str


@dataclass
class Tally:
    """What came of all inputs."""

    inputs: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)


def attempt(given: Input, folder: Path) -> tuple[str, str, str]:
    """(what came of it, where it was raised, text): ``answered``, ``refused``, ``defect`` or ``memory``."""
    from accmine.errors import AccmineError, CheckError

    file = folder / given.name
    file.write_bytes(given.content)
    try:
        TARGETS[given.target](file, given)
    except CheckError as error:  # a solution that fails its check: wrong, whoever raises it
        return "defect", _place(error), f"CheckError: {error}"
    except AccmineError as error:
        return "refused", "", str(error)[:200]
    except MemoryError as error:
        return "memory", _place(error), "MemoryError"
    except Exception as error:  # noqa: BLE001 - this is what is looked for
        return "defect", _place(error), f"{type(error).__name__}: {error}"[:300]
    return "answered", "", ""


def _place(error: BaseException) -> str:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "site-packages" not in frame.filename]
    frames = [frame for frame in frames if "/accmine/" in frame.filename or "/solvers/" in frame.filename] or frames
    last = frames[-1]
    return f"{'/'.join(Path(last.filename).parts[-3:])}:{last.lineno} ({last.name})"


def work(seed: int) -> None:
    """A worker: numbers come in as lines, what came of them goes out as JSON lines."""
    import accmine.solving  # noqa: F401 - what everything needs is not counted as memory of an input

    make_input(random.Random(seed))
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    limit = size + MEMORY_BYTES + 2**30  # libraries that are loaded on the way
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        answers.write("ready\n")
        answers.flush()
        for line in sys.stdin:
            given = make_input(random.Random(f"{seed}/{int(line)}"))
            outcome, where, text = attempt(given, Path(folder))
            answers.write(json.dumps([given.target, outcome, where, text]) + "\n")
            answers.flush()


class Worker:
    """A process that tries inputs one after the other."""

    def __init__(self, seed: int) -> None:
        command = [sys.executable, __file__, "--work", "--seed", str(seed)]
        pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=nothing)
        assert self.process.stdout is not None
        self.process.stdout.readline()  # it has imported everything

    def try_(self, number: int, seconds: float) -> list[str] | str:
        """What came of an input, or why there is no answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{number}\n".encode())
        self.process.stdin.flush()
        if not select.select([self.process.stdout], [], [], seconds)[0]:
            return "hang"
        line = self.process.stdout.readline()
        return json.loads(line) if line else "crash"

    def end(self) -> None:
        """Kill it."""
        self.process.kill()
        self.process.communicate()


def fuzz(numbers: Iterable[int], seed: int) -> Tally:
    """Try inputs; a worker that does not answer is replaced; what hangs is tried twice, for the machine may be busy."""
    tally, worker = Tally(), None
    for number in numbers:
        for _ in range(2):
            worker = worker or Worker(seed)
            answer = worker.try_(number, LONGEST_S)
            if isinstance(answer, str):
                worker.end()
                worker = None
            if answer != "hang":
                break
        if isinstance(answer, str):
            target = make_input(random.Random(f"{seed}/{number}")).target
            answer = [target, answer, "", f"no answer within {LONGEST_S:g} s" if answer == "hang" else "process ended"]
        target, outcome, where, text = answer
        tally.inputs[target] += 1
        tally.refused[target] += outcome == "refused"
        if outcome not in ("answered", "refused"):
            tally.findings.append(Finding(number, target, outcome, where, text))
    if worker is not None:
        worker.end()
    return tally


def save(finding: Finding, seed: int, folder: Path) -> Path:
    """The input of a finding, in a folder of its own beside what came of it."""
    given = make_input(random.Random(f"{seed}/{finding.number}"))
    place = folder / f"{seed}-{finding.number}-{finding.target}"
    place.mkdir(parents=True, exist_ok=True)
    (place / given.name).write_bytes(given.content)
    (place / "finding.json").write_text(json.dumps({**asdict(finding), "overrides": given.overrides}, indent=1))
    return place


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000, help="inputs to try")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1, help="processes that try inputs side by side")
    parser.add_argument("--only", type=int, help="try the input of this number alone, in this process")
    parser.add_argument("--folder", type=Path, default=Path("fuzz-findings"), help="where findings are saved")
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(options.seed)
        return
    if options.only is not None:
        given = make_input(random.Random(f"{options.seed}/{options.only}"))
        print(given.target, given.name, given.overrides)
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            (Path(folder) / given.name).write_bytes(given.content)
            TARGETS[given.target](Path(folder) / given.name, given)
        return
    started = time.monotonic()
    shares = [range(k, options.count, options.workers) for k in range(options.workers)]
    with ThreadPoolExecutor(options.workers) as pool:
        parts = list(pool.map(fuzz, shares, [options.seed] * len(shares)))
    tally = Tally(
        sum((part.inputs for part in parts), Counter()),
        sum((part.refused for part in parts), Counter()),
        sorted((finding for part in parts for finding in part.findings), key=lambda finding: finding.number),
    )
    for target, count in sorted(tally.inputs.items()):
        print(f"{target:<12} {count:6} inputs, {tally.refused[target]:6} refused")
    kinds = Counter(finding.what for finding in tally.findings)
    named = {"defect": "tracebacks", "hang": "hangs", "memory": "out of memory", "crash": "crashes"}
    counts = ", ".join(f"{kinds[kind]} {words}" for kind, words in named.items())
    print(f"{sum(tally.inputs.values())} inputs in {time.monotonic() - started:.0f} s: {counts}")
    same: dict[tuple[str, str], list[Finding]] = {}
    for finding in tally.findings:
        same.setdefault((finding.what, finding.where or str(finding.number)), []).append(finding)
    for (what, where), found in sorted(same.items()):
        saved = [save(finding, options.seed, options.folder) for finding in found]
        print(f"{what} {where} {len(found)} times: {found[0].text!r:.200} -> {saved[0]}")
    sys.exit(1 if tally.findings else 0)


if __name__ == "__main__":
    main()
