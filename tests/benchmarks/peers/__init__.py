"""The same trajectories computed by this package and by its peers, timed side by side on one core.

    pip install '.[peers]'                          # torch, jax, optax, scikit-learn; the C twin needs gcc alone
    python tests/benchmarks/peers                   # all shapes, a few minutes; writes results/peers.md
    python tests/benchmarks/peers --quick --shapes 10,50,1 --peers c,jax

One module a peer. Each has

    LABEL                           what the tables call it
    RUNS                            the numbers of runs it advances together, one table column each
    EXTRA                           what to do if it is missing
    available()                     whether it can run here
    versions()                      names and versions of what it runs on
    can(work)                       whether it can do this work
    prepare(work, runs, steps)      -> run(), which makes `steps` updates of `runs` runs from w = 0 and returns the last
                                    weights (runs, d); what needs no clock (data, row order) is done before

and imports its library only inside these functions, so that a missing one stops nobody else. The first call of `run`
is the warm-up: there just-in-time compilers compile. `work.reference` is what all of them are checked against.
"""
