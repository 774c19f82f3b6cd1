"""Stage 4: readings, the classifier and its calibration; the verdict on an answer."""

from halluscope.detector.detection import Detection, SpanProbability
from halluscope.detector.detector import Detector

__all__ = ["Detection", "Detector", "SpanProbability"]
