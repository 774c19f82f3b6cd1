import sys

import pytest

from halluscope.progress import progress_bar


def test_nothing_is_shown_where_nobody_looks(capsys):
    with progress_bar("recording", 3) as advance:
        advance(3)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("total", [3, None])
def test_shown_on_standard_error_when_asked_for(capsys, monkeypatch, total):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    with progress_bar("recording", total, show=True) as advance:
        advance(2)
    out, err = capsys.readouterr()
    assert out == ""
    assert "recording" in err


def test_errors_pass_through_the_bar():
    with pytest.raises(RuntimeError, match="inside"), progress_bar("recording", 1, show=True):
        raise RuntimeError("inside")
