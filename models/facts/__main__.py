"""Write the pairs as JSON Lines and show that their wording does not give the labels away."""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from halluscope.lm.catalogue import DEFAULT_MODEL
from models.facts import HELD_OUT_KINDS, build_pairs, unknown_kinds
from models.facts.pairs import Pair, all_pairs
from models.facts.wording import is_spelled_in, length_auroc, wording_scores


def _table(records: list[dict[str, object]], pairs: list[Pair], seed: int) -> str:
    """Return the table of kinds with what length, spelling and wording say about the labels."""
    answers = [str(r["answer"]) for r in records]
    both = [f"{r['prompt']} {r['answer']}" for r in records]
    labels = np.array([bool(r["hallucinated"]) for r in records])
    spelled = np.array([is_spelled_in(pair.value, pair.fact.subject) for pair in pairs])
    groups = [str(r["group"]) for r in records]
    topics = np.array([str(r["topic"]) for r in records])
    by_answer, by_both = (wording_scores(texts, list(labels), groups, seed=seed) for texts in (answers, both))
    lines = [
        f"{'kind':<22}{'pairs':>7}{'groups':>8}{'true':>7}{'length':>8}{'letters':>9}{'answer':>8}"
        f"{'prompt+answer':>15}"
    ]
    for kind in [*dict.fromkeys(topics), "all"]:
        rows = np.flatnonzero(topics == kind) if kind != "all" else np.arange(len(records))
        name = f"{kind}*" if kind in HELD_OUT_KINDS else kind
        true = 1 - labels[rows].mean()
        length = length_auroc([answers[i] for i in rows], list(labels[rows]))
        wording = [roc_auc_score(labels[rows], scores[rows]) for scores in (by_answer, by_both)]
        lines.append(
            f"{name:<22}{len(rows):>7}{len({groups[i] for i in rows}):>8}{true:>7.3f}{length:>8.3f}"
            f"{roc_auc_score(labels[rows], ~spelled[rows]):>9.3f}{wording[0]:>8.3f}{wording[1]:>15.3f}"
        )
    return "\n".join([*lines, "The last four columns: AUROC for the label. * held out to measure transfer."])


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : list of str, optional
        Arguments without the program's name; those of the process by default.

    Returns
    -------
    int
        Exit status.
    """
    parser = argparse.ArgumentParser(prog="python -m models.facts", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.jsonl", help="where the pairs go")
    parser.add_argument("--model", default=DEFAULT_MODEL, help="whose knowledge decides how many of a kind")
    parser.add_argument("--seed", type=int, default=0, help="seed of every random choice (default 0)")
    options = parser.parse_args(arguments)
    unknown = unknown_kinds(options.model)
    records = build_pairs(options.seed, unknown)
    text = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    try:
        options.out.write_text(text, encoding="utf-8")
    except OSError as error:
        print(f"{options.out}: {error.strerror}", file=sys.stderr)
        return 2
    print(_table(records, all_pairs(options.seed, unknown), options.seed))
    return 0


if __name__ == "__main__":
    sys.exit(main())
