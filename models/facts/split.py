"""Which kinds of fact a detector is trained on, and which serve to measure it alone."""

# The domains of American states and of units: no kind of fact about them is trained on.
HELD_OUT_KINDS = ("city_state", "state_capital", "unit_quantity")
# Kinds of which the default model prefers the true answer in fewer than three of four pairs
# (``python -m models.knowledge``): what a model does not know, it cannot show inside. They are not trained
# on; what the detector makes of them is in the model card.
UNKNOWN_KINDS = (
    "atomic_number",
    "company_business",
    "company_city",
    "company_country",
    "country_name_abroad",
    "currency",
    "element_discoverer",
    "element_family",
    "element_name_origin",
    "number_word",
    "word_translation",
)
LEAST_KNOWN = 0.75


def is_trained_on(kind: str) -> bool:
    """Tell whether a kind belongs to the training pairs."""
    return kind not in HELD_OUT_KINDS and kind not in UNKNOWN_KINDS
