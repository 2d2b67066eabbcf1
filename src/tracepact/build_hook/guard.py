"""What happens to the bindings of a project while it is built, whichever backend builds it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from tracepact.bindings import (
    BINDING_VARIABLE,
    STATUSES,
    Bindings,
    binding_files,
    export_environment,
    load_bindings,
    render_module,
)
from tracepact.build_hook.policy import all_implemented
from tracepact.build_hook.settings import constants_path, verify_settings
from tracepact.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Constants:
    """The module of constants that a build adds to the package; `path` is inside the wheel."""

    path: PurePosixPath
    text: str

    def write(self, folder: Path) -> Path:
        """Write the module below a folder that stands for the wheel's root."""
        target = folder / self.path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(self.text, "utf-8", newline="\n")
        return target

    def write_in_source(self, project: Path) -> Path:
        """Write the module where an editable install imports it from."""
        src = project / "src"
        package = src.joinpath(*self.path.parent.parts[:1])
        return self.write(src if package.is_dir() else project)


def guard(project: Path, *, editable: bool, say: Callable[[str], None]) -> Constants | None:
    """Apply AllImplemented, put the statuses into the environment, and render the constants.

    Args:
        project: Folder of the project.
        editable: An editable install is for somebody who may be about to implement it: what
            would fail a wheel is a warning.
        say: Takes a line for whoever is watching the build.

    Raises:
        ConfigError: A binding is not implemented, or a file or setting cannot be used.
    """
    if project.resolve() == Path.cwd():
        project = Path()  # so that messages name `src/package/binding.yaml`
    where = constants_path(project)
    verify_settings(project)
    files = binding_files(project)
    loaded = [load_bindings(path) for path in files]
    for path, bindings in zip(files, loaded, strict=True):
        if bindings.path is None:
            say(f"{path}: no such file; {BINDING_VARIABLE} or [tool.tracepact] binding names it")
    loaded = [bindings for bindings in loaded if bindings.path is not None]
    say(_summary(loaded))
    _judge(loaded, editable, say)
    bindings = loaded[0] if loaded else Bindings(path=None)
    bindings = replace(bindings, entries=tuple(entry for one in loaded for entry in one.entries))
    export_environment(bindings)
    return None if where is None else Constants(where, render_module(bindings))


def _summary(loaded: list[Bindings]) -> str:
    statuses = [entry.status for bindings in loaded for entry in bindings.entries]
    counts = [f"{statuses.count(status)} {status}" for status in STATUSES if status in statuses]
    sources = ", ".join(bindings.source for bindings in loaded) or "none"
    return "; ".join((f"contract bindings: source {sources}", *counts))


def _judge(loaded: list[Bindings], editable: bool, say: Callable[[str], None]) -> None:
    verdicts = [all_implemented(bindings) for bindings in loaded]
    for text in (text for verdict in verdicts for text in verdict.warnings):
        say(f"warning: {text}")
    failures = [text for verdict in verdicts for text in verdict.failures]
    if editable:
        for text in failures:
            say(f"warning, fails a wheel: {text}")
    elif failures:
        raise ConfigError("\n  ".join(["contract bindings do not allow a build:", *failures]))
