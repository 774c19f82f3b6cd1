"""The README's Python code runs, on the real default model."""

import json
import re
from pathlib import Path

import pytest

from models.facts import build_pairs

ROOT = Path(__file__).parents[1]
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("readme")
    pairs = [pair for pair in build_pairs() if pair["topic"] == "company_city"][:80]
    lines = "".join(json.dumps(pair) + "\n" for pair in pairs)
    (folder / "pairs.jsonl").write_text(lines, encoding="utf-8")
    return folder


def test_there_is_code_for_the_three_uses():
    assert len(BLOCKS) == 3


@pytest.mark.default_model
@pytest.mark.parametrize("block", BLOCKS, ids=["judge", "train", "evaluate"])
def test_code_runs(block, folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    exec(compile(block, "README.md", "exec"), {})  # noqa: S102 - that it runs is what is tested
    assert capsys.readouterr().out.strip()


@pytest.mark.parametrize(
    "link", re.findall(r"\]\((?!http)([^)#]+)\)", (ROOT / "README.md").read_text("utf-8"))
)
def test_links_lead_somewhere(link):
    assert (ROOT / link).exists()
