"""Which kinds of fact does a language model know? ``python -m models.knowledge``.

For every kind: how often the model gives the true answer a higher probability than the false one to the same
prompt in the same words. Every value stands in as many true as false answers, so that a model which knows
nothing prefers the truth half of the time. Writes ``models/NAME/knowledge.json``.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from halluscope import LanguageModel
from halluscope.lm.catalogue import DEFAULT_MODEL
from halluscope.lm.recording import LayerState
from halluscope.progress import progress_bar
from halluscope.records import as_pairs
from models.facts.pairs import Pair, all_pairs

MODELS = Path(__file__).parent


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m models.knowledge", description=__doc__)
    parser.add_argument("--model", default=DEFAULT_MODEL, help="known name of the language model")
    parser.add_argument("--most", type=int, default=300, help="most pairs of a kind (default 300)")
    arguments = parser.parse_args()
    twins = comparable_twins(all_pairs(most=arguments.most))
    preferred = preferences(LanguageModel.from_pretrained(arguments.model), twins)
    result = {
        kind: {"twins": len(found), "preferred": float(np.mean(found))} for kind, found in preferred.items()
    }
    for kind, row in sorted(result.items(), key=lambda item: -item[1]["preferred"]):
        print(f"{kind:<22}{row['twins']:>6}{row['preferred']:>8.3f}")
    path = MODELS / arguments.model / "knowledge.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def comparable_twins(pairs: Sequence[Pair]) -> list[tuple[Pair, Pair]]:
    """True answers with their false twins, both to the same prompt.

    Parameters
    ----------
    pairs : sequence of Pair
        As `all_pairs` gives them: every false pair behind the true one of the same fact and form. A prompt
        that names the value differs between the two.
    """
    twins = zip(pairs[::2], pairs[1::2], strict=True)
    return [(true, false) for true, false in twins if true.prompt == false.prompt]


def preferences(lm: LanguageModel, twins: Sequence[tuple[Pair, Pair]]) -> dict[str, list[float]]:
    """For every kind, whether the summed log-probability of each true answer exceeds its twin's.

    Returns
    -------
    dict of list of float
        By kind, for each twin 1, 0, or 0.5 where both are equal.
    """
    tokenized = lm.tokenize_pairs(as_pairs([(pair.prompt, pair.answer) for twin in twins for pair in twin]))
    summed: npt.NDArray[np.float64] = np.empty(len(tokenized))

    def visitor(indices: list[int]) -> Callable[[LayerState], None]:
        def visit(layer: LayerState) -> None:
            if layer.layer == layer.n_layers - 1:
                logprobs = layer.prediction[0].double().cpu().split(layer.lengths)
                summed[indices] = [float(answer.sum()) for answer in logprobs]

        return visit

    with progress_bar("Reading answers", len(tokenized)) as advance:
        lm.visit(tokenized, visitor, progress=advance)
    found: dict[str, list[float]] = defaultdict(list)
    for (true, _), difference in zip(twins, summed[::2] - summed[1::2], strict=True):
        found[true.kind].append(0.5 * (1 + float(np.sign(difference))))
    return dict(found)


if __name__ == "__main__":
    main()
