"""What a contract must pass: one module a gate, found by its file name."""
