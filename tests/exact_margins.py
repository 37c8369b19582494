"""Margins in rational arithmetic, written to be obvious: Bland's simplex method, and all active sets in turn."""

from fractions import Fraction
from itertools import combinations


def rationals(rows):
    return [[Fraction(float(x)) for x in row] for row in rows]


def maximum(table, right, cost):
    """max { cost.x : table x <= right, x >= 0 }, right >= 0; None if it has no end. Bland's rule never circles."""
    rows = [[*row, b] for row, b in zip(table, right, strict=True)]
    cost, value = list(cost), Fraction(0)
    basic, free = [-1 - i for i in range(len(rows))], list(range(len(cost)))  # slack i has the number -1 - i
    order = {name: k for k, name in enumerate([*free, *basic])}
    while True:
        entering = [j for j in range(len(free)) if cost[j] > 0]
        if not entering:
            return value
        j = min(entering, key=lambda j: order[free[j]])
        leaving = [i for i in range(len(rows)) if rows[i][j] > 0]
        if not leaving:
            return None
        i = min(leaving, key=lambda i: (rows[i][-1] / rows[i][j], order[basic[i]]))
        pivot = rows[i][j]
        rows[i] = [x / pivot for x in rows[i]]
        rows[i][j] = 1 / pivot
        for k in range(len(rows)):
            if k != i and rows[k][j]:
                factor = rows[k][j]
                rows[k] = [x - factor * y for x, y in zip(rows[k], rows[i], strict=True)]
                rows[k][j] = -factor * rows[i][j]
        value += cost[j] * rows[i][-1]
        factor = cost[j]
        cost = [x - factor * y for x, y in zip(cost, rows[i][:-1], strict=True)]
        cost[j] = -factor * rows[i][j]
        basic[i], free[j] = free[j], basic[i]


def margin(rows, norm):
    """The l1 or linf margin, the inverse of max { sum(y) : N*(A'y) <= 1, y >= 0 }; None if that has no end."""
    rows = rationals(rows)
    n, d = len(rows), len(rows[0])
    columns = [[row[j] for row in rows] for j in range(d)]
    if norm == "l1":
        table = [*columns, *([-x for x in column] for column in columns)]
        best = maximum(table, [Fraction(1)] * (2 * d), [Fraction(1)] * n)
    else:  # A'y = u - v with u, v >= 0 and sum(u + v) <= 1, u left out
        units = [[Fraction(j == k) for k in range(d)] for j in range(d)]
        table = [[-x for x in columns[j]] + [-x for x in units[j]] for j in range(d)]
        table.append([sum(row) for row in rows] + [Fraction(2)] * d)
        best = maximum(table, [Fraction(0)] * d + [Fraction(1)], [Fraction(1)] * n + [Fraction(0)] * d)
    return None if best is None else 1 / best


def squared_margin(rows, diag=None):
    """The square of the l2 margin (mahalanobis for diag > 0), from the set of rows whose multipliers are right."""
    rows = rationals(rows)
    diag = [Fraction(float(x)) for x in diag] if diag is not None else [Fraction(1)] * len(rows[0])
    gram = [[sum(x * y / w for x, y, w in zip(a, b, diag, strict=True)) for b in rows] for a in rows]
    for size in range(1, min(len(rows), len(rows[0])) + 1):
        for chosen in combinations(range(len(rows)), size):
            alpha = solution([[gram[i][j] for j in chosen] for i in chosen])
            if alpha is None or min(alpha) < 0:
                continue
            if all(sum(a * row[j] for a, j in zip(alpha, chosen, strict=True)) >= 1 for row in gram):
                return 1 / sum(alpha)
    return None


def solution(matrix):
    """x with matrix x = 1, or None if the matrix is singular."""
    rows = [[*row, Fraction(1)] for row in matrix]
    for j in range(len(rows)):
        i = next((i for i in range(j, len(rows)) if rows[i][j]), None)
        if i is None:
            return None
        rows[i], rows[j] = rows[j], [x / rows[i][j] for x in rows[i]]
        for k in range(len(rows)):
            if k != j and rows[k][j]:
                rows[k] = [x - rows[k][j] * y for x, y in zip(rows[k], rows[j], strict=True)]
    return [row[-1] for row in rows]
