"""The part of the reference about metrics: `monitoring.prometheus`."""

from bench.reference.tables import code, codes, table
from monitoring.prometheus import METRICS, PREFIX


def text() -> str:
    """One table."""
    rows = ((code(PREFIX + name), codes(metric.labels), metric.what) for name, metric in METRICS.items())
    return table(("metric", "labels", "meaning"), rows)
