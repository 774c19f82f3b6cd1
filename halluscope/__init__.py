"""halluscope: tells from a language model's inner activity whether its answer is hallucinated.

The names below load torch, transformers and scikit-learn when they are first used, not before.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from halluscope.detector.detection import Detection
    from halluscope.detector.detector import Detector
    from halluscope.detector.shipped import detect
    from halluscope.errors import HalluscopeError
    from halluscope.lm.language_model import LanguageModel
    from halluscope.surfaces.surface import Surface

__version__ = "0.1.0"

__all__ = ["Detection", "Detector", "HalluscopeError", "LanguageModel", "Surface", "__version__", "detect"]

_HOMES = {
    "Detection": "halluscope.detector.detection",
    "Detector": "halluscope.detector.detector",
    "HalluscopeError": "halluscope.errors",
    "LanguageModel": "halluscope.lm.language_model",
    "Surface": "halluscope.surfaces.surface",
    "detect": "halluscope.detector.shipped",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'halluscope' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
