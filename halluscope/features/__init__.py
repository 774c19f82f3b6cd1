"""What is measured of a surface: roughness, peaks and regional heights, as a row of named numbers."""

from halluscope.features.table import family_of, feature_names, measure_features

__all__ = ["family_of", "feature_names", "measure_features"]
