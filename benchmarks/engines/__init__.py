"""The contestants of the benchmarks, a module each; each runs in a process of its own."""
