"""Studies: each a function from the runs that were found to findings."""
