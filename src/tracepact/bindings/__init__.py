"""Bindings: which function implements which equation, and how far it is."""

from tracepact.bindings.constants import export_environment, render_module, variables
from tracepact.bindings.find import (
    BINDING_VARIABLE,
    binding_files,
    bindings_of,
    find_binding_file,
)
from tracepact.bindings.load import load_bindings
from tracepact.bindings.model import STATUSES, Binding, Bindings, Status

__all__ = [
    "BINDING_VARIABLE",
    "STATUSES",
    "Binding",
    "Bindings",
    "Status",
    "binding_files",
    "bindings_of",
    "export_environment",
    "find_binding_file",
    "load_bindings",
    "render_module",
    "variables",
]
