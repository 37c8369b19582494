"""How the runs of a study become work: blocks that advance together, gathered or cut into tasks for workers."""

from implicitbias.flows import Flow
from implicitbias.lanes import LANES
from implicitbias.study.expand import RunSpec

# Seconds a task should last: well above the 10 ms it costs to send it to a worker and keep its result, and short enough
# for an even load, a lively progress bar, and little to lose.
SHORTEST, LONGEST = 0.5, 30.0
# Tasks for each worker, if the study allows it, so that none waits long for the last one.
PER_WORKER = 8
# Runs advanced together: their iterates and states still fit the second cache for d in the hundreds.
MOST = 64
MEASURING = 0.01  # seconds to measure a run


def tasks(runs: list[RunSpec], jobs: int = 1) -> list[list[list[RunSpec]]]:
    """Lists of blocks, each list on one data set and the work of one worker; the longest first."""
    seconds = min(max(estimate(runs) / (jobs * PER_WORKER), SHORTEST), LONGEST)
    by_data: dict = {}
    for group in groups(runs):
        by_data.setdefault(group[0].data, []).extend(cut(group, seconds))
    found = []
    for pieces in by_data.values():
        task, total = [], 0.0
        for block in pieces:
            if task and total + seconds_of(block) > seconds:
                found.append(task)
                task, total = [], 0.0
            task.append(block)
            total += seconds_of(block)
        found.append(task)
    return sorted(found, key=lambda task: -sum(map(seconds_of, task)))


def groups(runs: list[RunSpec]) -> list[list[RunSpec]]:
    """The runs that share data and batch order, in the order of the study."""
    found: dict = {}
    for run in runs:
        found.setdefault(run.block_key, []).append(run)
    return list(found.values())


def cut(group: list[RunSpec], seconds: float) -> list[list[RunSpec]]:
    """A group as blocks that last no longer than this: in eights, which cost little more than one run, as long as that
    is enough."""
    size = MOST
    while size > LANES and seconds_of(group[:size]) > seconds:
        size -= LANES
    while size > 1 and seconds_of(group[:size]) > LONGEST:
        size //= 2
    return [group[k : k + size] for k in range(0, len(group), size)]


def estimate(runs: list[RunSpec]) -> float:
    """Core seconds the runs will take, roughly."""
    return sum(map(seconds_of, groups(runs)))


def seconds_of(block: list[RunSpec]) -> float:
    """Seconds a block will take, to within a factor of two or three (measured on one core of 2025)."""
    first = block[0]
    data, setting = first.data, first.setting
    measuring = len(block) * MEASURING
    if isinstance(first.optimizer, Flow):  # about as many steps to any time
        return measuring + len(block) * (0.1 + 2e-5 * data.n * data.d)
    d = min(data.n, data.d) if first.optimizer.linear else data.d
    wide, alone = divmod(len(block), LANES)
    alone_step = 4.5e-8 + 5.5e-10 * d + setting.batch * (2e-9 + 1.1e-10 * d)
    wide_step = 5e-8 + 4e-9 * d + setting.batch * (5e-9 + 5e-10 * d)
    return measuring + setting.steps * (wide * wide_step + min(alone * alone_step, wide_step))
