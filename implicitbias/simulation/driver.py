"""The block driver: R runs that share data and batch order, advanced together, with no Python per step.

For every step and run: margins of the batch, sample weights as f 2^q, the mean gradient, then the optimizer's step,

    step(w, g, state, hyper, lr, bias, units, batch)

which updates w and its state (K, chunks, 8) in place, chunk by chunk: a chunk is eight coordinates of one run or one
coordinate of eight runs (products.py), and the step need not know which. g (chunks, 8) is the mean gradient, hyper
(H, 8) the hyper-parameters, lr the step size in lanes, bias the factors of `bias_corrections`, in lanes too;
`units` says in which powers of two all this is (scales.py), `batch` what else there is to know of the batch.

Where the margins come from, `source`:

    ROWS     they are rows w
    ITERATE  they are w times `stretch`, one for each row: an update linear in the gradient can run in the space of
             margins, where `scaled` is the Gram matrix (margin_space.py)
    FROZEN   they do not follow w: `frozen` (R, n)
"""

from implicitbias.jit import helper, hot, inlined
from implicitbias.lanes import LANES, any_lane, has_lane, load, splat, store
from implicitbias.simulation.classes import class_curvature, class_gradient
from implicitbias.simulation.gradients import curvature, gradient
from implicitbias.simulation.layout import CURVATURE_LOOK, EPOCH_LOOK, Batch, Bias, Matrix
from implicitbias.simulation.orders import FULL, fill_batches
from implicitbias.simulation.scales import CLASSES, COORDINATE, Units, drifted, renormalise


@inlined
def drive(step, mode, data, runs, table, bias, slots, first):
    """Advance every living group by `count` steps, the first of them step number `first` (from 0).

    table (shapes, count) are step sizes without their factor eta, bias (2, shapes, count) the factors of the step size
    and of eps, (2, shapes, 1) if they are one throughout. slots (count,): where in `kept` the iterates before and after
    a step go, -1 for nowhere."""
    through(once, step, mode, data, runs, table, bias, slots, first)


@inlined
def drive_several(step, mode, data, runs, table, bias, slots, first):
    """`drive` for a step that sees several gradients, one after the other (`Optimizer.evaluations`), or whose recorded
    iterate is not where gradients are taken."""
    through(several, step, mode, data, runs, table, bias, slots, first)


@inlined
def drive_classes(step, mode, data, runs, table, bias, slots, first):
    """The same for rows of several classes; the mode need not be known to the compiler."""
    through(several_of_classes, step, mode, data, runs, table, bias, slots, first)


@inlined
def drive_matrices(step, data, runs, table, bias, slots, first):
    """The same for a step (w, g, hyper, lr, units, batch, matrix) that sees the weights of the classes as a matrix; one
    run at a time, each class in the units of its own weights."""
    through(several_of_matrices, step, CLASSES, data, runs, table, bias, slots, first)


@inlined
def through(advance, step, mode, data, runs, table, bias, slots, first):
    """Call `advance` for every step of every living group."""
    count = slots.shape[0]
    work = runs.work
    permutation, index, sizes = work.permutation, work.index, work.sizes
    if data.order == FULL:
        fill_batches(data.order, data.seed, first, 1, data.per_epoch, True, permutation, index, sizes)
    done = 0
    while done < count:
        stretch = count - done if data.order == FULL else min(index.shape[0], count - done)
        if data.order != FULL:
            fill_batches(
                data.order, data.seed, first + done, stretch, data.per_epoch, done == 0, permutation, index, sizes
            )
        groups = runs.w.shape[0]
        next_r, next_i = 0 * groups, 0 * groups  # not the literal, with which helpers would be compiled once more
        for _ in range(stretch * groups):
            r, i = next_r, next_i
            # Small groups take turns, and each fills the time the others wait for their own results; large ones keep
            # the nearest cache to themselves for as long as possible.
            if runs.turns:
                next_r, next_i = (r + 1, i) if r + 1 < groups else (0, i + 1)
            else:
                next_r, next_i = (r, i + 1) if i + 1 < stretch else (r + 1, 0)
            if not runs.alive[r]:
                continue
            batch_at = 0 if data.order == FULL else i
            advance(step, mode, data, runs, table, bias, slots, r, done + i, first + done + i, index[batch_at],
                    sizes[batch_at])  # fmt: skip
        done += stretch


@inlined
def once(step, mode, data, runs, table, bias, slots, r, at, t, rows, size):
    """Step number t of group r, the `at`-th of this call: the gradient of its batch at w, and the update."""
    w, slot = runs.w[r], slots[at]
    squared = gradient(mode, data, runs, rows, size, r)
    if slot >= 0:
        copy(w, runs.kept[slot, 0, r])
    apply(step, data, runs, table, bias, r, at, t, size, squared, 0)
    if slot >= 0:
        copy(w, runs.kept[slot, 1, r])
    if mode == COORDINATE and not runs.forget and t & (runs.period - 1) == 0:
        follow(data, runs, r)


@inlined
def several(step, mode, data, runs, table, bias, slots, r, at, t, rows, size):
    looks(gradient, curvature, step, mode, data, runs, table, bias, slots, r, at, t, rows, size)


@inlined
def several_of_classes(step, mode, data, runs, table, bias, slots, r, at, t, rows, size):
    looks(class_gradient, class_curvature, step, mode, data, runs, table, bias, slots, r, at, t, rows, size)


@inlined
def several_of_matrices(step, mode, data, runs, table, bias, slots, r, at, t, rows, size):
    slot = slots[at]
    if slot >= 0:
        keep(runs, slot, 0, r)
    for phase in range(runs.looks.shape[0]):
        whole = runs.looks[phase] == EPOCH_LOOK
        if whole and t % data.per_epoch > 0 and t != runs.born:
            continue
        seen = runs.work.every if whole else rows
        count = seen.shape[0] if whole else size
        class_gradient(CLASSES, data, runs, seen, count, r)
        apply_to_matrix(step, data, runs, table, bias, r, at, t, count, seen, phase)
    if slot >= 0:
        keep(runs, slot, 1, r)


@inlined
def looks(gradient, curvature, step, mode, data, runs, table, bias, slots, r, at, t, rows, size):
    """As `once`, for several gradients."""
    slot = slots[at]
    if slot >= 0:
        keep(runs, slot, 0, r)
    look(gradient, curvature, step, mode, data, runs, table, bias, r, at, t, rows, size)
    if slot >= 0:
        keep(runs, slot, 1, r)
    if mode == COORDINATE and not runs.forget and t & (runs.period - 1) == 0:
        follow(data, runs, r)


@inlined
def look(gradient, curvature, step, mode, data, runs, table, bias, r, at, t, rows, size):
    """The gradients that `runs.looks` asks for, each at the w that the step before has left."""
    for phase in range(runs.looks.shape[0]):
        kind, squared = runs.looks[phase], splat(0.0)
        whole = kind == EPOCH_LOOK
        if whole and t % data.per_epoch > 0 and t != runs.born:
            continue
        seen = runs.work.every if whole else rows
        count = seen.shape[0] if whole else size
        if kind == CURVATURE_LOOK:
            curvature(data, runs, rows, size, r)
        else:  # in one place: what it becomes is most of a driver
            squared = gradient(mode, data, runs, seen, count, r)
        apply(step, data, runs, table, bias, r, at, t, count, squared, phase)


@hot
def keep(runs, slot, side, r):
    """Copy the iterate that is recorded to where it is kept."""
    if runs.recorded < 0:
        copy(runs.w[r], runs.kept[slot, side, r])
    else:
        copy(runs.state[r, runs.recorded], runs.kept[slot, side, r])


@inlined
def apply(step, data, runs, table, bias, r, at, t, size, squared, phase):
    """The update of group r with the gradient in work.g."""
    wide, work, which = runs.wide, runs.work, runs.which[r]
    chunks = data.d if wide else runs.w.shape[1]
    batch = Batch(wide, size, work.z, work.f, work.q, data.loss, squared, work.squares[:chunks], work.room, phase,
                  t - runs.born)  # fmt: skip
    lr = load(runs.eta[r], 0) * pick(table, which, wide, at, work.room)
    place_ = at if bias.shape[2] > 1 else 0
    factors = Bias(pick(bias[0], which, wide, place_, work.room), pick(bias[1], which, wide, place_, work.room))
    units = Units(runs.expo[r], runs.origin[r], data.shift)
    step(runs.w[r], work.g[:chunks], runs.state[r], runs.hyper[r], lr, factors, units, batch)


@inlined
def apply_to_matrix(step, data, runs, table, bias, r, at, t, size, rows, phase):
    """The same for a step that sees a matrix and its samples."""
    work = runs.work
    batch = Batch(False, size, work.z, work.f, work.q, data.loss, splat(0.0), work.squares, work.room, phase,
                  t - runs.born)  # fmt: skip
    lr = load(runs.eta[r], 0) * pick(table, runs.which[r], False, at, work.room)
    units = Units(runs.expo[r], runs.origin[r], data.shift)
    matrix = Matrix(data.classes, data.features, min(data.classes - 1, data.rank), data.scaled, rows, work.f_each,
                    work.q_each, work.counted, runs.memory[r], work.scratch, data.seed)  # fmt: skip
    step(runs.w[r], work.g, runs.hyper[r], lr, units, batch, matrix)


@hot
def copy(x, y):
    for c in range(x.shape[0]):
        store(y, c, load(x, c))


@hot
def follow(data, runs, r):
    """Let the units follow the state."""
    wide, span = runs.wide, runs.span[r]
    moved = drifted(runs.state[r], runs.degrees, span, data.columns, wide)
    if any_lane(moved):
        for lane in range(LANES if wide else 1):
            if has_lane(moved, lane):
                renormalise(
                    runs.state[r], runs.degrees, runs.expo[r], runs.origin[r], span, data.columns, wide, lane, data.d
                )


@hot
def pick(table, which, wide, i, room):
    """table[which[lane], i] in lanes."""
    x = splat(table[which[0], i])
    if wide:
        for lane in range(1, LANES):
            if which[lane] != which[0]:
                return gather(table, which, i, room)
    return x


@helper
def gather(table, which, i, room):
    for lane in range(LANES):
        room[0, lane] = table[which[lane], i]
    return load(room, 0)
