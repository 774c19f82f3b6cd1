"""The verdict on one answer, with its surface and its measurements."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from halluscope.surfaces import Surface

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WINDOW = 1  # tokens taken in on either side of a token, whose own column alone is noisy

# After the closing quotes and brackets that follow a mark; marks of scripts that write spaces need one, since
# "3.5" is not an end. Lookbehinds let a match begin at a mark only, which keeps the search linear.
_SENTENCE_END = re.compile(
    r"""(?<=[.!?…؟۔।॥։።])["'”’»)\]]*(?=\s) | (?<=[。！？｡])["'”’」』）)\]]*(?![。！？｡]) | \n""", re.VERBOSE
)


class SpanProbability(NamedTuple):
    """A part of an answer and the probability that it is hallucinated.

    Parameters
    ----------
    text : str
        ``answer[start:end]``.
    start, end : int
        Character positions in the answer.
    probability : float
        Of being hallucinated, judged on the part's own piece of the surface.
    """

    text: str
    start: int
    end: int
    probability: float


@dataclass(frozen=True, eq=False, repr=False)
class Detection:
    """What a detector says of one answer.

    Parameters
    ----------
    probability : float
        Calibrated probability that the answer is hallucinated.
    threshold : float
        From this probability on the answer counts as hallucinated.
    surface : Surface
        The landscape that was judged.
    features : dict
        Its named measurements.
    prompt : object
        The prompt as it was given.
    model, detector : str
        Names of the language model and the detector.
    seconds : float
        Time that the call took for this answer (a batch's time is shared equally).
    score_surfaces : callable
        Maps surfaces to probabilities; used for `tokens` and `spans`, which are computed when asked for.
    """

    probability: float
    threshold: float
    surface: Surface
    features: dict[str, float]
    prompt: Any
    model: str
    detector: str
    seconds: float
    score_surfaces: Callable[[Sequence[Surface]], npt.NDArray[np.float64]] = field(repr=False)

    @property
    def hallucinated(self) -> bool:
        """The verdict: `probability` reaches `threshold`."""
        return bool(self.probability >= self.threshold)

    @property
    def answer(self) -> str:
        """The answer's text."""
        return self.surface.answer

    @cached_property
    def tokens(self) -> list[SpanProbability]:
        """Every token's probability, judged on its column of the surface and the two beside it."""
        n_tokens = self.surface.shape[2]
        windows = [
            self.surface.select(max(0, t - _WINDOW), min(n_tokens, t + _WINDOW + 1)) for t in range(n_tokens)
        ]
        probabilities = self.score_surfaces(windows)
        return [
            SpanProbability(text, start, end, float(p))
            for text, (start, end), p in zip(
                self.surface.tokens, self.surface.offsets, probabilities, strict=True
            )
        ]

    @cached_property
    def spans(self) -> list[SpanProbability]:
        """Every sentence's probability, judged on the columns of its tokens."""
        bounds = split_sentences(self.answer)
        columns = [_columns(self.surface, start, end) for start, end in bounds]
        kept = [(bound, column) for bound, column in zip(bounds, columns, strict=True) if column]
        if not kept:  # special tokens alone have no text
            return []
        probabilities = self.score_surfaces([self.surface.select(*column) for _, column in kept])
        return [
            SpanProbability(self.answer[start:end], start, end, float(p))
            for ((start, end), _), p in zip(kept, probabilities, strict=True)
        ]

    def to_dict(self) -> dict[str, Any]:
        """The detection in JSON's own types, without surface and features."""
        return {
            "probability": self.probability,
            "hallucinated": self.hallucinated,
            "threshold": self.threshold,
            "answer": self.answer,
            "tokens": [token._asdict() for token in self.tokens],
            "spans": [span._asdict() for span in self.spans],
            "model": self.model,
            "detector": self.detector,
            "seconds": self.seconds,
        }

    def plot(self, channel: str | None = None) -> Figure:
        """Draw the surface with prompt, answer and verdict; the figure is the caller's to change."""
        from halluscope.explain import Verdict, draw_landscapes  # a door to a later stage: see CONTRIBUTING

        return draw_landscapes(
            [self.surface],
            prompt=prompt_text(self.prompt),
            verdicts=[Verdict(self.probability, self.threshold, self.hallucinated)],
            channel=channel,
        )

    def __repr__(self) -> str:
        verdict = "hallucinated" if self.hallucinated else "not hallucinated"
        return (
            f"Detection({verdict}: probability {self.probability:.3f}, threshold {self.threshold:.3f}, "
            f"{self.surface!r})"
        )


def prompt_text(prompt: Any) -> str:
    """A prompt as one text to show: the last message of a chat; nothing for token ids."""
    if isinstance(prompt, str):
        return prompt
    last = prompt[-1] if len(prompt) else ""
    if not isinstance(last, Mapping):
        return ""
    content = last["content"]
    return content if isinstance(content, str) else " ".join(part["text"] for part in content)


def split_sentences(text: str) -> list[tuple[int, int]]:
    """Start and end of each sentence, without the space around it.

    Sentences end at line ends and at the full stops, question and exclamation marks of Latin, Cyrillic,
    Arabic, Indic, Armenian, Ethiopic, Chinese and Japanese script. Abbreviations are taken for ends, too.
    """
    ends = [*(match.end() for match in _SENTENCE_END.finditer(text)), len(text)]
    sentences = []
    for start, end in zip([0, *ends], ends, strict=False):
        part = text[start:end]
        if stripped := part.strip():
            start += len(part) - len(part.lstrip())
            sentences.append((start, start + len(stripped)))
    return sentences


def _columns(surface: Surface, start: int, end: int) -> tuple[int, int] | None:
    """First and past-the-last token that has characters between `start` and `end`."""
    inside = [i for i, (a, b) in enumerate(surface.offsets) if a < end and b > start and b > a]
    if not inside:
        return None
    first = inside[0]
    while first and surface.offsets[first - 1][0] == surface.offsets[first - 1][1]:
        first -= 1  # a space before the answer, which is no character of it
    return first, inside[-1] + 1
