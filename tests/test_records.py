import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
import torch

from halluscope.errors import InputError, RecordError
from halluscope.records import Pair, as_pairs, read_records

MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Who?"}]


def write(tmp_path, *lines):
    path = tmp_path / "pairs.jsonl"
    path.write_bytes(b"\n".join(x if isinstance(x, bytes) else json.dumps(x).encode() for x in lines))
    return path


def test_every_form_of_pairs_gives_the_same():
    records = [
        {"prompt": "Who?", "answer": "Bell.", "hallucinated": True, "group": 1, "topic": "phones"},
        {"prompt": MESSAGES, "answer": [5, 6], "hallucinated": False, "id": 7},
    ]
    pairs = as_pairs(records)
    assert pairs[0].group == "1"
    assert pairs[1].id == "7"
    assert [pair.where for pair in pairs] == ["pair 1", "pair 2"]
    assert as_pairs(iter(records)) == pairs
    assert as_pairs(pairs) == pairs
    frame = as_pairs(pd.DataFrame(records).astype({"hallucinated": "boolean"}))
    assert [dataclasses.replace(p, group=None, id=None) for p in frame] == [
        dataclasses.replace(p, group=None, id=None) for p in pairs
    ]
    assert as_pairs([("Who?", "Bell.")])[0] == Pair("Who?", "Bell.", where="pair 1")


@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA, pd.NaT])
def test_missing_values_of_a_data_frame(missing):
    frame = pd.DataFrame(
        {"prompt": ["Who?"], "answer": ["Bell."], "hallucinated": [missing], "topic": [missing]}
    )
    assert as_pairs(frame) == [Pair("Who?", "Bell.", where="pair 1")]


@pytest.mark.parametrize("label", [True, 1, 1.0, np.bool_(True), np.int64(1), torch.tensor(True)])
def test_labels_that_mean_true(label):
    assert as_pairs([{"prompt": "Who?", "answer": "Bell.", "hallucinated": label}])[0].hallucinated is True


def test_pairs_made_by_hand_are_numbered_and_read_ones_keep_their_place():
    assert as_pairs([Pair("Who?", "Bell."), Pair("Who?", "I.", where="x.jsonl, line 9")])[0].where == "pair 1"
    assert as_pairs([Pair("Who?", "I.", where="x.jsonl, line 9")])[0].where == "x.jsonl, line 9"


def test_group_is_the_prompt_where_none_is_given():
    assert Pair("Who?", "Bell.").fold_group == "Who?"
    assert Pair("Who?", "Bell.", group="phones").fold_group == "phones"
    assert Pair("", "Bell.", group="phones").fold_group == "phones"
    assert [Pair(" ", "Bell.", context=c).fold_group for c in (None, "phones")] == ["Bell.", "phones"]
    shuffled = [dict(reversed(message.items())) for message in MESSAGES]
    assert Pair(MESSAGES, "Bell.").fold_group == Pair(shuffled, "Bell.").fold_group
    assert Pair([1, 2], "Bell.").fold_group == Pair(np.array([1, 2]), "Bell.").fold_group


def test_key_tells_pairs_apart():
    pairs = [Pair("a", "b"), Pair("a", "b", context="c"), Pair("a", "c"), Pair(MESSAGES, "b"), Pair("a", [1])]
    assert len({pair.key for pair in pairs}) == len(pairs)
    ids = ([4, 5], np.array([4, 5]), torch.tensor([4, 5]), [np.int64(4), np.int64(5)])
    assert len({Pair("a", answer).key for answer in ids}) == 1


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        ({"answer": "x"}, "field 'prompt' is missing"),
        ({"prompt": "x"}, "field 'answer' is missing"),
        ({"prompt": "x", "answer": ""}, "field 'answer' is empty"),
        ({"prompt": "x", "answer": " \n\t\u00a0"}, "field 'answer' is empty"),
        ({"prompt": "x", "answer": None}, "field 'answer' must be text or a flat list .* not NoneType"),
        ({"prompt": "x", "answer": []}, "not an empty list"),
        ({"prompt": "x", "answer": [[1, 2]]}, "field 'answer' must be text or a flat list"),
        ({"prompt": "x", "answer": "\ud83d"}, "field 'answer' holds half a character"),
        ({"prompt": "\ud83d", "answer": "x"}, "field 'prompt' holds half a character"),
        ({"prompt": None, "answer": "x"}, "field 'prompt' must be text, .* not NoneType"),
        ({"prompt": [], "answer": "x"}, "not an empty list"),
        ({"prompt": [{"content": "x"}], "answer": "x"}, "chat message 1 has no 'role'"),
        ({"prompt": [{"role": "user"}], "answer": "x"}, "chat message 1 has no 'content'"),
        ({"prompt": [{"role": 1, "content": "x"}], "answer": "x"}, "chat message 1 has a role"),
        (
            {"prompt": [*MESSAGES, {"role": "user", "content": 3}], "answer": "x"},
            "chat message 3 has content",
        ),
        (
            {"prompt": [{"role": "user", "content": [{"type": "image"}]}], "answer": "x"},
            "content that is not text",
        ),
        (
            {"prompt": "x", "answer": "y", "hallucinated": "yes"},
            "field 'hallucinated' must be true or false, not 'yes'",
        ),
        ({"prompt": "x", "answer": "y", "hallucinated": 2}, "field 'hallucinated' must be true or false"),
        ({"prompt": "x", "answer": "y", "context": 1.5}, "field 'context' must be text, not float"),
        ({"prompt": "x", "answer": "y", "topic": True}, "field 'topic' must be text, not bool"),
    ],
)
def test_bad_records_name_line_and_field(tmp_path, record, problem):
    good = {"prompt": "Who?", "answer": "Bell."}
    with pytest.raises(InputError, match=f"pair 2: .*{problem}"):
        as_pairs([good, record])
    path = write(tmp_path, good, record)
    with pytest.raises(RecordError, match=problem) as error:
        list(read_records(path))
    assert str(error.value).startswith(f"{path}, line 2: ")
    assert error.value.line == 2
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "pairs", ["Who?", {"prompt": "x", "answer": "y"}, None, 3, [3], ["ab"], [("a", "b", "c")]]
)
def test_what_pairs_are_not(pairs):
    with pytest.raises(InputError, match=r"pairs must be a list|pair 1 is neither"):
        as_pairs(pairs)


def test_reading_streams_and_skips_empty_lines(tmp_path):
    path = write(tmp_path, b"\xef\xbb\xbf" + b'{"prompt": "a", "answer": "b"}\r', b"", b"  ", b"{broken")
    records = read_records(path)
    assert next(records) == Pair("a", "b", where=f"{path}, line 1")
    with pytest.raises(RecordError, match="line 4: not valid JSON"):
        next(records)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b'{"prompt": "a", ', "not valid JSON"),
        (b"[1, 2]", "a record must be a JSON object, not list"),
        (b'"text"', "a record must be a JSON object, not str"),
        (b'{"prompt": "\xff"}', r"not UTF-8 text \(byte 13"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"id": ' + b"1" * 5000 + b"}", "a number is too long"),
    ],
)
def test_lines_that_are_no_records(tmp_path, line, problem):
    with pytest.raises(RecordError, match=f"line 1: .*{problem}"):
        list(read_records(write(tmp_path, line)))


def test_labels_can_be_demanded(tmp_path):
    path = write(tmp_path, {"prompt": "a", "answer": "b", "hallucinated": None})
    assert next(read_records(path)).hallucinated is None
    with pytest.raises(RecordError, match=r"field 'hallucinated' .* is missing"):
        list(read_records(path, labelled=True))


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        list(read_records(tmp_path / "none.jsonl"))
    with pytest.raises(InputError, match="cannot read"):
        list(read_records(tmp_path))


def test_a_verdict_read_back_is_not_taken_for_a_label(tmp_path):
    scored = {"prompt": "a", "answer": "b", "hallucinated": True, "probability": 0.9, "threshold": 0.5}
    known = {**scored, "label": False}
    assert [pair.hallucinated for pair in as_pairs([scored, known])] == [None, False]
    path = tmp_path / "scored.jsonl"
    path.write_text(json.dumps(scored) + "\n")
    with pytest.raises(RecordError, match="verdict"):
        list(read_records(path, labelled=True))


def test_rows_of_a_data_frame_and_chats_of_a_parquet_file():
    frame = pd.DataFrame([{"prompt": "Who?", "answer": "Bell.", "hallucinated": True}])
    rows = [row for _, row in frame.iterrows()]
    assert as_pairs(rows) == [Pair("Who?", "Bell.", True, where="pair 1")]
    assert as_pairs(frame[["prompt", "answer"]].to_numpy()) == [Pair("Who?", "Bell.", where="pair 1")]
    chat = np.array(MESSAGES, dtype=object)
    assert as_pairs([{"prompt": chat, "answer": "Bell."}])[0].prompt == MESSAGES


@pytest.mark.parametrize("label", [np.array([1, 0]), torch.tensor([1, 0]), [1], "yes"])
def test_labels_that_are_none(label):
    with pytest.raises(InputError, match="pair 1: field 'hallucinated' must be true or false"):
        as_pairs([{"prompt": "Who?", "answer": "Bell.", "hallucinated": label}])


@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA, pd.NaT])
def test_missing_values_of_a_mapping(missing):
    assert as_pairs([{"prompt": "a", "answer": "b", "hallucinated": missing}])[0].hallucinated is None


def test_a_byte_order_mark_alone_is_no_record(tmp_path):
    good = json.dumps({"prompt": "Who?", "answer": "Bell."}).encode()
    assert list(read_records(write(tmp_path, b"\xef\xbb\xbf"))) == []
    assert [pair.answer for pair in read_records(write(tmp_path, b"\xef\xbb\xbf", good))] == ["Bell."]
    assert [pair.answer for pair in read_records(write(tmp_path, b"\xef\xbb\xbf" + good))] == ["Bell."]


def test_the_field_that_a_label_came_from_is_named():
    scored = {"prompt": "a", "answer": "b", "probability": 0.5, "threshold": 0.5, "label": "maybe"}
    with pytest.raises(InputError, match="field 'label' must be true or false, not 'maybe'"):
        as_pairs([scored])
