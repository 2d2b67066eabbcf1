"""Source code made from contracts: modules of assertions for other libraries."""

from tracepact.codegen.export import Export, export_contract, is_exported, target_names

__all__ = ["Export", "export_contract", "is_exported", "target_names"]
