"""What people see: the data of a run, and how a terminal shows it."""
