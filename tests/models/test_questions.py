"""Questions from the fact tables: one for each subject and kind, with all that answers them."""

from halluscope.evaluation.on_policy import contains_alias, telling_aliases
from models.facts.pairs import domains
from models.facts.questions import NOT_ASKED, OPEN, OTHER_NAMES, accepted, fact_questions

QUESTIONS = {question.id: question for question in fact_questions()}
KINDS = {kind.name: (domain, kind) for domain in domains() for kind in domain.kinds}


def test_every_subject_of_the_kinds_that_are_asked():
    assert len(QUESTIONS) == len(fact_questions())
    assert {question.topic for question in QUESTIONS.values()} == set(KINDS) - NOT_ASKED
    assert KINDS.keys() >= NOT_ASKED
    for name in set(KINDS) - NOT_ASKED:
        asked = [question for question in QUESTIONS.values() if question.topic == name]
        assert len(asked) == len({(fact.subject, fact.frame) for fact in KINDS[name][1].facts})


def test_the_truth_is_accepted_and_groups_are_entities():
    for name in set(KINDS) - NOT_ASKED:
        domain, kind = KINDS[name]
        for fact in kind.facts:
            question = QUESTIONS[f"{name}-{fact.subject}-{fact.frame}".rstrip("-")]
            assert contains_alias(f"It is {fact.value}.", question.answers)
            assert fact.value not in question.doubtful
            assert {*question.doubtful, *question.answers} >= fact.also
            assert question.group == f"{domain.name}-{fact.entity}"
            assert fact.subject.lower().removesuffix(".") in question.text.lower()


def test_hardly_a_question_names_its_answer():
    given = [q.id for q in QUESTIONS.values() if not telling_aliases(q.text, q.answers)]
    assert len(given) < len(QUESTIONS) / 100


def test_what_is_listed_is_in_the_tables():
    asked = {template for _, kind in KINDS.values() for template in kind.phrasing.ask}
    assert asked >= OPEN
    values = {fact.value for _, kind in KINDS.values() for fact in kind.facts}
    assert values >= set(OTHER_NAMES)
    assert not any("{" in question.text for question in QUESTIONS.values())


def test_other_names():
    assert accepted(["the United States"]) == ["the United States", "USA", "US", "America", "American"]
    assert accepted(["Robert Bunsen and Gustav Kirchhoff"], people=True) == [
        "Robert Bunsen and Gustav Kirchhoff",
        "Robert Bunsen",
        "Gustav Kirchhoff",
        "Bunsen",
        "Kirchhoff",
    ]
    assert contains_alias("It is a German company.", accepted(["Germany"]))
    assert accepted(["Bosnia and Herzegovina"]) == ["Bosnia and Herzegovina"]
