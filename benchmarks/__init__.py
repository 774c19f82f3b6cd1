"""Scripts that measure halluscope; each writes its results as JSON to ``benchmarks/results``."""
