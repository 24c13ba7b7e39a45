"""What runs of one sweep have for each other: graphs, costs, schedules of the baseline, designs and answers."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from accmine.cost import CostLibrary
from accmine.hardware import Design
from accmine.plan import Plan, make_plan, of_study
from accmine.questions.run.folder import RunFolder
from accmine.search import Store
from accmine.study import Inputs, Study, as_mapping
from accmine.workload import Task

__all__ = ["LOOSE", "Beside", "Graphs", "likeness"]

LOOSE = ("name", "description", "limits", "device_limits", "objective", "floor", "aggregate", "search", "budget")
"""Keys of a study that its graphs, costs and the schedules of its baseline do not depend on."""

BASELINE = "baseline-"
"""Parts of a run under such names are schedules of the baseline, under what decides them."""

MOST_GRAPHS = 2
"""Studies whose graphs and costs a process holds: the points of a sweep that share them come one after the other."""


def likeness(study: Study, content: Mapping[str, str], loose: tuple[str, ...] = LOOSE) -> str:
    """Equal for studies that differ in the keys ``loose`` alone; ``content`` of their files."""
    table = {key: value for key, value in as_mapping(study).items() if key not in loose}
    return hashlib.sha256(json.dumps([table, sorted(content.items())], sort_keys=True).encode()).hexdigest()


class Graphs:
    """Plans, costs and makespans of list schedules of the studies that a process saw last."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[Plan, CostLibrary, dict[tuple[Task, Design], tuple[int, ...]]]]
        self._known = OrderedDict()

    def plan(self, study: Study, inputs: Inputs) -> Plan:
        """As ``make_plan``, which is asked for graphs that are not known."""
        key = likeness(study, inputs.content)
        if key not in self._known:
            made = make_plan(study, inputs)
            self._known[key] = (made, made.library(), {})
            if len(self._known) > MOST_GRAPHS:
                self._known.popitem(last=False)
        self._known.move_to_end(key)
        return of_study(self._known[key][0], study)

    def shared(self, plan: Plan) -> dict[str, Any]:
        """Costs and makespans of the graphs of a plan that was made here, for ``find``.

        Makespans are none of it where a run has to repeat: it is charged for what it computes.
        """
        for known, library, cycles in self._known.values():
            if known.pipelines is plan.pipelines:
                own = {} if plan.study.budget.deterministic else {"cycles": cycles}
                return {"library": library, **own}
        return {}


class _Store:
    """A run's folder; what it lacks is read from that of an earlier run of the same study, its answer left out.

    Schedules of the baseline that it lacks are those that the first of several runs has kept.
    """

    def __init__(self, own: RunFolder, common: RunFolder, earlier: RunFolder | None) -> None:
        self._own, self._common, self._earlier = own, common, earlier

    def get(self, key: str) -> dict[str, Any] | None:
        found = self._own.get(key)
        if found is None and self._earlier is not None and key != "answer":
            found = self._earlier.get(key)
        if found is None and key.startswith(BASELINE):
            found = self._common.get(key)
            if found is not None:
                self._own.put(key, found)
        return found

    def put(self, key: str, value: Mapping[str, Any]) -> None:
        self._own.put(key, value)
        if key.startswith(BASELINE) and self._common.get(key) is None:
            self._common.put(key, value)

    def note(self, event: str, key: str) -> None:
        self._own.note(event, key)


@dataclass(frozen=True, eq=False)
class Beside:
    """What a run has from others of the same sweep; by default nothing.

    Attributes
    ----------
    designs
        Candidates. Those that do not fit are left out.
    answers
        Kept answers of other runs, as JSON values: claims, whose schedules are checked.
    common
        Folder of the schedules of baselines that the runs share; ``None``: each has its own.
    graphs
        Of the runs of this process.
    reopen
        Whether a run that has ended goes on, with the parts that it kept.
    earlier
        Folder of the run of the same study with nothing given, whose parts a run that has to repeat goes on with.
    """

    designs: tuple[Design, ...] = ()
    answers: tuple[Mapping[str, Any], ...] = ()
    common: RunFolder | None = None
    graphs: Graphs = field(default_factory=Graphs)
    reopen: bool = False
    earlier: RunFolder | None = None

    def content(self, study: Study, inputs: Inputs) -> Mapping[str, str]:
        """What makes the folder of the run: of one that has to repeat also what it is given."""
        if not study.budget.deterministic or not (self.designs or self.answers):
            return inputs.content
        given = json.dumps([[asdict(design) for design in self.designs], self.answers], sort_keys=True)
        return {**inputs.content, "given": hashlib.sha256(given.encode()).hexdigest()}

    def plan(self, study: Study, inputs: Inputs) -> Plan:
        """The plan of a study."""
        return self.graphs.plan(study, inputs)

    def store(self, folder: RunFolder) -> Store:
        """Where the run keeps its parts."""
        return folder if self.common is None else _Store(folder, self.common, self.earlier)

    def shared(self, plan: Plan) -> dict[str, Any]:
        """Further arguments of ``find``."""
        return {**self.graphs.shared(plan), "answers": self.answers}
