"""The model card of a shipped detector, written from its results and from nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.facts.split import LEAST_KNOWN
from models.own import ALONE

CARD = """# Detector for {model}

Tells from the inner activity of the language model `{model}` whether an answer is hallucinated.
Built by `{command}`; every number below is in `results.json` beside this file.

## What it was trained on

{pairs} labelled pairs in {groups} groups that the project makes itself from fact tables (`models/facts`),
those of well-kept packages and its own tables of general knowledge: {kinds}.
Half of the answers are false: values of the right type taken from other subjects of the same group.
`python -m models.facts --out facts.jsonl` prints for every kind what length, spelling and a text-only
classifier make of it: nothing, but that most symbols of elements are spelled in their names.
{own_training}
## How good it is

Grouped {n_folds}-fold cross-validation over the kinds above, AUROC with 95% interval (bootstrap over groups),
beside baselines on the same folds and recordings:

{inside}

Brier score {brier}, expected calibration error {ece}, share of hallucinations found at 5% false alarms {tpr}.

Kinds of fact that it never saw, beside baselines trained on the same pairs as the detector:

{outside}

No subject of the held-out kinds was in training. The last row has the other kinds of fact that were left out,
most of them about subjects of training: those that the language model hardly knows, since it gives the true
answer a higher probability than the false one in fewer than {least} of 100 pairs, where 50 is chance
(`python -m models.knowledge`: {unknown}).
{own_results}
## How to use it, and how not

It knows a small model, facts about countries, cities, elements, companies and words, and what everybody
knows of things, nature, work, people and stories. On other topics it is weaker, and on reasoning, long
answers or answers about a given text it is untested or poor. Its probabilities are calibrated on its own
topics and on half false answers: where fewer are false they are too high, where more, too low. A detector
is bound to its language model. **Train on your own model and your own domain**:
`halluscope train PAIRS.jsonl --out DIR --model MODEL`; some hundred labelled pairs help.

Format: `manifest.json`, `readings.safetensors`, `classifier.skops`; loading executes nothing.
Licence: Apache-2.0.
"""


OWN_TRAINING = """
A second classifier learned from {pairs:,} of the language model's own answers to questions about such facts
(`python -m models.answers`), as many right as wrong ones of each kind, labelled by the names of the true
values. A gate learned to tell these from the pairs above: the more an answer reads like the model's own, the
more the second classifier counts.
"""

OWN_RESULTS = """
The cross-validation is of the first classifier alone, the other figures are of the whole. The language
model's own answers about the held-out kinds, as many right as wrong, beside baselines trained on the other
own answers:

{table}

The first classifier alone: {alone:.3f}.
"""


def write_card(folder: Path, results: Mapping[str, Any], manifest: Mapping[str, Any]) -> None:
    """Write ``README.md`` into a detector's folder."""
    training, own = manifest["training"], manifest.get("own_answers")
    inside = results["cross_validated"]
    text = CARD.format(
        model=inside["model"],
        command=results["command"],
        pairs=f"{training['pairs']:,}",
        groups=training["groups"],
        kinds=", ".join(kind.replace("_", " ") for kind in results["kinds"]),
        least=round(100 * LEAST_KNOWN),
        unknown=", ".join(
            f"{kind.replace('_', ' ')} {round(100 * results['knowledge'][kind]['preferred'])}"
            for kind in results["unknown_kinds"]
        ),
        n_folds=inside["detector"].split("-")[0],
        inside=auroc_table({"all kinds": inside}),
        outside=auroc_table(results["held_out"]),
        brier=f"{inside['metrics']['brier']['value']:.3f}",
        ece=f"{inside['metrics']['ece']['value']:.3f}",
        tpr=f"{inside['metrics']['tpr_at_5fpr']['value']:.2f}",
        own_training=OWN_TRAINING.format(pairs=own["pairs"]) if own else "",
        own_results=_own_results(results["own_answers"]) if own else "",
    )
    (folder / "README.md").write_text(text, encoding="utf-8")


def _own_results(results: Mapping[str, Mapping[str, Any]]) -> str:
    (result,) = results.values()
    alone = result[ALONE]["auroc"]["value"]
    return OWN_RESULTS.format(table=auroc_table(results), alone=alone)


def auroc_table(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """A Markdown table of AUROCs: one row a corpus, the detector beside its baselines."""
    baselines = list(next(iter(rows.values()))["baselines"])
    lines = [
        f"| | pairs | halluscope | {' | '.join(baselines)} |",
        f"|---|---|---|{'---|' * len(baselines)}",
    ]
    for name, result in rows.items():
        found = result["metrics"]["auroc"]
        others = (f"{result['baselines'][b]['auroc']['value']:.3f}" for b in baselines)
        interval = f"**{found['value']:.3f}** ({found['low']:.3f} to {found['high']:.3f})"
        lines.append(f"| {name.replace('_', ' ')} | {result['n']} | {interval} | {' | '.join(others)} |")
    return "\n".join(lines)
