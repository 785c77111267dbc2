"""Statistics over the runs of methods: estimates, intervals, tests. A run is what is repeated."""
