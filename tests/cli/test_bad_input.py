"""Every bad input: one line on standard error, status 2, nothing on standard output, nothing written."""

import json
import os
import shutil

import pytest
import torch

from halluscope.lm.language_model import LanguageModel
from tests.samples import labelled_records
from tests.tiny import tiny_model, tiny_tokenizer

LINE = json.dumps({"prompt": "a?", "answer": "b.", "hallucinated": True}) + "\n"


@pytest.fixture
def refused(run, tmp_path):
    """Run a command that must be refused; returns what it said."""

    def check(*arguments):
        before = sorted(tmp_path.rglob("*"))
        status, out, err = run(*arguments)
        assert (status, out) == (2, "")
        assert err.startswith("halluscope: ")
        assert err.count("\n") == 1
        assert sorted(tmp_path.rglob("*")) == before
        return err

    return check


@pytest.fixture
def file(tmp_path):
    def write(text, name="bad.jsonl"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


@pytest.mark.parametrize("answer", ["", "   ", "\n\t"])
def test_blank_answers(refused, trained, tmp_path, answer):
    assert "'answer' is empty" in refused("detect", "a?", answer, "--detector", trained)
    assert "'answer' is empty" in refused("plot", "a?", "b.", answer, "--out", tmp_path / "a.png")


def test_an_answer_longer_than_the_context_window(refused, trained):
    said = refused("detect", "a?", "word " * 20_000, "--detector", trained)
    assert "at most 256" in said


BROKEN = {
    "not json\n": "not valid JSON",
    "[1]\n": "a record must be a JSON object",
    '{"prompt": "a?"}\n': "field 'answer' is missing",
    '{"prompt": 3, "answer": "b."}\n': "field 'prompt' must be text",
    '{"prompt": "a?", "answer": " "}\n': "field 'answer' is empty",
    '{"prompt": "a?", "answer": "b.", "hallucinated": "no"}\n': "field 'hallucinated' must be true or false",
    b'{"prompt": "\xff", "answer": "b."}\n': "not UTF-8",
}


@pytest.mark.parametrize(("line", "problem"), BROKEN.items(), ids=BROKEN.values())
@pytest.mark.parametrize("command", ["score", "train", "evaluate"])
def test_broken_lines_are_named(refused, file, trained, tmp_path, command, line, problem):
    path = file(LINE.encode() + (line if isinstance(line, bytes) else line.encode()))
    extra = () if command == "train" else ("--detector", trained)
    said = refused(command, path, "--out", tmp_path / "out", *extra)
    assert f"{path}, line 2: {problem}" in said


@pytest.mark.parametrize("command", ["score", "train", "evaluate"])
def test_files_without_records(refused, file, tmp_path, command, trained):
    extra = ("--detector", trained) if command == "score" else ()
    assert "no such file" in refused(command, tmp_path / "missing.jsonl", "--out", tmp_path / "out", *extra)
    assert "cannot read" in refused(command, tmp_path, "--out", tmp_path / "out", *extra)
    assert "holds no records" in refused(command, file("\n"), "--out", tmp_path / "out", *extra)


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_labels_and_groups(refused, write, tmp_path, command):
    out = ("--out", tmp_path / "out")
    one = [record for record in labelled_records(8) if record["hallucinated"]]
    assert "all 8 pairs are labelled hallucinated" in refused(command, write(one), *out)
    unlabelled = [*one, {"prompt": "a?", "answer": "b."}]
    assert "line 9: field 'hallucinated'" in refused(command, write(unlabelled), *out)
    conflict = [*one, one[0] | {"hallucinated": False}]
    said = refused(command, write(conflict), *out)
    assert "line 1 and " in said
    assert "line 9 are the same pair with opposite labels" in said
    few = write(labelled_records(3))
    assert "3 groups cannot fill 5 folds" in refused(command, few, "--folds", 5, *out)


def test_a_training_part_too_small_for_the_inner_folds(refused, write, model_folder, tmp_path):
    said = refused(
        "evaluate", write(labelled_records(4)), "--folds", 4, "--model", model_folder, "--out", tmp_path / "o"
    )
    assert "3 groups cannot fill 4 folds" in said


def test_detectors(refused, trained, tmp_path):
    assert "no such detector" in refused("detect", "a?", "b.", "--detector", tmp_path / "missing")
    damaged = shutil.copytree(trained, tmp_path / "damaged")
    (damaged / "manifest.json").write_text("{")
    assert "manifest.json is damaged" in refused("detect", "a?", "b.", "--detector", damaged)
    shutil.copy(trained / "manifest.json", damaged)
    (damaged / "classifier.skops").write_bytes(b"PK")
    assert "classifier.skops is damaged" in refused("detect", "a?", "b.", "--detector", damaged)
    assert "is not a detector" in refused("detect", "a?", "b.", "--detector", tmp_path)


def save_model(model, folder):
    LanguageModel(model, tiny_tokenizer()).tokenizer.save_pretrained(folder)
    model.save_pretrained(folder)
    return folder


def test_a_detector_of_another_model(refused, trained, tmp_path):
    other = save_model(tiny_model(seed=1), tmp_path / "other")
    assert "is another language model" in refused(
        "detect", "a?", "b.", "--detector", trained, "--model", other
    )


def test_language_models(refused, trained, tmp_path):
    said = refused("detect", "a?", "b.", "--detector", trained, "--model", tmp_path / "missing")
    assert "no such language model" in said
    (tmp_path / "empty").mkdir()
    said = refused("detect", "a?", "b.", "--detector", trained, "--model", tmp_path / "empty")
    assert "cannot load language model" in said
    assert "no detector ships for the language model 'gpt-9'" in refused(
        "detect", "a?", "b.", "--model", "gpt-9"
    )


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("tokenizer.json", "model", {"type": "of tomorrow"}),
        ("config.json", "hidden_size", "wide"),
        ("config.json", "num_attention_heads", 0),
    ],
)
def test_damaged_language_models(refused, trained, model_folder, tmp_path, name, field, value):
    folder = shutil.copytree(model_folder, tmp_path / "damaged")
    path = folder / name
    path.write_text(json.dumps(json.loads(path.read_text()) | {field: value}))
    said = refused("detect", "a?", "b.", "--detector", trained, "--model", folder)
    assert "cannot load language model" in said


def test_activations_that_are_not_finite_are_told_by_layer(refused, write, tmp_path):
    model = tiny_model()
    with torch.no_grad():
        model.model.layers[1].mlp.down_proj.weight[0] = float("nan")
    folder = save_model(model, tmp_path / "nan")
    said = refused("train", write(labelled_records(8)), "--model", folder, "--out", tmp_path / "out")
    assert "activations of layer 2 are NaN" in said


def test_places_to_write_to(refused, write, trained, tmp_path):
    pairs = write(labelled_records(8))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").touch()
    assert "is a folder" in refused("score", pairs, "--out", tmp_path, "--detector", trained)
    assert "is the input itself" in refused("score", pairs, "--out", pairs, "--detector", trained)
    assert "there is no folder" in refused(
        "score", pairs, "--out", tmp_path / "no" / "s", "--detector", trained
    )
    assert "is not a detector" in refused("train", pairs, "--out", tmp_path / "full")
    assert "is a file" in refused("train", pairs, "--out", pairs)
    assert "is a file" in refused("evaluate", pairs, "--out", pairs)
    assert "is not a folder" in refused("evaluate", pairs, "--out", pairs / "results")
    assert ".docx" in refused("plot", "a?", "b.", "--out", tmp_path / "x.docx")
    assert "there is no folder" in refused("plot", "a?", "b.", "--out", tmp_path / "no" / "x.png")
    assert ".docx" in refused("detect", "a?", "b.", "--plot", tmp_path / "x.docx")
    assert "/dev/null: it is not a plain file" in refused(
        "score", pairs, "--out", "/dev/null", "--detector", trained
    )


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_folders_without_permission(refused, write, trained, tmp_path):
    pairs, locked = write(labelled_records(8)), tmp_path / "locked"
    locked.mkdir(mode=0o500)
    for command in ("score", "train", "evaluate"):
        assert "no permission" in refused(command, pairs, "--out", locked / "out")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("detect",), "Missing argument"),
        (("detect", "a?", "b.", "--nope"), "--nope"),
        (("nope",), "nope"),
        (("train", "x.jsonl"), "--out"),
        (("evaluate", "x.jsonl", "--out", "o", "--folds", "1"), "--folds"),
        (("evaluate", "x.jsonl", "--out", "o", "--folds", "many"), "--folds"),
        (("evaluate", "x.jsonl", "--out", "o", "--seed", "-1"), "--seed"),
        (("train", "x.jsonl", "--out", "o", "--seed", str(2**32)), "--seed"),
    ],
)
def test_wrong_usage(refused, arguments, problem):
    said = refused(*arguments)
    assert problem in said
    assert "--help" in said


def test_no_command_shows_the_help(run):
    status, out, err = run()
    assert (status, err) == (2, "")
    assert "detect" in out


def test_text_that_is_not_unicode(refused, trained):
    refused("detect", "a?", "b\udcff.", "--detector", trained)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are POSIX's")
def test_a_pipe_is_not_scored(refused, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert "save it" in refused("score", tmp_path / "pipe", "--out", tmp_path / "out.jsonl")


def test_where_answers_are_scored(refused, write, tmp_path):
    pairs = write(labelled_records(8))
    out = ("--out", tmp_path / "out.jsonl")
    assert "are for --engine ray" in refused("score", pairs, *out, "--workers", 2)
    assert "addresses are for --engine ray" in refused("score", "s3://bucket/pairs.jsonl", *out)
    assert "both be Parquet" in refused("score", pairs, "--out", tmp_path / "out.parquet", "--engine", "ray")
    assert "no such file" in refused("score", tmp_path / "x.parquet", *out, "--engine", "ray")
