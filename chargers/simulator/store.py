"""The state file: whole or not at all, so that it can be read after a crash at any moment."""

import json
import os
from pathlib import Path
from typing import Any


class Store:
    """Does nothing without a path."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def load(self) -> dict[str, Any] | None:
        if self._path is None or not self._path.exists():
            return None
        content: dict[str, Any] = json.loads(self._path.read_text())
        return content

    def save(self, content: dict[str, Any]) -> None:
        if self._path is None:
            return
        draft = self._path.with_suffix(self._path.suffix + ".new")
        draft.write_text(json.dumps(content))
        os.replace(draft, self._path)
