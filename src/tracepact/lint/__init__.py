"""Contracts held against rules: gates find, outputs show, `run` puts them in order."""
