import numpy as np

from halluscope.records import as_pairs
from models.facts.pairs import all_pairs
from models.knowledge import comparable_twins, preferences


def test_twins_are_one_fact_in_the_same_words():
    twins = comparable_twins(all_pairs(most=20))
    assert len({true.kind for true, _ in twins}) > 20
    for true, false in twins:
        assert not true.hallucinated
        assert false.hallucinated
        assert (true.kind, true.fact, true.prompt) == (false.kind, false.fact, false.prompt)


def test_the_answer_of_higher_probability_is_preferred(lm):
    twins = comparable_twins(all_pairs(most=20))[::20]
    found = preferences(lm, twins)
    expected = []
    for twin in twins:
        likelihood = []
        for pair in lm.tokenize_pairs(as_pairs([(pair.prompt, pair.answer) for pair in twin])):
            lens = lm.surface(pair.ids[: pair.start], pair.ids[pair.start :])["lens"][-1]
            likelihood.append(float(np.sum(lens)))
        expected.append(float(likelihood[0] > likelihood[1]))
    assert [value for values in found.values() for value in values] == expected
