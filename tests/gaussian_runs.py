"""Runs on Gaussian rows, as tests of laws have them, and what is read off them."""

import numpy as np

import implicitbias as ib


def data(seed):
    return ib.geometry.gaussian(n=10, d=50, seed=seed)


def full(problem, optimizers, lr, steps, **options):
    return ib.simulate(problem, optimizers, lr=lr, steps=steps, order="full", **options)


def at(run, column, step=None):
    """A column of the curve at a step, default the last."""
    return run.curve[column].iloc[-1 if step is None else int(np.flatnonzero(run.steps == step)[0])]


def cosine(u, v):
    return u @ v / (np.linalg.norm(u) * np.linalg.norm(v))
