import hashlib
import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
import tomli
from sklearn.metrics import roc_auc_score

from halluscope.lm.catalogue import DEFAULT_MODEL
from models.facts import HELD_OUT_KINDS, build_pairs, general, unknown_kinds
from models.facts.__main__ import main
from models.facts.pairs import all_pairs, domains
from models.facts.split import LEAST_KNOWN, is_trained_on
from models.facts.wording import is_spelled_in, length_auroc, wording_scores

MODELS = Path(__file__).parents[2] / "models"

UNKNOWN = unknown_kinds(DEFAULT_MODEL)
TOPICS = {path.stem for path in general.TABLES.glob("*.toml")}


@pytest.fixture(scope="module")
def records():
    return build_pairs(unknown=UNKNOWN)


@pytest.fixture(scope="module")
def pairs():
    return all_pairs(unknown=UNKNOWN)


@pytest.fixture(scope="module")
def kinds():
    return {kind.name: kind for domain in domains() for kind in domain.kinds}


def kind_of(pair, kinds):
    """The kind behind a pair: where it is named otherwise than its topic, it is a group of its own."""
    return kinds.get(pair.kind) or kinds[pair.group.rsplit("-", 1)[0]]


def test_records_have_the_fields_of_the_format(records):
    fields = {"id": str, "group": str, "topic": str, "prompt": str, "answer": str, "hallucinated": bool}
    for record in records:
        assert {name: type(value) for name, value in record.items()} == fields
        assert record["answer"].strip() == record["answer"] != ""
        assert not set("{}") & set(record["prompt"] + record["answer"])
        assert ".." not in record["answer"]
    assert len({record["id"] for record in records}) == len(records)


def test_there_are_enough_pairs_of_enough_kinds(records):
    counts = Counter(record["topic"] for record in records)
    assert len(counts) >= 10
    assert sum(counts.values()) >= 9000
    assert max(counts.values()) < 0.1 * len(records)
    assert min(counts.values()) >= 300
    assert sum(counts[topic] for topic in TOPICS) >= 10_000
    trained_on = {kind: count for kind, count in counts.items() if is_trained_on(kind, UNKNOWN)}
    assert len(trained_on) >= 8
    assert sum(trained_on.values()) >= 8000


def test_every_kind_is_balanced_and_no_text_stands_twice(records):
    labels = defaultdict(list)
    for record in records:
        labels[record["topic"]].append(record["hallucinated"])
    assert {kind: np.mean(values) for kind, values in labels.items()} == dict.fromkeys(labels, 0.5)
    assert len({(r["topic"], r["prompt"], r["answer"]) for r in records}) == len(records)


def test_the_same_seed_gives_the_same_pairs_and_another_seed_others(records, pairs):
    assert [pair.answer for pair in pairs] == [record["answer"] for record in records]
    assert build_pairs(1, UNKNOWN) != records


def test_the_pairs_do_not_depend_on_the_hash_seed(records):
    code = f"import json, models.facts as f; print(json.dumps(f.build_pairs(unknown={UNKNOWN!r})))"
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True)
    expected = json.dumps(records).encode()
    assert hashlib.sha256(done.stdout.strip()).hexdigest() == hashlib.sha256(expected).hexdigest()


def test_a_value_is_claimed_as_often_truly_as_falsely_within_its_group(pairs):
    balance = Counter()
    for pair in pairs:
        balance[pair.kind, pair.group, pair.value] += 1 if pair.hallucinated else -1
    assert set(balance.values()) == {0}


def test_subjects_and_unshared_values_of_a_kind_stay_in_one_group(pairs, kinds):
    subjects, values = defaultdict(set), defaultdict(set)
    for pair in pairs:
        kind = kind_of(pair, kinds)
        subjects[kind.name, pair.fact.subject].add(pair.group)
        if not kind.shared:
            values[kind.name, pair.value].add(pair.group)
    assert [key for key, groups in subjects.items() if len(groups) > 1] == []
    assert [key for key, groups in values.items() if len(groups) > 1] == []


def test_no_false_statement_is_true_in_the_table(pairs, kinds):
    truths = {name: {(f.frame, f.subject, f.value) for f in kind.facts} for name, kind in kinds.items()}
    for pair in pairs:
        true = (pair.fact.frame, pair.fact.subject, pair.value) in truths[kind_of(pair, kinds).name]
        assert true is not pair.hallucinated
        assert not (pair.hallucinated and pair.fact.admits(pair.value))


def test_general_tables_have_known_fields_and_enough_to_exchange():
    fields = {"name", "ask", "claims", "short", "facts"}
    for path in general.TABLES.glob("*.toml"):
        for relation in tomli.loads(path.read_text(encoding="utf-8"))["relation"]:
            assert fields <= set(relation) <= {*fields, "also"}
            subjects = [subject for subject, _ in relation["facts"]]
            values = [value for _, value in relation["facts"]]
            assert len(subjects) == len(set(subjects)) >= 6
            assert max(map(values.count, values)) <= len(values) / 2
            for subject, others in relation.get("also", {}).items():
                assert subject in subjects
                assert set(others) <= set(values)


@pytest.mark.parametrize(
    ("kind", "subject", "value"),
    [
        ("capital", "France", "Paris"),
        ("city_country", "Kyoto", "Japan"),
        ("currency", "Japan", "the yen"),
        ("continent", "Brazil", "South America"),
        ("city_state", "Chicago", "Illinois"),
        ("element_symbol", "gold", "Au"),
        ("element_discoverer", "polonium", "Pierre and Marie Curie"),
        ("company_business", "Pfizer", "pharmaceuticals"),
        ("word_translation", "dog", "perro"),
        ("kind_of_thing", "a penguin", "a bird"),
        ("unit_quantity", "a newton", "force"),
        ("number_word", "seven", "sieben"),
        ("city_continent", "Kyoto", "Asia"),
        ("state_capital", "Texas", "Austin"),
        ("everyday_science-instrument_measures", "a barometer", "air pressure"),
    ],
)
def test_known_facts_are_in_the_tables(kinds, kind, subject, value):
    assert (subject, value) in {(fact.subject, fact.value) for fact in kinds[kind].facts}


def test_forms_vary_and_some_prompts_are_empty(records):
    prompts, openings = defaultdict(set), defaultdict(set)
    for record in records:
        prompts[record["topic"]].add(record["prompt"].split(" ")[0])
        openings[record["topic"]].add(record["answer"].split(" ")[0])
    assert min(map(len, prompts.values())) >= 6
    assert min(map(len, openings.values())) >= 6
    assert 0.01 < np.mean([record["prompt"] == "" for record in records]) < 0.15


def test_kinds_that_are_not_trained_on_exist(records):
    assert {*HELD_OUT_KINDS, *UNKNOWN} < {record["topic"] for record in records}


def test_unknown_kinds_are_those_that_the_model_was_measured_not_to_know(kinds):
    measured = json.loads((MODELS / DEFAULT_MODEL / "knowledge.json").read_text(encoding="utf-8"))
    assert set(measured) == {kind.topic for kind in kinds.values()}
    for kind, row in measured.items():
        hardly = row["preferred"] < LEAST_KNOWN
        assert is_trained_on(kind, UNKNOWN) == (not hardly and kind not in HELD_OUT_KINDS)
    with pytest.raises(FileNotFoundError, match="run first"):
        unknown_kinds("other")


def test_length_does_not_tell_the_label(records):
    labels = [record["hallucinated"] for record in records]
    assert 0.47 < length_auroc([record["answer"] for record in records], labels) < 0.53


@pytest.mark.parametrize(
    ("value", "subject", "spelled"),
    [("He", "helium", True), ("Mg", "magnesium", True), ("Au", "gold", False), ("the ab", "the a-b", True)],
)
def test_spelling(value, subject, spelled):
    assert is_spelled_in(value, subject) is spelled


def test_the_letters_of_a_subject_tell_its_value_for_symbols_only(pairs):
    found = {}
    for kind in {pair.kind for pair in pairs if is_trained_on(pair.kind, UNKNOWN)}:
        chosen = [pair for pair in pairs if pair.kind == kind]
        scores = [not is_spelled_in(pair.value, pair.fact.subject) for pair in chosen]
        found[kind] = roc_auc_score([pair.hallucinated for pair in chosen], scores)
    assert {kind for kind, auroc in found.items() if auroc > 0.6} == {"element_symbol"}


@pytest.mark.parametrize("with_prompt", [False, True])
def test_wording_does_not_tell_the_label(records, with_prompt):
    # Every third group and a short fit keep the test quick; the command line prints the full check.
    names = sorted({record["group"] for record in records})[::3]
    chosen = [record for record in records if record["group"] in set(names)]
    labels = [record["hallucinated"] for record in chosen]
    texts = [f"{r['prompt']} {r['answer']}" if with_prompt else r["answer"] for r in chosen]
    groups = [record["group"] for record in chosen]
    scores = wording_scores(texts, labels, groups, features=2000, iterations=20)
    assert len(set(scores)) > 700
    assert 0.45 < roc_auc_score(labels, scores) < 0.55


def test_a_file_that_cannot_be_written_is_named(tmp_path, capsys):
    assert main(["--out", str(tmp_path / "missing" / "facts.jsonl")]) == 2
    assert "missing" in capsys.readouterr().err
