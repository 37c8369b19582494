"""Sources as links."""

import re

_ARXIV = re.compile(r"arXiv:(\d{4}\.\d{4,5}(?:v\d+)?)|(\d{4}\.\d{5})")


def linked(text: str) -> list[tuple[str, str]]:
    """A source in pieces, (words, address): identifiers of arXiv are links.

    >>> linked("Soudry et al., arXiv:1710.10345, Thm 4")[1]
    ('arXiv:1710.10345', 'https://arxiv.org/abs/1710.10345')
    """
    pieces, end = [], 0
    for found in _ARXIV.finditer(text):
        pieces.append((text[end : found.start()], ""))
        pieces.append((found[0], f"https://arxiv.org/abs/{found[1] or found[2]}"))
        end = found.end()
    return [piece for piece in [*pieces, (text[end:], "")] if piece[0]]
