"""How the runs of a study become work: blocks that advance together, gathered or cut into tasks for workers."""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from implicitbias.errors import InputError
from implicitbias.flows import Flow
from implicitbias.flows.setting import snapshot_times
from implicitbias.lanes import LANES
from implicitbias.simulation.simulate import snapshot_steps
from implicitbias.study.expand import RunSpec

# Seconds a task should last: well above the 10 ms it costs to send it to a worker and keep its result, and short enough
# for an even load, a lively progress bar, and little to lose.
SHORTEST, LONGEST = 0.5, 30.0
# Tasks for each worker, if the study allows it, so that none waits long for the last one.
PER_WORKER = 8
# Snapshots in a task: its rows travel to the main process as one piece, 20 MB.
MOST_SNAPSHOTS = 50_000
# Runs advanced together: their iterates and states still fit the second cache for d in the hundreds.
MOST = 64
# Seconds to measure a run, by how its limit is predicted.
MEASURING = {"none": 0.001, "theory": 0.01, "numerical": 0.2}


def tasks(runs: list[RunSpec], jobs: int = 1) -> list[list[list[RunSpec]]]:
    """Lists of blocks, each list on one data set and the work of one worker; the longest first."""
    found = groups(runs)
    seconds = task_seconds(((group[0], len(group)) for group in found), jobs)
    by_data: dict = {}
    for group in found:
        by_data.setdefault(group[0].data, []).extend(cut(group, seconds))
    gathered = []
    for blocks in by_data.values():
        shares = gather([(seconds_of(block), len(block) * snapshots(block[0])) for block in blocks], seconds)
        gathered += [blocks[share] for share in shares]
    return sorted(gathered, key=lambda task: -sum(map(seconds_of, task)))


def groups(runs: list[RunSpec]) -> list[list[RunSpec]]:
    """The runs that share data and batch order, in the order of the study."""
    found: dict = {}
    for run in runs:
        found.setdefault(run.block_key, []).append(run)
    return list(found.values())


def read_shard(text: str) -> tuple[int, int]:
    """(i, n) of "i/n", part i = 1..n of a study. Errors: ``InputError``."""
    found = re.fullmatch(r"([1-9][0-9]{0,8})/([1-9][0-9]{0,8})", str(text))
    if not found or int(found[1]) > int(found[2]):
        raise InputError(f"a shard is i/n with i from 1 to n, such as 1/8, not {text!r}")
    return int(found[1]), int(found[2])


def shard_of(runs: list[RunSpec], part: int, parts: int) -> list[RunSpec]:
    """The runs of part 1..parts: whole blocks, dealt out from the longest to the shortest."""
    found = groups(runs)
    seconds = task_seconds(((group[0], len(group)) for group in found), parts)
    blocks = sorted((block for group in found for block in cut(group, seconds)), key=lambda block: -seconds_of(block))
    return [run for block in blocks[part - 1 :: parts] for run in block]


def task_seconds(sizes: Iterable[tuple[RunSpec, int]], jobs: int) -> float:
    """How long a task should be, for groups given as (first run, number of runs)."""
    total = sum(block_seconds(first, count) for first, count in sizes)
    return min(max(total / (jobs * PER_WORKER), SHORTEST), LONGEST)


def cut(group: list[RunSpec], seconds: float) -> list[list[RunSpec]]:
    """A group as blocks that last no longer than this."""
    size = block_size(group[0], len(group), seconds)
    return [group[k : k + size] for k in range(0, len(group), size)]


def block_size(first: RunSpec, count: int, seconds: float) -> int:
    """Runs in a block of a group of so many: in eights, which cost little more than one run, as long as that is
    enough."""
    size = MOST
    while size > LANES and block_seconds(first, min(size, count)) > seconds:
        size -= LANES
    while size > 1 and block_seconds(first, min(size, count)) > LONGEST:
        size //= 2
    return size


def gather(blocks: list[tuple[float, int]], seconds: float) -> Iterator[slice]:
    """Consecutive blocks, given by their seconds and snapshots, that last no longer than this and take no more than
    MOST_SNAPSHOTS together; or one alone that does."""
    start, total, held = 0, 0.0, 0
    for position, (length, rows) in enumerate(blocks):
        if position > start and (total + length > seconds or held + rows > MOST_SNAPSHOTS):
            yield slice(start, position)
            start, total, held = position, 0.0, 0
        total, held = total + length, held + rows
    yield slice(start, len(blocks))


def snapshots(run: RunSpec) -> int:
    """How many snapshots a run makes, unless it stops at a level of the loss."""
    setting = run.setting
    return _snapshots(setting.steps, getattr(setting, "time", None), setting.per_octave)


@lru_cache(maxsize=4096)
def _snapshots(steps: int | None, time: float | None, per_octave: int) -> int:
    return len(snapshot_times(time, per_octave) if steps is None else snapshot_steps(steps, per_octave))


def estimate(runs: list[RunSpec]) -> float:
    """Core seconds the runs will take, roughly."""
    return sum(map(seconds_of, groups(runs)))


def seconds_of(block: list[RunSpec]) -> float:
    """Seconds a block will take, roughly."""
    return block_seconds(block[0], len(block))


def block_seconds(first: RunSpec, count: int) -> float:
    """Seconds for a block of so many runs like the first, to within a factor of two or three (measured on one core of
    2025)."""
    return count * MEASURING[first.limit] + kernel_seconds(first, count)


def kernel_seconds(first: RunSpec, count: int) -> float:
    """The part of it in the compiled driver, or in the integrator of a flow."""
    data, setting = first.data, first.setting
    if isinstance(first.optimizer, Flow):  # about as many steps to any time
        size = data.n * data.weights
        return count * (0.1 + 2e-5 * size + first.optimizer.earliest * (1e-7 + 3e-10 * size))
    d = min(data.margins, data.weights) if first.optimizer.linear else data.weights
    wide, alone = divmod(count, LANES)
    alone_step = 4.5e-8 + 5.5e-10 * d + setting.batch * (2e-9 + 1.1e-10 * d)
    wide_step = 5e-8 + 4e-9 * d + setting.batch * (5e-9 + 5e-10 * d)
    return setting.steps * (wide * wide_step + min(alone * alone_step, wide_step))
