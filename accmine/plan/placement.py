"""From a study whose placement is to be decided to its problem: variants of the model, costs, limits of a chip."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from math import inf, log2

from accmine.cost import too_many_kernels
from accmine.errors import Complaint, InputError
from accmine.hardware import Design, template_of
from accmine.hardware.space import feasible
from accmine.plan.build import baseline_costs, planned, policy_of
from accmine.plan.limits import limits_of
from accmine.plan.plan import own_splits, whole_splits
from accmine.plan.under import costs_of
from accmine.problems import design_search
from accmine.problems.conflict import ConflictingLimit, infeasible
from accmine.problems.design_placement.problem import Problem, Variant
from accmine.problems.design_placement.times import microbatches_of, takes_replicas, takes_stages
from accmine.problems.device_placement.problem import ORDERS, Pipelining
from accmine.problems.limits import within
from accmine.study import Inputs, LoadedStudy, Study, StudyWorkload
from accmine.study.choices import AUTO, choices
from accmine.system.schedules import SCHEDULES
from accmine.workload import ModelDescription, PhaseRun, Task, TransformerConfig
from accmine.workload.layer_classes import layer_classes
from accmine.workload.shard import WHOLE, LayerClass, Shard

__all__ = ["PlacementPlan", "make_placement", "placement_of"]

FIELDS = {
    "tensor": "parallel.tensor",
    "expert": "parallel.expert",
    "sequence_parallel": "parallel.sequence_parallel",
    "recompute": "workloads.0.recompute",
    "sequence": "workloads.0.sequence",
    "use": "workloads.0.use",
    "masked": "workloads.0.masked",
}
"""Options of layer classes -> the key of a study that gives them."""


@dataclass(frozen=True, eq=False)
class PlacementPlan:
    """A study whose placement is decided with the design, made concrete.

    Attributes
    ----------
    problem
        What is to be solved.
    references
        Name, and the same question about one given design without limits, of the baseline and all further ones.
    model_macs
        Multiply-accumulates of a step, without recomputation, of the whole model.
    """

    study: Study
    inputs: Inputs
    problem: Problem
    references: tuple[tuple[str, Problem], ...]
    model_macs: int

    @property
    def workload(self) -> StudyWorkload:
        """The one workload."""
        return self.study.workloads[0]

    @property
    def model(self) -> ModelDescription:
        """The one model."""
        return self.inputs.models[0]


def placement_of(asked: LoadedStudy) -> PlacementPlan:
    """The plan of a study, whose files are read first; complaints name places.

    Raises
    ------
    InputError
        If the study or a file that it names is wrong.
    InfeasibleError
        If a pipeline has more stages than its model has layers.
    """
    return planned(asked, make_placement)


def make_placement(study: Study, inputs: Inputs) -> PlacementPlan:
    """The problem of a study whose placement is decided.

    Raises
    ------
    InputError
        If degrees do not divide the model, or the cluster has fewer devices than the study.
    InfeasibleError
        If a pipeline has more stages than its model has layers.
    """
    workload, model, cluster = study.workloads[0], inputs.models[0], inputs.cluster
    assert cluster is not None, "a study that is placed has a cluster"
    variants = tuple(_variants(study, inputs))
    pipelinings = _pipelinings(study)
    _check_depth(study, variants[0].layers, min(how.chunks for how in pipelinings))
    devices = study.devices
    designs = [inputs.baseline, *(design for _, design in inputs.baselines)]
    counts = [n for d in designs for n in (d.tensor_cores, d.vector_cores)]
    library = design_search.cost_library(
        [_task(c) for variant in variants for c in variant.classes],
        (*inputs.template.tensor_cores, *inputs.template.vector_cores, *counts),
        study.operator_split,
        study.timing,
        inputs.technology,
        inputs.source,
        (*own_splits(inputs.template, inputs.baseline), *whole_splits(designs)),
    )
    too_many_kernels(inputs.source, library.works, inputs.template, len(library.splits))
    area, tdp = _chip_limits(study, inputs, devices)
    problem = Problem(
        variants=variants,
        batch=workload.batch,
        devices=devices,
        cluster=cluster,
        template=inputs.template,
        technology=inputs.technology,
        library=library,
        pipeline=_some(study.parallel.pipeline),
        data=_some(study.parallel.data),
        orders=_orders(study),
        pipelinings=pipelinings,
        zero=choices(study.parallel.zero),
        gradient_overlap=study.parallel.overlap.gradients,
        area_mm2=area,
        tdp_w=tdp,
    )
    problem = replace(problem, variants=_usable(problem))
    names = dict(((study.baseline, inputs.baseline), *inputs.baselines))
    references = tuple((name, _only(problem, design)) for name, design in names.items())
    return PlacementPlan(
        study, inputs, replace(problem, first=_first(problem, inputs.baseline)), references, _model_macs(study, model)
    )


def _only(problem: Problem, design: Design) -> Problem:
    """The same question about one design, whatever it costs."""
    return replace(problem, template=template_of(design), area_mm2=inf, tdp_w=inf, first=(design,))


def _first(problem: Problem, baseline: Design) -> tuple[Design, ...]:
    """The baseline, where it is one of the designs and within the limits, and of the largest peaks the most alike."""
    area, tdp = costs_of(baseline, problem.technology)
    fits = problem.template.contains(baseline) and within(area, problem.area_mm2) and within(tdp, problem.tdp_w)
    limits = {"area_mm2": problem.area_mm2, "tdp_w": problem.tdp_w}
    blocks = feasible(problem.template, problem.technology, **{k: v for k, v in limits.items() if v < inf})

    def strength(design: Design) -> tuple[float, ...]:
        """Peak, how alike to the baseline arrays, vector units and SRAM are, and room for microbatches."""
        arrays = ((design.tensor.rows, baseline.tensor.rows), (design.tensor.cols, baseline.tensor.cols))
        units = ((design.vector_ops_per_s, baseline.vector_ops_per_s), (design.vector.lanes, baseline.vector.lanes))
        sram = (
            (design.tensor.sram_bytes, baseline.tensor.sram_bytes),
            (design.vector.sram_bytes, baseline.vector.sram_bytes),
        )
        unlike = sum(abs(log2(own / theirs)) for own, theirs in (*arrays, *units, *sram))
        return (
            design.peak_macs_per_s,
            -abs(design.shared_sram_bytes - baseline.shared_sram_bytes),
            -unlike,
            design.hbm_bytes_per_s,
            design.hbm_bytes,
        )

    tops = [max(block.designs(), key=strength) for block in blocks]
    return tuple(dict.fromkeys([*([baseline] if fits else []), *([max(tops, key=strength)] if tops else [])]))


def _variants(study: Study, inputs: Inputs) -> Iterator[Variant]:
    """Every way to divide and run the model."""
    workload, model = study.workloads[0], inputs.models[0]
    sizes, kinds = choices(workload.microbatch), choices(workload.recompute)
    for shard, microbatch, recompute in product(_shards(study, inputs), sizes, kinds):
        yield Variant(shard, microbatch, recompute, _classes(study, model, shard, microbatch, recompute))


def _shards(study: Study, inputs: Inputs) -> tuple[Shard, ...]:
    """Tensor and expert degrees; under ``auto`` those that the model can be divided by."""
    parallel, model = study.parallel, inputs.models[0]
    found = []
    for tensor, expert in product(_tensor(study, inputs), _expert(study, model)):
        switch = parallel.sequence_parallel
        for sequence in (False, True) if switch == AUTO and tensor > 1 else (switch is True and tensor > 1,):
            shard = Shard(tensor, sequence, expert)
            given = AUTO not in (parallel.tensor, parallel.expert)
            if given or _divides(study, model, shard):
                found.append(shard)
    if not found:
        raise InputError("no degree divides the model", field="parallel.tensor")
    return tuple(found)


def _tensor(study: Study, inputs: Inputs) -> tuple[int, ...]:
    if study.parallel.tensor != AUTO:
        return choices(study.parallel.tensor)
    assert inputs.cluster is not None
    most = min(study.devices, inputs.cluster.levels[0].devices or study.devices)
    return tuple(1 << k for k in range(most.bit_length()))


def _expert(study: Study, model: ModelDescription) -> tuple[int, ...]:
    if study.parallel.expert != AUTO:
        return choices(study.parallel.expert)
    experts = (isinstance(model.config, TransformerConfig) and model.config.experts) or 1
    return tuple(n for n in (1 << k for k in range(experts.bit_length())) if experts % n == 0)


def _divides(study: Study, model: ModelDescription, shard: Shard) -> bool:
    """Whether the model can be divided so."""
    try:
        _classes(study, model, shard, 1, "none")
    except InputError as error:
        if all(c.field in (FIELDS["tensor"], FIELDS["expert"]) for c in error.complaints):
            return False
        raise
    return True


def _classes(
    study: Study, model: ModelDescription, shard: Shard, microbatch: int, recompute: str
) -> tuple[LayerClass, ...]:
    workload = study.workloads[0]
    accumulate = workload.batch > microbatch
    try:
        return layer_classes(
            model,
            microbatch=microbatch,
            sequence=workload.sequence,
            shard=shard,
            recompute=recompute,
            optimizer=workload.optimizer,
            policy=policy_of(workload, accumulate),
            fusion=workload.fusion,
            split=workload.granularity,
            masked=model.masked if workload.masked is None else workload.masked,
            accumulate=accumulate,
        )
    except InputError as error:
        found = [Complaint(c.where, FIELDS.get(c.field, c.field), c.message) for c in error.complaints]
        raise InputError(found) from None


def _model_macs(study: Study, model: ModelDescription) -> int:
    """Multiply-accumulates of a step of the whole model, as one device would do them."""
    classes = _classes(study, model, WHOLE, 1, "none")
    return study.workloads[0].batch * sum(len(c.layers) * c.macs for c in classes)


def _task(layer_class: LayerClass) -> Task:
    phases = (("forward", layer_class.forward), ("backward", layer_class.backward), ("update", layer_class.update))
    runs = tuple(PhaseRun(name, graph, 1) for name, graph in phases)
    return Task(layer_class.name, layer_class.name, runs, 1, 0)


def _usable(problem: Problem) -> tuple[Variant, ...]:
    """The variants that have a plan: layers, microbatches and devices for some of the degrees.

    Raises
    ------
    InputError
        If some degree is of no use to any of them, or none is left.
    """
    variants, complaints = problem.variants, []
    tensor, expert = min(v.shard.tensor for v in variants), [v.shard.expert for v in variants]
    for stages in problem.pipeline:
        if not any(takes_stages(problem, v, stages) for v in variants):
            message = f"{stages} stages of {tensor} devices or more: the study has {problem.devices} devices"
            complaints.append(Complaint("", "parallel.pipeline", message))
    for data in problem.data:
        if not any(takes_replicas(problem, v, data) for v in variants):
            message = f"{data} replicas hold no whole expert groups of {min(expert)} devices"
            if data * tensor > problem.devices:
                message = f"{data} replicas of {tensor} devices or more: the study has {problem.devices} devices"
            complaints.append(Complaint("", "parallel.data", message))
    found = [
        v
        for v in variants
        if any(takes_stages(problem, v, stages) for stages in problem.pipeline or (1,))
        and any(takes_replicas(problem, v, data) for data in problem.data or (v.shard.expert,))
    ]
    if complaints:
        raise InputError(complaints)
    if found and not any(_scheduled(problem, v) for v in found):
        how = " or ".join(f"{p.schedule} with {p.chunks} chunks" for p in problem.pipelinings)
        message = f"{how}: no replica has microbatches that fill groups of as many as there are stages; allowed: "
        raise InputError(f"{message}fewer stages, smaller microbatches, fewer replicas", field="parallel.schedule")
    if not found:
        message = (
            f"{problem.devices} devices and {problem.batch} samples have no room for any of these degrees together"
        )
        raise InputError(message, field="parallel")
    return tuple(found)


def _scheduled(problem: Problem, variant: Variant) -> bool:
    """Whether some schedule takes the microbatches that some degrees leave to a replica."""
    microbatches = microbatches_of(problem, variant)
    return any(
        SCHEDULES[how.schedule].refusal(stages, -(-microbatches // data), how.chunks) is None
        for how in problem.pipelinings
        for stages in problem.pipeline or range(1, variant.layers // how.chunks + 1)
        for data in problem.data or (variant.shard.expert,)
        if takes_stages(problem, variant, stages) and takes_replicas(problem, variant, data)
    )


def _check_depth(study: Study, layers: int, chunks: int) -> None:
    if study.parallel.pipeline == AUTO:
        return
    deep = [depth for depth in choices(study.parallel.pipeline) if depth * chunks > layers]
    if deep:
        name = study.workloads[0].name
        of = f" of {chunks} chunks" if chunks > 1 else ""
        raise infeasible(
            f"a {'chunk' if of else 'pipeline stage'} holds at least one layer of {name}",
            [
                ConflictingLimit(
                    "parallel.pipeline",
                    ", ".join(f"{depth}{of}" for depth in deep),
                    f"at most {layers // chunks}{of}, the layers of {name}" + (f" are {layers}" if of else ""),
                    ("parallel", "pipeline"),
                )
            ],
        )


def _some(axis: object) -> tuple[int, ...]:
    """Values to choose from; empty: all."""
    return () if axis == AUTO else choices(axis)


def _orders(study: Study) -> tuple[tuple[str, ...], ...]:
    order = study.parallel.order
    return ORDERS if order == AUTO else (tuple(order),)


def _pipelinings(study: Study) -> tuple[Pipelining, ...]:
    found = []
    for schedule in choices(study.parallel.schedule):
        chunks = [n for n in choices(study.parallel.chunks) if n > 1] if schedule == "interleaved" else [1]
        found += [Pipelining(schedule, n) for n in chunks]
    return tuple(found)


def _chip_limits(study: Study, inputs: Inputs, devices: int) -> tuple[float, float]:
    """Area and TDP of one chip: its own limits, and its share of those of all devices, which have one design."""
    least = [inf, inf]
    for limit in limits_of(study, baseline_costs(inputs.baseline, inputs.technology), devices):
        least[limit.cost.index] = min(least[limit.cost.index], limit.value / (devices if limit.whole else 1))
    return least[0], least[1]
