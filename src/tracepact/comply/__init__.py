"""Whether a code base keeps its contracts: checks CB-1200 to CB-1211, by reading alone."""
