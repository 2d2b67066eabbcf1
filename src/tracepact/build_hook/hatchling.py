"""The guard for hatchling: `[tool.hatch.build.hooks.tracepact]`."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.plugin import hookimpl

from tracepact.bindings import binding_files
from tracepact.build_hook.guard import guard
from tracepact.errors import ConfigError


class ContractsBuildHook(BuildHookInterface[Any]):
    """Checks the bindings, then adds the module of constants where the project wants one."""

    PLUGIN_NAME = "tracepact"
    _folder: TemporaryDirectory[str] | None = None

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before it collects files; only wheels are checked.

        A source distribution gets the binding files, so that a wheel made from it is checked.
        """
        project = Path(self.root)
        if self.target_name != "wheel":
            for path in binding_files(project):
                inside = os.path.relpath(path, project)
                if path.is_file() and not inside.startswith(os.pardir):
                    build_data["force_include"][str(path)] = inside
            return
        editable = version == "editable"
        try:
            constants = guard(project, editable=editable, say=self.app.display_warning)
        except ConfigError as error:
            self.app.abort(str(error))
        if constants is None:
            return
        if editable:
            constants.write_in_source(project)
            return
        self._folder = TemporaryDirectory(prefix="tracepact-")
        written = constants.write(Path(self._folder.name))
        build_data["force_include"][str(written)] = str(constants.path)

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Called by hatchling when the wheel is written."""
        if self._folder is not None:
            self._folder.cleanup()


@hookimpl
def hatch_register_build_hook() -> type[ContractsBuildHook]:
    """Called by hatchling to find the hook."""
    return ContractsBuildHook
