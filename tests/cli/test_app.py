import functools
import io
import json
import shutil
import subprocess
import sys

import pytest

import halluscope
from halluscope import files
from halluscope.cli import learning
from halluscope.detector import Detector, shipped
from halluscope.detector.manifest import read_manifest
from halluscope.lm.language_model import LanguageModel
from tests.samples import labelled_records

COMMANDS = ("pull", "detect", "score", "train", "evaluate", "plot")


def test_version(run):
    assert run("--version") == (0, f"halluscope {halluscope.__version__}\n", "")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_command(run, command):
    status, out, err = run(command, "--help")
    assert (status, err) == (0, "")
    assert "--help" in out
    assert command in run("--help").out


def test_importing_and_helping_load_nothing_heavy():
    code = (
        "import sys, halluscope, halluscope.cli.app as cli\n"
        "sys.argv = ['halluscope', '--help']\n"
        "try: cli.main()\nexcept SystemExit as stop: assert stop.code == 0\n"
        "heavy = {'torch', 'transformers', 'sklearn', 'scipy', 'numpy', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_detect(run, trained):
    invented = run("detect", "What is place 3?", "It is XQZ 77, QZZ 83.", "--detector", trained)
    true = run("detect", "What is place 3?", "It is a city, a river.", "--detector", trained)
    assert invented.err == true.err == ""
    assert invented.out.startswith("hallucinated: probability 0.")
    assert true.out.startswith("not hallucinated: probability 0.")
    assert "(threshold 0.500)" in true.out


def test_detect_json_is_one_object(run, trained):
    status, out, err = run(
        "detect", "Où?", "東京. It is.", "--json", "--detector", trained, "--context", "Là."
    )
    assert (status, err) == (0, "")
    assert out.count("\n") == 1
    found = json.loads(out)
    assert {"probability", "hallucinated", "threshold", "tokens", "model", "detector", "seconds"} <= set(
        found
    )
    assert found["detector"] == "trained"
    assert [span["text"] for span in found["spans"]] == ["東京.", "It is."]


def test_json_is_written_to_what_cannot_write_every_character(run, trained, monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="latin-1"))
    stdout = sys.stdout
    assert run("detect", "Où?", "東京.", "--json", "--detector", trained).status == 0
    stdout.seek(0)
    assert json.loads(stdout.read())["answer"] == "東京."


def test_detect_a_bare_statement(run, trained):
    assert run("detect", "", "It is a city.", "--detector", trained).status == 0


def test_detect_draws(run, trained, tmp_path):
    file = tmp_path / "surface.png"
    assert run("detect", "a?", "It is.", "--detector", trained, "--plot", file).status == 0
    assert file.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("suffix", ["png", "svg", "html"])
def test_plot_two_answers(run, trained, tmp_path, suffix):
    file = tmp_path / f"two.{suffix}"
    status, _, err = run("plot", "a?", "It is a city.", "It is XQZ.", "--out", file, "--detector", trained)
    assert (status, err) == (0, "")
    assert file.stat().st_size > 10_000


def test_score(run, trained, write, tmp_path):
    records = labelled_records(5, seed=4)
    out = tmp_path / "scored.jsonl"
    status, _, err = run("score", write(records), "--out", out, "--detector", trained)
    assert (status, err) == (0, "")
    scored = [json.loads(line) for line in out.read_text().splitlines()]
    assert [s["id"] for s in scored] == [r["id"] for r in records]
    assert [s["label"] for s in scored] == [r["hallucinated"] for r in records]
    assert all(0 <= s["probability"] <= 1 for s in scored)


def test_score_stopped_by_ctrl_c_goes_on(run, trained, write, tmp_path, monkeypatch):
    monkeypatch.setattr("halluscope.scoring.local.CHUNK", 4)
    pairs, out = write(labelled_records(5, seed=4)), tmp_path / "scored.jsonl"
    run("score", pairs, "--out", tmp_path / "whole.jsonl", "--detector", trained)
    judged = []

    def stopping(self, chunk, judge=Detector.detect_batch):
        judged.append(len(chunk))
        if len(judged) == 3:
            raise KeyboardInterrupt
        return judge(self, chunk)

    monkeypatch.setattr(Detector, "detect_batch", stopping)
    status, _, err = run("score", pairs, "--out", out, "--detector", trained)
    assert status == 130
    assert err == "halluscope: stopped; what is scored is kept: call the same command again to go on\n"
    assert not out.exists()
    assert run("score", pairs, "--out", out, "--detector", trained).status == 0
    assert judged == [4, 4, 2, 2]
    assert out.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_train_then_use(run, write, model_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(model_folder.parent)
    out = tmp_path / "new" / "mine"
    pairs = write(labelled_records(30))
    arguments = ("train", pairs, "--model", model_folder.name, "--folds", 3, "--seed", 5)
    status, said, err = run(*arguments, "--out", out)
    assert (status, err) == (0, "")
    assert "60 pairs in 30 groups" in said
    manifest = read_manifest(out)
    assert (manifest["settings"]["seed"], manifest["settings"]["folds"]) == (5, 3)
    monkeypatch.chdir(tmp_path)  # the model is found from everywhere
    assert run("detect", "a?", "It is.", "--detector", out).status == 0
    monkeypatch.chdir(model_folder.parent)
    run(*arguments, "--out", tmp_path / "again")
    assert (tmp_path / "again" / "readings.safetensors").read_bytes() == (
        out / "readings.safetensors"
    ).read_bytes()


def test_train_into_the_home_folder_through_a_link(run, write, model_folder, tmp_path, monkeypatch):
    home = tmp_path / "home"
    (home / "store").mkdir(parents=True)
    (home / "mine").symlink_to("store/new")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(tmp_path)
    pairs = write(labelled_records(30))
    assert run("train", pairs, "--out=~/mine", "--model", model_folder, "--folds", 3).status == 0
    assert read_manifest(home / "store" / "new")["training"]["pairs"] == 60
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "pairs.jsonl"]
    assert run("detect", "a?", "It is.", "--detector", "~/mine").status == 0


def test_a_name_that_the_terminal_cannot_show(run, write, model_folder, tmp_path, monkeypatch):
    pairs = write(labelled_records(30))
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="latin-1"))
    stdout, out = sys.stdout, tmp_path / "\u0434\u0435\u0442"
    assert run("train", pairs, "--out", out, "--model", model_folder, "--folds", 3).status == 0
    stdout.seek(0)
    assert "\\u0434\\u0435\\u0442: trained on 60 pairs" in stdout.read()
    assert read_manifest(out)["training"]["pairs"] == 60


def test_a_shipped_detector_has_a_say_unless_told_otherwise(
    run, write, model_folder, trained, tmp_path, monkeypatch
):
    monkeypatch.setattr(shipped, "_PACKAGE", tmp_path / "package")
    shutil.copytree(trained, tmp_path / "models" / "tiny")
    monkeypatch.setattr(learning, "evaluate", functools.partial(learning.evaluate, baselines=("length",)))
    pairs = write(labelled_records(12))
    for command in ("train", "evaluate"):
        arguments = (command, pairs, "--model", model_folder, "--folds", 2)
        found = run(*arguments, "--out", tmp_path / command)
        alone = run(*arguments, "--no-prior", "--out", tmp_path / f"{command}-alone")
        assert (found.status, alone.status) == (0, 0)
        if command == "train":
            assert "with the say of the shipped detector 'tiny'" in found.out
            assert "the say of" not in alone.out
        else:  # the prior was trained on the same questions
            assert found.err.startswith("warning: the prior was trained on the questions of 24 of these 24")
            assert alone.err == ""


def test_evaluate_by_cross_validation(run, write, model_folder, tmp_path):
    out = tmp_path / "results"
    pairs = write(labelled_records(16))
    status, said, err = run("evaluate", pairs, "--folds", 2, "--model", model_folder, "--out", out)
    assert (status, err) == (0, "")
    assert "halluscope" in said
    results = json.loads((out / "results.json").read_text())
    assert results["metrics"]["auroc"]["value"] > 0.9
    assert len((out / "predictions.jsonl").read_text().splitlines()) == results["n"] == 32


def test_evaluate_a_detector_on_its_own_training(run, write, trained, tmp_path, monkeypatch):
    monkeypatch.setattr(learning, "evaluate", functools.partial(learning.evaluate, baselines=("length",)))
    pairs = write(labelled_records(30))
    status, _, err = run("evaluate", pairs, "--detector", trained, "--out", tmp_path / "results")
    assert status == 0
    assert err.startswith("warning: the detector was trained on the questions of 60 of these 60 pairs")


@pytest.mark.parametrize("option", ["--no-prior", "--no-primer"])
def test_a_trained_detector_is_not_trained_otherwise(run, write, trained, tmp_path, option):
    pairs = write(labelled_records(4))
    status, _, err = run("evaluate", pairs, "--detector", trained, option, "--out", tmp_path / "results")
    assert status != 0
    assert "tested as it was trained" in " ".join(err.split())
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("command", ["evaluate", "detect"])
def test_ctrl_c_writes_nothing(run, write, model_folder, trained, tmp_path, monkeypatch, command):
    def stop(*arguments, **keywords):
        raise KeyboardInterrupt

    monkeypatch.setattr(learning, "evaluate", stop)
    monkeypatch.setattr(Detector, "detect", stop)
    pairs, out = write(labelled_records(30)), tmp_path / "out"
    arguments = {
        "evaluate": ("evaluate", pairs, "--model", model_folder, "--folds", 2, "--out", out),
        "detect": ("detect", "a?", "b.", "--detector", trained, "--plot", tmp_path / "a.png"),
    }
    status, said, err = run(*arguments[command])
    assert (status, said) == (130, "")
    assert err.strip() == "halluscope: stopped; no result was written"
    assert [path.name for path in tmp_path.iterdir()] == ["pairs.jsonl"]


def test_train_stopped_while_it_saves_need_not_read_again(run, write, model_folder, tmp_path, monkeypatch):
    arguments = ("train", write(labelled_records(30)), "--model", model_folder, "--folds", 3)
    assert run(*arguments, "--out", tmp_path / "whole").status == 0

    def stop(*arguments, **keywords):
        raise KeyboardInterrupt

    with monkeypatch.context() as context:
        context.setattr(files, "_swap", stop)
        status, said, err = run(*arguments, "--out", tmp_path / "out")
    assert (status, said) == (130, "")
    assert err == "halluscope: stopped; what is read is kept: call the same command again to go on\n"
    assert not (tmp_path / "out").exists()
    with monkeypatch.context() as context:
        context.setattr(LanguageModel, "visit", stop)
        assert run(*arguments, "--out", tmp_path / "out").status == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "pairs.jsonl", "whole"]
    assert read_manifest(tmp_path / "out")["training"] == read_manifest(tmp_path / "whole")["training"]
