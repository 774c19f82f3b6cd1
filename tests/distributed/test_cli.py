import json
import subprocess
import sys

import pytest

from halluscope.scoring import score_file


def test_the_command_writes_what_one_process_writes_and_says_nothing(
    given, detector, detector_folder, model_folder, tmp_path
):
    source, out, here = (tmp_path / name for name in ("pairs.jsonl", "out.jsonl", "here.jsonl"))
    source.write_text("".join(json.dumps(record) + "\n" for record in given))
    command = [sys.executable, "-m", "halluscope", "score", source, "--out", out, "--engine", "ray"]
    options = ["--workers", "1", "--detector", detector_folder, "--model", model_folder]
    run = subprocess.run([*map(str, [*command, *options])], capture_output=True, text=True)
    # what Ray's core writes to the terminal itself cannot be stopped
    said = [line for line in run.stderr.splitlines() if "core_worker.cc" not in line]
    assert (run.returncode, run.stdout, said) == (0, "", [])
    score_file(source, here, detector)
    for ours, theirs in zip(out.open(), here.open(), strict=True):
        ours, theirs = json.loads(ours), json.loads(theirs)
        assert ours.pop("probability") == pytest.approx(theirs.pop("probability"), abs=1e-4)
        assert ours == theirs
