"""Stage 2: activity measures, and the surface that holds them."""

from halluscope.surfaces.extraction import record_surfaces
from halluscope.surfaces.measures import DEFAULT_MEASURES, Entropy, Lens, Measure, Norm, Reading, Step, Turn
from halluscope.surfaces.surface import Surface

__all__ = [
    "DEFAULT_MEASURES",
    "Entropy",
    "Lens",
    "Measure",
    "Norm",
    "Reading",
    "Step",
    "Surface",
    "Turn",
    "record_surfaces",
]
