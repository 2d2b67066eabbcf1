"""Violations as JSON lines in a file."""

from __future__ import annotations

import json
import os
import threading
from typing import TextIO

from tracepact.violation import Violation


class JsonlExporter:
    """Appends one JSON object a line.

    Every line is handed to the operating system at once, so the file survives a killed process up
    to its last violation.

    Raises:
        OSError: The file cannot be opened; raised here, not in the model's hot path.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        self._lock = threading.Lock()
        # A file name may hold bytes that are not UTF-8; escaped as \udcXX they are valid JSON.
        self._file: TextIO = open(  # noqa: SIM115 - held open
            self.path, "a", encoding="utf-8", errors="backslashreplace"
        )

    def export(self, violation: Violation) -> None:
        """Write and flush one line."""
        line = json.dumps(violation.to_dict(), ensure_ascii=False) + "\n"
        with self._lock:
            self._file.write(line)
            self._file.flush()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._file.close()
