"""Reading a data file of some content."""

import pytest

import implicitbias as ib
from implicitbias.geometry import from_file


@pytest.fixture
def read(tmp_path):
    """Read a file with this content."""

    def of(content, name="a.csv", **options):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return from_file(path, **options)

    return of


@pytest.fixture
def said(read, tmp_path):
    """The mistakes in a file, without its name."""

    def of(*arguments, **options):
        with pytest.raises(ib.InputError) as caught:
            read(*arguments, **options)
        return [mistake.split(": ", 1)[1] for mistake in caught.value.mistakes]

    return of
