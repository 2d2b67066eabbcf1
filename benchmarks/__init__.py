"""Benchmarks; one module a question. `python -m benchmarks [NAME …]` runs them."""
