"""Which kinds of fact a detector is trained on, and which serve to measure it alone."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

MODELS = Path(__file__).parents[1]
# The domains of American states and of units: no kind of fact about them is trained on.
HELD_OUT_KINDS = ("city_state", "state_capital", "unit_quantity")
LEAST_KNOWN = 0.75


def unknown_kinds(model: str) -> tuple[str, ...]:
    """Kinds of which a language model prefers the true answer in fewer than three of four pairs.

    What a model does not know, it cannot show inside. These kinds are not trained on; what the detector makes
    of them is in the model card.

    Parameters
    ----------
    model : str
        Known name of a language model of which ``python -m models.knowledge`` has measured what it knows.

    Raises
    ------
    FileNotFoundError
        If that has not been measured.
    """
    path = MODELS / model / "knowledge.json"
    if not path.exists():
        raise FileNotFoundError(f"{path}: run first python -m models.knowledge --model {model}")
    knowledge = json.loads(path.read_text(encoding="utf-8"))
    hardly = {kind for kind, row in knowledge.items() if row["preferred"] < LEAST_KNOWN}
    return tuple(sorted(hardly - set(HELD_OUT_KINDS)))


def is_trained_on(kind: str, unknown: Collection[str]) -> bool:
    """Tell whether a kind belongs to the training pairs."""
    return kind not in HELD_OUT_KINDS and kind not in unknown
