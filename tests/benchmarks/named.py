"""Corpora of the tiny language model whose questions are their own."""

from benchmarks.corpus import Corpus
from halluscope.detector.labelled import check_labelled
from halluscope.records import as_pairs
from tests.samples import labelled_records


def named_corpus(lm, folder, name, n_questions=16, *, make=labelled_records, seed=0, extra=()):
    """Records of `make` under questions that bear the corpus' name, and some more as they are."""
    records = make(n_questions, seed=seed)
    for record in records:
        record["prompt"] = record["prompt"].replace("place", name)
    labelled = check_labelled(as_pairs([*records, *extra]), None, None)
    return Corpus(name, lm, labelled, folder / lm.name / name)


def questions(labelled):
    return {str(pair.prompt) for pair in labelled.pairs}
