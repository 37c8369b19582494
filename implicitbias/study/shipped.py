"""The studies that come with the package: in `studies/` beside it in a checkout, inside it once it is installed."""

from pathlib import Path

import implicitbias

_PACKAGE = Path(implicitbias.__file__).parent


def shipped() -> dict[str, Path]:
    """The files by their names: `batch_size` and the like for studies, with their ending for the data they read."""
    for folder in (_PACKAGE / "studies", _PACKAGE.parent / "studies"):
        if (folder / "batch_size.toml").is_file():
            return {path.stem if path.suffix == ".toml" else path.name: path for path in sorted(folder.iterdir())}
    return {}
