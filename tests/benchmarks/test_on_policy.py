import json

import pytest

from benchmarks import on_policy
from benchmarks.on_policy import draw, read_corpora, thin
from halluscope import LanguageModel
from halluscope.lm.generation import Generated, generate_answers
from halluscope.records import read_records
from models import asking
from models.question import Question

FACTS = [Question(f"capital-{i}", f"What is {i}?", ("zzz",), f"country-{i}", "capital") for i in range(7)]


@pytest.fixture(autouse=True)
def small(monkeypatch, lm):
    monkeypatch.setattr(asking, "CHUNK", 3)
    monkeypatch.setattr(on_policy, "fact_questions", lambda: FACTS)
    monkeypatch.setattr(LanguageModel, "from_pretrained", lambda name: lm)


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    lines = [
        {"id": f"q{i}", "prompt": f"Who is number {i}?", "answers": ["Bell", "A. Bell"]} for i in range(8)
    ]
    write(folder / "people.questions.jsonl", *lines, {"prompt": "Is it Bell or Reis?", "answers": ["Bell"]})
    return folder


def write(path, *lines):
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def run(data, out, *more):
    on_policy.main(["--data", str(data), "--out", str(out), *more])
    return {
        str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()
    }


def scripted(answers):
    """A model that says these, in turn."""
    said = iter(answers)

    def generate(lm, prompts, *, progress):
        progress(len(prompts))
        return [Generated((5,), next(said), finished=True) for _ in prompts]

    return generate


def test_labelled_answers_and_counts(data, tmp_path, monkeypatch, capsys):
    said = ["It was Bell.", "Mr. Reis.", "", "I don't know.", "Bell or Reis.", "Reis", "Reis", "Reis"]
    monkeypatch.setattr(asking, "generate_answers", scripted(said))
    files = run(data, tmp_path / "out", "--only", "people")
    pairs = list(read_records(tmp_path / "out" / "people.jsonl", labelled=True))
    assert [pair.hallucinated for pair in pairs] == [False, True, False, True, True, True]
    assert capsys.readouterr().out.split()[-6:] == ["2", "4", "1", "1", "0", "0"]
    line = json.loads(files["people.jsonl"].split(b"\n")[0])
    asked = draw([f"q{i}" for i in range(8)], None, key=str)
    assert line == {
        "id": asked[0],
        "group": asked[0],
        "prompt": f"Who is number {asked[0][1]}? Answer in one short sentence.",
        "answer": "It was Bell.",
        "hallucinated": False,
        "question": f"Who is number {asked[0][1]}?",
        "answers": ["Bell", "A. Bell"],
    }
    sample = [json.loads(x) for x in (tmp_path / "out/answers/to_read.jsonl").read_text().splitlines()]
    assert sorted(x["id"] for x in sample) == sorted(pair.id for pair in pairs)
    assert set(sample[0]) == {"corpus", "id", "question", "answer", "answers", "hallucinated"}


def test_wrong_answers_are_thinned():
    records = [{"id": str(i), "hallucinated": i % 5 > 0} for i in range(40)]
    kept = thin(records, 1.5)
    assert sum(record["hallucinated"] for record in kept) == 12
    assert [record for record in kept if not record["hallucinated"]] == records[::5]
    assert kept == [record for record in records if record in kept]
    assert thin(records, 4) == thin(records, 100) == records


def test_a_stopped_run_goes_on_and_ends_the_same(data, tmp_path, monkeypatch):
    whole = run(data, tmp_path / "whole")
    assert set(whole) == {
        "facts.jsonl",
        "people.jsonl",
        "answers/facts.jsonl",
        "answers/people.jsonl",
        "answers/settings.json",
        "answers/to_read.jsonl",
    }
    calls = []

    def stops(lm, prompts, **options):
        calls.append(len(prompts))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return generate_answers(lm, prompts, **options)

    monkeypatch.setattr(asking, "generate_answers", stops)
    with pytest.raises(KeyboardInterrupt):
        run(data, tmp_path / "out")
    path = tmp_path / "out" / "answers" / "facts.jsonl"
    with path.open("ab") as file:
        file.write(b'{"id": "torn')
    assert calls == [3, 3, 1]
    calls.clear()
    calls += [0] * 3  # goes on without stopping
    assert run(data, tmp_path / "out") == whole
    assert calls[3:] == [1, 3, 3, 2]
    calls[3:] = []
    assert run(data, tmp_path / "out") == whole
    assert calls == [0] * 3


def test_a_larger_limit_asks_the_rest(data, tmp_path):
    few = run(data, tmp_path / "out", "--limit", "4")
    all_of_them = run(data, tmp_path / "out")
    for path, content in few.items():
        if path in ("answers/facts.jsonl", "answers/people.jsonl"):
            assert all_of_them[path].startswith(content)
            assert content.count(b"\n") == 4
    again = run(data, tmp_path / "out", "--limit", "4")  # labels four, keeps what was asked
    assert again["people.jsonl"].count(b"\n") <= 4


def test_other_settings_and_other_questions_are_refused(data, tmp_path, monkeypatch):
    run(data, tmp_path / "out")
    changed = data / "people.questions.jsonl"
    changed.write_text(changed.read_text().replace("Who is", "Who was"))
    with pytest.raises(SystemExit, match="other questions"):
        run(data, tmp_path / "out")
    monkeypatch.setattr(on_policy, "INSTRUCTION", "{question}")
    monkeypatch.setattr(on_policy, "TOKEN_BUDGET", 50_000)
    with pytest.raises(SystemExit, match="another instruction and token_budget"):
        run(data, tmp_path / "out")


def test_questions(data, tmp_path):
    corpora = read_corpora(data)
    assert list(corpora) == ["facts", "people"]
    assert len(corpora["people"]) == 8  # the ninth names its answer
    (tmp_path / "empty").mkdir()
    with pytest.raises(SystemExit, match=r"no \.questions\.jsonl files"):
        run(tmp_path / "empty", tmp_path / "out")
    with pytest.raises(SystemExit, match="no corpus 'x': there are facts, people"):
        run(data, tmp_path / "out", "--only", "x")
