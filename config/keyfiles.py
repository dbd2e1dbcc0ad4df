"""Secrets that an embedded installation generates for itself on its first start."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path


def read_or_create(path: Path, generate: Callable[[], str]) -> str:
    """The secret in `path`, generated on first use and readable by its owner only (mode 0600).

    Raises OSError when its folder is missing or cannot be written.
    """
    if not path.exists():
        _create(path, generate())
    return path.read_text().strip()


def _create(path: Path, secret: str) -> None:
    """Complete or not at all: of two processes on their first start one wins and both read its secret."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(secret + "\n")
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        os.unlink(temporary)
