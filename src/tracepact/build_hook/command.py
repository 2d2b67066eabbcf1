"""The guard as a sub-command of setuptools' `build`."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from setuptools import Command
from setuptools.errors import SetupError

from tracepact.bindings import binding_files
from tracepact.build_hook.guard import guard
from tracepact.errors import ConfigError


class build_contracts(Command):  # type: ignore[misc]  # noqa: N801 - setuptools names commands so
    """Checks the bindings, then writes the module of constants where the project wants one."""

    description = "check that every binding of a contract is implemented"
    user_options: list[tuple[str, str | None, str]] = []
    editable_mode = False
    build_lib: str

    def initialize_options(self) -> None:
        """Called by setuptools."""
        self.build_lib = ""

    def finalize_options(self) -> None:
        """Called by setuptools."""
        self.build_lib = self.get_finalized_command("build").build_lib

    def get_source_files(self) -> list[str]:
        """Files that a source distribution needs, so that a wheel made from it is checked too."""
        files = (os.path.relpath(path) for path in binding_files(Path()) if path.is_file())
        return [path for path in files if not path.startswith(os.pardir)]

    def run(self) -> None:
        """Called by setuptools, once in a build and before any module is copied or compiled."""
        try:
            constants = guard(Path(), editable=self.editable_mode, say=self._say)
        except ConfigError as error:
            raise SetupError(str(error)) from None
        if constants is None:
            return
        if self.editable_mode:
            constants.write_in_source(Path())
        else:
            constants.write(Path(self.build_lib))

    def _say(self, text: str) -> None:
        self.announce(text, logging.WARNING)
