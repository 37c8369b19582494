"""One thread for linear algebra: the bits of a product may depend on how many share it."""

import functools


@functools.cache
def _controller():
    import scipy.linalg  # noqa: F401  its BLAS must be loaded to be found
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()  # looking for the libraries takes milliseconds


def one_thread():
    """A context in which BLAS and OpenMP use one thread."""
    return _controller().limit(limits=1)
