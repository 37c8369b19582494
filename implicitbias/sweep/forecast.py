"""What a study would take, from a sample of it: a dry run.

The runs are counted one by one, without a list of them. Then, of each of the kinds of blocks that will take longest,
one block is simulated for a fraction of its steps, with as many snapshots as in the study, and its cost scaled: the
time in the kernel with the steps, what measuring takes with the runs, certified separators with the tasks. Kinds that
are not sampled cost as the sampled ones do, relative to the rough estimate of `tasks`. The cost of predicted limits
differs a hundredfold between data sets of one kind: they are sampled apart, at random from all that differ. Neither
compiling is in it nor the report. Nothing is written.
"""

import random
import time
from array import array
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field, replace
from math import ceil, inf, log2

import pyarrow as pa
import pyarrow.parquet as pq

from implicitbias.flows import Flow
from implicitbias.lanes import LANES
from implicitbias.margins import max_margin
from implicitbias.store.schema import schemas
from implicitbias.study.expand import RunSpec
from implicitbias.study.keys import Study
from implicitbias.study.plan import survey
from implicitbias.sweep.execute import (
    Prediction,
    execute,
    kernels_of,
    predicted,
    prediction,
    problem_of,
    rivals,
    warm_up,
)
from implicitbias.sweep.tasks import block_seconds, block_size, gather, kernel_seconds, snapshots, task_seconds
from implicitbias.threads import one_thread

MOST_SAMPLES = 16
SAMPLE = 0.1  # seconds in the kernel that a sample should take
MOST_PREDICTIONS, PREDICTING = 200, 4.0  # predictions in a sample, and seconds


@dataclass(frozen=True)
class Sample:
    """The cost of one kind of block, as measured.

    Attributes
        runs, steps   what was simulated; steps is None for a flow
        kernel        time in the kernel over the rough estimate of it
        measuring     seconds for the measures of a run
        certifying    seconds for the separators of a data set; None where an earlier sample had the same data
        snapshot      bytes on disk of a snapshot
        rows          the rows of the runs
    """

    runs: int
    steps: int | None
    kernel: float
    measuring: float
    certifying: float | None
    snapshot: float
    rows: pa.Table = field(repr=False)


@dataclass(frozen=True)
class Forecast:
    """What a study would take; seconds are those of one core, `wall` those of a clock with so many jobs."""

    study: Study
    jobs: int
    runs: int
    blocks: int
    tasks: int
    data_sets: int
    optimizers: dict[str, int]  # runs of each
    snapshots: int
    kernel: float
    measuring: float
    predicting: float
    certifying: float
    wall: float
    runs_bytes: float
    curves_bytes: float
    samples: list[Sample]
    predictions: int  # that differ
    predicted: list[float]  # seconds of those that were made
    sampled: float  # share of the rough estimate that is in kinds with a sample
    took: float  # seconds to make the samples, compiling included
    readings: list[tuple[str, str]] = field(default_factory=list)  # names of data, and what was read of their files

    @property
    def core(self) -> float:
        return self.kernel + self.measuring + self.predicting + self.certifying


@dataclass
class _Kind:
    """Blocks that cost the same, up to the number of their runs and their horizon."""

    block: list[RunSpec]  # of its first group, at most eight
    rough: float = 0.0
    runs: int = 0
    snapshots: int = 0
    kernel: float = 0.0  # the rough estimate


class Census:
    """Counts runs as they come; a run leaves a few numbers behind, and one in eight of some groups stays."""

    def __init__(self):
        self.runs = 0
        self.optimizers: Counter = Counter()
        self.kinds: dict[tuple, _Kind] = {}
        self.profiles: dict[tuple, int] = {}
        self.firsts: list[RunSpec] = []  # of each profile: a kind with a horizon
        self.data: dict[str, int] = {}
        self.readings: dict[tuple[str, str], None] = {}
        self.groups: dict[int, int] = {}  # by the hash of what its runs share
        self.counts, self.profile, self.data_of = array("q"), array("q"), array("q")
        self.predictions: set[int] = set()  # hashes of those that differ
        self.some: list[Prediction] = []  # of them, each as probable as the others
        self._draw = random.Random(0)

    def add(self, run: RunSpec) -> None:
        self.runs += 1
        self.optimizers[run.optimizer_name] += 1
        setting, data = run.setting, run.data
        if data.reading:
            self.readings[data.name, "; ".join(data.reading)] = None
        group = hash((data.digest, run.optimizer.name, setting))
        place = self.groups.setdefault(group, len(self.counts))
        kind_key = _kind_of(run)
        if place == len(self.counts):
            self.counts.append(0)
            profile = (*kind_key, setting.steps, getattr(setting, "time", None), setting.per_octave)
            self.profile.append(self.profiles.setdefault(profile, len(self.firsts)))
            if len(self.profiles) > len(self.firsts):
                self.firsts.append(run)
            self.data_of.append(self.data.setdefault(data.digest, len(self.data)))
        self.counts[place] += 1
        if kind_key not in self.kinds:
            self.kinds[kind_key] = _Kind([])
        kind = self.kinds[kind_key]
        if len(kind.block) < LANES and (not kind.block or kind.block[0].block_key == run.block_key):
            kind.block.append(run)
        if run.limit != "none":
            own = prediction(run)
            if self._differs(own):  # so runs that share it have added its rivals
                for rival in rivals(run).values():
                    self._differs(rival)

    def _differs(self, item: Prediction) -> bool:
        """Count a prediction, and whether it is another than those before."""
        before = len(self.predictions)
        self.predictions.add(hash((item.data.digest, *item[1:])))
        if len(self.predictions) == before:
            return False
        if before < MOST_PREDICTIONS:
            self.some.append(item)
        elif (place := self._draw.randrange(before + 1)) < MOST_PREDICTIONS:
            self.some[place] = item
        return True


def _kind_of(run: RunSpec) -> tuple:
    setting, data = run.setting, run.data
    several = data.k is not None
    kernel = None if isinstance(run.optimizer, Flow) else run.optimizer.under(run.lr).driver(several)
    return run.optimizer.name, kernel, data.n, data.d, data.k, setting.batch, setting.order, run.limit


def forecast(path, settings: list[str] = (), jobs: int = 1) -> Forecast:
    """What a study would take with so many jobs. Errors: ``InputError`` with every mistake of its file."""
    census = Census()
    study, _ = survey(path, census.add, settings)
    groups = [(census.firsts[p], count) for p, count in zip(census.profile, census.counts)]
    longest = task_seconds(groups, jobs)
    pieces: list[list[tuple[float, int]]] = [[] for _ in census.data]
    for (first, count), data in zip(groups, census.data_of):
        size = block_size(first, count, longest)
        whole, rest = divmod(count, size)
        kind = census.kinds[_kind_of(first)]
        kind.runs += count
        kind.snapshots += count * snapshots(first)
        for runs, times in ((size, whole), (rest, 1 if rest else 0)):
            kind.rough += times * block_seconds(first, runs)
            kind.kernel += times * kernel_seconds(first, runs)
            pieces[data] += [(block_seconds(first, runs), runs * snapshots(first))] * times
    clock = time.perf_counter()
    kinds = sorted(census.kinds.values(), key=lambda kind: -kind.rough)
    chosen = kinds[:MOST_SAMPLES]
    samples, known = [], set()
    for kind in chosen:
        samples.append(_sample(kind.block, kind.block[0].data.digest in known))
        known.add(kind.block[0].data.digest)
    predictions = _predictions(census.some)
    took = time.perf_counter() - clock
    tasks = [sum(seconds for seconds, _ in part[share]) for part in pieces for share in gather(part, longest)]
    return _summed(
        study, jobs, census, kinds, samples, predictions, sum(map(len, pieces)), len(tasks), max(tasks), took
    )


def _summed(study, jobs, census, kinds, samples, predictions, blocks, tasks, longest, took) -> Forecast:
    """The samples times how often each of them stands for."""
    mean = {
        name: sum(getattr(sample, name) * kind.rough for sample, kind in zip(samples, kinds))
        / sum(kind.rough for kind, _ in zip(kinds, samples))
        for name in ("kernel", "measuring", "snapshot")
    }
    costs = [{name: getattr(sample, name) for name in mean} for sample in samples]
    costs += [mean] * (len(kinds) - len(samples))
    rows = pa.concat_tables(sample.rows for sample in samples)  # of all, or what is once in a file would count often
    pairs, timeout = list(zip(kinds, costs)), study.timeout or inf
    certified = [sample.certifying for sample in samples if sample.certifying is not None]
    parts = {
        "kernel": sum(min(kind.kernel * cost["kernel"], kind.runs * timeout) for kind, cost in pairs),
        "measuring": sum(kind.runs * cost["measuring"] for kind, cost in pairs),
        "predicting": len(census.predictions) * sum(predictions) / max(len(predictions), 1),
        "certifying": tasks * sum(certified) / len(certified),
    }
    total, rough = sum(parts.values()), sum(kind.rough for kind in kinds)
    return Forecast(
        study, jobs, census.runs, blocks, tasks, len(census.data), dict(census.optimizers),
        sum(kind.snapshots for kind in kinds), **parts,
        wall=max(total / jobs, longest * total / rough),
        runs_bytes=float(_bytes(rows[:1]) + (census.runs - 1) * _bytes_a_row(rows)),
        curves_bytes=sum(kind.snapshots * cost["snapshot"] for kind, cost in pairs),
        samples=samples, predictions=len(census.predictions), predicted=predictions, readings=[*census.readings],
        sampled=sum(kind.rough for kind, _ in zip(kinds, samples)) / rough, took=took,
    )  # fmt: skip


def _sample(block: list[RunSpec], certified: bool) -> Sample:
    """Run a part of a block, and its separators apart."""
    first = block[0]
    for optimizer in kernels_of(block).values():
        with suppress(Exception):  # what goes wrong in a run is its status, and no matter here
            warm_up(optimizer, first.data.k is not None, first.data.form)
    setting = _shorter(first, len(block))
    # A run of one step, on another order than the sample's, which leaves the separators behind.
    tiny = {"time": 1.0} if setting.steps is None else {"steps": 1, "seed": 2**62}
    certifying, *_ = _timed([replace(first, setting=replace(setting, **tiny), limit="none")])
    overhead, *_ = _timed([replace(first, setting=replace(setting, **tiny), limit="none")])
    seconds, kernel, rows, curves = _timed([replace(run, setting=setting, limit="none") for run in block])
    rough = kernel_seconds(replace(first, setting=setting), len(block))
    return Sample(
        len(block), setting.steps, kernel / rough, max(0.0, seconds - kernel) / len(block),
        None if certified else max(0.0, certifying - overhead), _bytes_a_row(curves),
        pa.Table.from_pylist(rows, schema=schemas(first.measures)["runs"]),
    )  # fmt: skip


def _predictions(some: list[Prediction]) -> list[float]:
    """Seconds of one prediction each, as many as there is time for."""
    seconds: list[float] = []
    for item in random.Random(0).sample(some, len(some)):
        with suppress(Exception), one_thread():
            if not isinstance(item.optimizer, Flow):
                warm_up(item.optimizer, item.data.k is not None, item.data.form)
            max_margin(problem_of(item.data))  # a run has its separators already
            clock = time.process_time()
            predicted.__wrapped__(item)  # an earlier forecast may have left it behind
            seconds.append(time.process_time() - clock)
        if sum(seconds) > PREDICTING:
            break
    return seconds


def _timed(block: list[RunSpec]):
    """Seconds of this process, which other processes on the machine do not lengthen, with its share in the kernel."""
    wall, own = time.perf_counter(), time.process_time()
    _, rows, curves = execute([block])
    wall, own = time.perf_counter() - wall, time.process_time() - own
    kernel = sum(row.get("kernel_seconds") or 0.0 for row in rows)
    return own, kernel * min(1.0, own / wall), rows, curves


def _shorter(run: RunSpec, count: int):
    """The setting of a run with fewer steps, and about as many snapshots as before."""
    setting = run.setting
    if setting.steps is None:
        return setting
    cost = kernel_seconds(run, count) / setting.steps
    steps = min(setting.steps, max(16, round(SAMPLE / cost)))
    octaves = log2(setting.steps) / log2(steps) if steps > 1 else 1.0
    return replace(setting, steps=steps, per_octave=min(1000, ceil(setting.per_octave * octaves)), until_log_loss=None)


def _bytes_a_row(table: pa.Table) -> float:
    """Bytes that a further row adds to a file."""
    if len(table) < 2:
        return float(_bytes(table) - _bytes(table[:0]))
    return (_bytes(table) - _bytes(table[:1])) / (len(table) - 1)


def _bytes(table: pa.Table) -> int:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue().size
