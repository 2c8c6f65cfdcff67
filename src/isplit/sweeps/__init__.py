"""Many jobs as one: which split points a command stands for, what came of each."""
