"""How results look in a notebook."""

import html
from collections.abc import Mapping
from typing import Any


def as_html(title: str, rows: Mapping[str, Any]) -> str:
    """A table of names and values; what is None or empty is left out, and a user's words are text.

    >>> as_html("Run", {"status": "ok", "message": None})
    '<table><thead><tr><th colspan="2">Run</th></tr></thead><tbody><tr><th>status</th><td>ok</td></tr></tbody></table>'
    """
    cells = "".join(
        f"<tr><th>{html.escape(name)}</th><td>{html.escape(_text(value))}</td></tr>"
        for name, value in rows.items()
        if value is not None and value != ""
    )
    return f'<table><thead><tr><th colspan="2">{html.escape(title)}</th></tr></thead><tbody>{cells}</tbody></table>'


def _text(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
