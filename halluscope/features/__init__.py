"""What is measured of a surface: roughness, peaks and regional heights, as a row of named numbers."""

from halluscope.features.table import feature_names, measure_features

__all__ = ["feature_names", "measure_features"]
