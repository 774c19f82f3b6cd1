import json

import pytest

from benchmarks.questions import Question, read_questions
from halluscope.errors import RecordError


def write(path, *lines):
    path.write_text("\n".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), "utf-8")
    return path


def test_questions(tmp_path):
    lines = [
        {"id": 7, "prompt": "Who\u2028was it?", "answers": ["Bell"], "group": "phones", "topic": "inventors"},
        {"prompt": "Why?", "answers": ["That is why", "So"]},
    ]
    assert read_questions(write(tmp_path / "some.questions.jsonl", *lines)) == [
        Question("7", "Who\u2028was it?", ("Bell",), "phones", "inventors"),
        Question("3", "Why?", ("That is why", "So"), "3"),  # the line's number
    ]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([{"answers": ["a"]}], "line 1: field 'prompt'"),
        ([{"prompt": "Who?", "answers": "a"}], "line 1: field 'answers'"),
        ([{"prompt": "Who?", "answers": []}], "line 1: field 'answers'"),
        ([{"prompt": "Who?", "answers": ["a"], "id": 1}] * 2, "line 3: field 'id'"),
        (["text"], "line 1: field 'prompt'"),
    ],
)
def test_bad_questions_are_named(tmp_path, lines, message):
    with pytest.raises(RecordError, match=message):
        read_questions(write(tmp_path / "bad.questions.jsonl", *lines))
