"""The arrays of a block of runs, as the compiled driver takes them."""

from collections import namedtuple

ROWS, ITERATE, FROZEN = 0, 1, 2

# What the runs of a block share. rows (n, chunks, 8), flat (n, 8 chunks): the same memory, from which margins come;
# scaled, scaled_flat: the same over 2^shift, from which gradients are added up, with entries of ordinary size, or
# `uneven` ones; bent, bent_flat: minus their products with `rows`, for curvatures; stretch: see ITERATE; frozen (R, n);
# d: coordinates of w, touched (d,): those that rows reach, `columns` of them; has_zeros: whether any entry of the rows
# is zero; seed: uint64; labels (n,): the class of each row, of `classes`, whose coordinates come one class after the
# other, `width` of them each: its `features` and zeros up to whole chunks; of binary data 1 class of width d; rank:
# that of the rows; mode: the units of the step
Data = namedtuple(
    "Data",
    "rows flat scaled scaled_flat bent bent_flat shift uneven stretch frozen source d columns touched has_zeros loss "
    "order seed batch per_epoch labels classes width features rank mode",
)

# G groups of runs, each one run (narrow) or eight (wide). turns: whether the groups take turns at every step; w, expo,
# origin (G, chunks, 8): iterates, exponents of the units; kept (slots, 2, G, chunks, 8): iterates before and after the
# steps of interest; state (G, K, chunks, 8) of degrees (K,); span (G, 3, 8): see scales.LEAST; hyper (G, H, 8); step
# sizes eta (G, 8) times table[which[G, 8], t - first]; alive (G,); period: steps between renormalisations, a power of
# two; fade (G, 8): binary orders by which a step without gradient changes the last state, per degree; forget: the
# state keeps nothing from one step to the next; looks (L,): the gradients of a step, BATCH_LOOK, EPOCH_LOOK or
# CURVATURE_LOOK; recorded: which state is the iterate that is kept, -1 for w; born: the step from which the optimizer
# counts its own, where it took over from another; tells: whether the step asks for the weights of the samples (1), and
# for their losses (2); memory (G, ...): numbers that an optimizer of matrices or
# in a subspace keeps; work: see `Work`
Runs = namedtuple(
    "Runs",
    "wide turns w kept state degrees expo origin span hyper eta which alive period fade forget looks recorded born "
    "tells memory work",
)
# At w: on the batch; on all rows, in the first step of an epoch or of all; and, in the place of a gradient, the
# diagonal of the Hessian where the gradient before was taken.
BATCH_LOOK, EPOCH_LOOK, CURVATURE_LOOK = 0, 1, 2
LOOKS = {"batch": BATCH_LOOK, "epoch": EPOCH_LOOK, "curvature": CURVATURE_LOOK}

# Room: z, f, q, weight (batch, 8), g, squares (chunks, 8), room (2, 8); and the batches drawn ahead:
# permutation (n,), index (steps, batch), sizes (steps,); every (n,): all rows; of several classes also z_each, f_each,
# q_each (classes batch, 8), one class after the other, the labels (batch, 8) of the batch, and highest (classes, 8),
# the exponents of their heaviest weights, factor (classes, 8): from one unit to those of the
# classes, turned (2 width, 8): the features of sixteen samples; scratch: the room of an optimizer of matrices or in a
# subspace; counted: 0, 1, 2, ...
Work = namedtuple(
    "Work",
    "z f q weight g squares room permutation index sizes every z_each f_each q_each labels highest factor turned "
    "scratch counted",
)

# What a step may ask beside the gradient. squared: ||g||_2^2 in the units of g (mode BATCH); squares (chunks, 8):
# sum of the squared gradients of the rows, over size^2 (mode SAMPLES); z, f, q: margins and their weights f 2^q, `size`
# of each run (wide: entry k of (size, 8), narrow: of the flat array), of several classes the soft margins, if the step
# asks for the loss, and the sums of the weights over the classes; phase: which of the gradients of the step this is; t:
# number of the optimizer's own step, from 0
Batch = namedtuple("Batch", "wide size z f q loss squared squares room phase t")
Bias = namedtuple("Bias", "lr eps")

# What the step of a matrix may ask beside that. classes, features: k and d; rank: the largest that gradients of these
# rows can have; rows (n, chunks, 8), index (batch,) and f, q (classes batch, 8): the rows, which of them are in the
# batch, and their weights for each class, -s_ic and S_i (see `classes`); every: 0, 1, 2, ... up to n, k and d at least;
# memory: numbers that the optimizer keeps from step to step, room: and those that it does not; seed: of the run, uint64
Matrix = namedtuple("Matrix", "classes features rank rows index f q every memory room seed")
