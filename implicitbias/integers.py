"""Integers as people write them."""


def whole(value):
    """A number without a fraction as an integer: 1e5 is one; anything else passes through.

    >>> whole(1e5), whole(0.5), whole("n")
    (100000, 0.5, 'n')
    """
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**63 else value
