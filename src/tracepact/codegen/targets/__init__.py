"""What a contract can be exported to: one module a target, found by its file name."""
