"""From a contract to a typed interface, the beginning of an implementation, and its tests."""

from tracepact.codegen.scaffold.files import ScaffoldFile, scaffold_files
from tracepact.codegen.scaffold.interface import Interface, derive_interface
from tracepact.codegen.scaffold.protocol import NUMPY_ARRAY

__all__ = ["NUMPY_ARRAY", "Interface", "ScaffoldFile", "derive_interface", "scaffold_files"]
