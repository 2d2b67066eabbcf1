"""One module a check, found by its file name."""
