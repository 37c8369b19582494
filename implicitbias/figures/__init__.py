"""Figures: a table of data, the roles of its columns, and one mark.

The figures of the reports, `[[figure]]` of a study file, `ib.plot`, `run.plot()` and `implicitbias plot` are made here:

    table, axes      the data and what varies in it
    facets, assemble data and roles to panels, and those to figures
    parts, draw      panels to PDF, SVG and PNG
    own, plot        figures that someone asked for
    palette, words   colours and labels, the same everywhere
"""
