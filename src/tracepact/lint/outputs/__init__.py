"""What a report looks like: one module a format, found by its file name."""
