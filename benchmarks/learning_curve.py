"""How little data suffices? ``python -m benchmarks.learning_curve --data DIR``.

On every labelled file of a folder, the detector and the methods that learn from states are trained on 50,
100, 200, 400 and 800 pairs (a pair is a true and an invented answer, of one group where it has both) and
tested on one held-out third of the groups, the same for all sizes, draws and methods. A corpus that has too
few pairs for a size is left out at that size, and the results say so. An AUROC is the mean over the draws;
its interval comes from the held-out groups alone.

What is slow is kept in a cache folder, so that a run that was stopped goes on where it was. Writes
``benchmarks/results/learning_curve/MODEL.json`` and a figure beside it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from benchmarks.arguments import new_parser
from benchmarks.cache import METHODS, OURS, limit_size, save
from benchmarks.corpus import corpus_scores, read_corpora, subset
from benchmarks.draws import Curve, Drawn, draw_pairs
from benchmarks.means import FACTS, Results, compare, sets_of
from halluscope import Detector, LanguageModel
from halluscope.detector.classifier import SurfaceClassifier
from halluscope.detector.cross_fitting import cross_fit
from halluscope.evaluation.comparison import CorpusScores
from halluscope.lm.catalogue import DEFAULT_MODEL
from halluscope.progress import progress_bar

RESULTS = Path(__file__).parent / "results" / "learning_curve"
OTHERS = ("best-layer probe", "all-layer probe", "SAPLMA", "stack")
SIZES, DRAWS = (50, 100, 200, 400, 800), 3
LIMIT = 2400  # 800 pairs and the third beside them
SAME = "the same corpora at every size"


def main() -> None:
    """Run the command line."""
    parser = new_parser("python -m benchmarks.learning_curve", __doc__, LIMIT)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="training pairs")
    parser.add_argument("--draws", type=int, default=DRAWS, help="how often the training pairs are drawn")
    arguments = parser.parse_args()
    lm = LanguageModel.from_pretrained(arguments.model)
    corpora = read_corpora(lm, arguments.data, arguments.cache, limit=arguments.limit, only=arguments.only)
    curves = [Curve(corpus, tuple(arguments.sizes), arguments.draws) for corpus in corpora]
    for curve in curves:
        measure(curve)
        limit_size(arguments.cache, arguments.cache_gb)
    results = {
        "command": f"python -m benchmarks.learning_curve --data DIR --model {lm.name}"
        f" --limit {arguments.limit} --sizes {' '.join(map(str, arguments.sizes))}"
        f" --draws {arguments.draws}",
        "model": lm.name,
        "limit": arguments.limit,
        "draws": arguments.draws,
        **summarise(curves, arguments.sizes),
    }
    print(learning_curve_table(results))
    if not arguments.only:
        RESULTS.mkdir(parents=True, exist_ok=True)
        text = json.dumps(results, indent=1) + "\n"
        (RESULTS / f"{lm.name}.json").write_text(text, encoding="utf-8")
        draw_curves(results).savefig(RESULTS / f"{lm.name}.png", dpi=150)


def measure(curve: Curve) -> None:
    """Keep what every method says about the held-out answers after learning from each set of pairs."""
    missing = {
        method: [drawn for drawn in curve.drawn if not curve.path(method, drawn).exists()]
        for method in (OURS, *OTHERS)
    }
    if not any(missing.values()):
        return
    corpus = curve.corpus
    y, groups = corpus.labelled.hallucinated, corpus.labelled.groups
    recorded = corpus.recorded(OTHERS)
    if missing[OURS]:
        measure_detector(curve, missing[OURS], recorded.states)
    test = recorded.take(curve.split[1])
    with progress_bar(f"Baselines, {corpus.name}", sum(len(missing[o]) for o in OTHERS)) as advance:
        for method in OTHERS:
            for drawn in missing[method]:
                rows = drawn.part.rows
                fitted = METHODS[method]().fit(recorded.take(rows), y[rows], groups[rows].tolist())
                save(curve.path(method, drawn), fitted.predict_proba(test)[:, 1])
                advance(1)


def measure_detector(curve: Curve, sets: Sequence[Drawn], states: npt.NDArray[np.float32]) -> None:
    """Keep what the detector says, all its readings being taken in one pass over the stored states."""
    corpus, test = curve.corpus, curve.split[1]
    y, detector = corpus.labelled.hallucinated, Detector(corpus.lm, prior=False)
    with progress_bar(f"Measuring surfaces, {corpus.name}", len(y)) as advance:
        names, fitted = cross_fit(
            corpus.states,
            corpus.tokenized,
            states,
            y,
            [drawn.part for drawn in sets],
            detector.measures,
            detector.ridge,
            progress=advance,
        )
    for drawn, crossed in zip(sets, fitted, strict=True):
        rows = drawn.part.rows
        classifier = SurfaceClassifier(detector.strength, detector.seed)
        classifier.fit(crossed.features[rows], y[rows], drawn.part.folds, names)
        save(curve.path(OURS, drawn), classifier.predict_proba(crossed.features[test])[:, 1])


def summarise(curves: Sequence[Curve], sizes: Iterable[int]) -> dict[str, Any]:
    """What `measure` has kept, size by size.

    ``sizes`` holds what `benchmarks.means.compare` gives for the corpora that are large enough, ``left_out``
    how many pairs each of the others has to learn from. Means over `SAME` are those over the corpora that
    reach the largest size that half of the corpora of facts reach: a curve over corpora that come and go
    would show which ones are easy.
    """
    facts = sets_of(curve.corpus.name for curve in curves).get(FACTS, [])
    reaching = {
        size: [curve.corpus.name for curve in curves if curve.reached(size)] for size in sorted(sizes)
    }
    common = [size for size in reaching if 2 * len(set(reaching[size]) & set(facts)) >= len(facts) > 0]
    same = [name for name in reaching[max(common)] if name in facts] if common else []
    results: dict[str, Any] = {"same_corpora": same, "sizes": {}, "left_out": {}}
    for size, names in reaching.items():
        results["left_out"][str(size)] = {
            curve.corpus.name: len(draw_pairs(curve.corpus.labelled, curve.split[0], seed=0))
            for curve in curves
            if curve.corpus.name not in names
        }
        if names:
            scores = {
                curve.corpus.name: load_scores(curve, size) for curve in curves if curve.corpus.name in names
            }
            sets = sets_of(names)
            if same and set(same) <= set(names):
                sets[SAME] = same
            results["sizes"][str(size)] = compare(scores, sets)
    return results


def load_scores(curve: Curve, size: int) -> CorpusScores:
    """What `measure` has kept of the held-out answers for one size; the draws are the seeds."""
    test = subset(curve.corpus.labelled, curve.split[1])
    scores = {
        method: np.stack([np.load(curve.path(method, drawn)) for drawn in curve.drawn if drawn.size == size])
        for method in (OURS, *OTHERS)
    }
    return corpus_scores(curve.corpus.name, test, scores)


def learning_curve_table(results: Results | None = None) -> str:
    """What was measured as Markdown; of the default language model if no results are given."""
    if results is None:
        path = RESULTS / f"{DEFAULT_MODEL}.json"
        if not path.exists():
            return "Not measured yet for this version."
        results = json.loads(path.read_text(encoding="utf-8"))
    means, same = same_means(results), results["same_corpora"]
    lines = []
    if means:
        lines += [f"| training pairs | {' | '.join(means)} |", f"|---|{'---|' * len(means)}"]
        for method in next(iter(means.values()))["auroc"]:
            cells = [mean["auroc"][method] for mean in means.values()]
            values = (f"{cell['value']:.3f} ({cell['low']:.3f} to {cell['high']:.3f})" for cell in cells)
            lines.append(f"| {method} | {' | '.join(values)} |")
        lines += ["", f"Means over {len(same)} corpora of facts ({', '.join(same)})."]
    for size, left in results["left_out"].items():
        if left:
            lines.append(
                f"Too small for {size} pairs, by those they have: "
                + ", ".join(f"{name} {pairs}" for name, pairs in left.items())
                + "."
            )
    return "\n".join(lines)


def same_means(results: Results) -> dict[str, Mapping[str, Any]]:
    """The means over `SAME` by size, for the sizes that all of its corpora reach."""
    sizes: Mapping[str, Any] = results["sizes"]
    return {size: found["means"][SAME] for size, found in sizes.items() if SAME in found["means"]}


def draw_curves(results: Results) -> Figure:
    """One line a method, mean AUROC over `SAME` by training pairs, with its 95% interval."""
    means = same_means(results)
    sizes = [int(size) for size in means]
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.add_subplot()
    for method in (OURS, *OTHERS):
        auroc = [mean["auroc"][method] for mean in means.values()]
        low, value, high = ([one[bound] for one in auroc] for bound in ("low", "value", "high"))
        (line,) = axes.plot(sizes, value, marker="o", linewidth=2.5 if method == OURS else 1.2, label=method)
        axes.fill_between(sizes, low, high, color=line.get_color(), alpha=0.12, linewidth=0)
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.set_xlabel("training pairs (a true and an invented answer each)")
    axes.set_ylabel(f"AUROC, mean of {len(results['same_corpora'])} corpora")
    axes.legend(frameon=False)
    return figure


if __name__ == "__main__":
    main()
