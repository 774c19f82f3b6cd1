import json
import subprocess
import sys

import pytest

from halluscope.scoring import score_file


@pytest.mark.parametrize("bad", [False, True])
def test_the_command_says_nothing_or_what_is_wrong(
    given, detector, detector_folder, model_folder, tmp_path, bad
):
    source, out, here = (tmp_path / name for name in ("pairs.jsonl", "out.jsonl", "here.jsonl"))
    given += [{"prompt": "a?", "answer": "word " * 500}] * bad
    source.write_text("".join(json.dumps(record) + "\n" for record in given))
    command = [sys.executable, "-m", "halluscope", "score", source, "--out", out, "--engine", "ray"]
    options = ["--workers", "1", "--detector", detector_folder, "--model", model_folder]
    run = subprocess.run([*map(str, [*command, *options])], capture_output=True, text=True)
    # what Ray's core writes to the terminal itself cannot be stopped
    said = [line for line in run.stderr.splitlines() if "core_worker.cc" not in line]
    if bad:
        assert (run.returncode, run.stdout) == (2, "")
        assert len(said) == 1
        assert f"line {len(given)}: " in said[0]
        return
    assert (run.returncode, run.stdout, said) == (0, "", [])
    score_file(source, here, detector)
    for ours, theirs in zip(out.open(), here.open(), strict=True):
        ours, theirs = json.loads(ours), json.loads(theirs)
        assert ours.pop("probability") == pytest.approx(theirs.pop("probability"), abs=1e-4)
        assert ours == theirs
