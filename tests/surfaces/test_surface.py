import contextlib
import copy
import dataclasses
import pickle

import matplotlib.figure
import numpy as np
import pytest

import halluscope
from halluscope.errors import InputError
from halluscope.surfaces import Surface

ANSWER = "Bell's 電話.\n"
OFFSETS = ((0, 4), (4, 6), (6, 9), (9, 10))
TOKENS = tuple(ANSWER[a:b] for a, b in OFFSETS)


@pytest.fixture
def surface():
    values = np.random.default_rng(0).normal(size=(2, 5, 4))
    return Surface(values, ["norm", "lens"], TOKENS, OFFSETS, ANSWER)


def test_what_it_holds(surface):
    assert halluscope.Surface is Surface
    assert surface.shape == (2, 5, 4)
    assert surface.values.dtype == np.float32
    assert surface.channels == ("norm", "lens")
    np.testing.assert_array_equal(surface["lens"], surface.values[1])
    with pytest.raises(KeyError, match="no channel 'step'; there are norm, lens"):
        surface["step"]
    assert repr(surface) == (r"Surface(2 channels x 5 layers x 4 tokens: norm, lens; " + repr(ANSWER) + ")")
    assert len(repr(dataclasses.replace(surface, answer="long " * 100))) < 120


def test_it_cannot_be_changed(surface):
    source = np.zeros((1, 2, 1))
    own = Surface(source, ["norm"], ["a"], [(0, 1)], "a")
    source[:] = 9
    assert own.values.max() == 0
    for copied in (surface, pickle.loads(pickle.dumps(surface)), copy.deepcopy(surface)):  # noqa: S301
        assert copied == surface
        with pytest.raises(ValueError, match="read-only"):
            copied.values[0, 0, 0] = 1
        with pytest.raises(ValueError, match="read-only"):
            copied["norm"][0, 0] = 1
        with pytest.raises(dataclasses.FrozenInstanceError):
            copied.answer = "other"


def test_equality_is_by_value(surface):
    same = Surface(surface.values.copy(), surface.channels, TOKENS, OFFSETS, ANSWER)
    assert same == surface
    for change in (
        {"values": surface.values + 1},
        {"channels": ("norm", "step")},
        {"tokens": ("a", *TOKENS[1:])},
        {"offsets": ((0, 3), *OFFSETS[1:])},
        {"answer": "other"},
    ):
        assert dataclasses.replace(surface, **change) != surface
    assert surface != "surface"
    gap = surface.values.copy()
    gap[0, 0, 0] = np.nan
    assert dataclasses.replace(surface, values=gap) == dataclasses.replace(surface, values=gap)
    with pytest.raises(TypeError, match="unhashable"):
        hash(surface)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"values": np.zeros((5, 4))}, "3 axes"),
        ({"channels": ["norm"]}, "2 sheets of values but 1 channel names"),
        ({"channels": ["norm", "norm"]}, "every channel needs a name of its own"),
        ({"tokens": TOKENS[1:]}, "4 columns of values, 3 tokens and 4 offsets"),
        ({"offsets": OFFSETS[1:]}, "4 columns of values, 4 tokens and 3 offsets"),
    ],
)
def test_shapes_that_do_not_agree(surface, change, problem):
    with pytest.raises(InputError, match=problem):
        dataclasses.replace(surface, **change)


def test_a_part(surface):
    part = surface.select(1, 3)
    np.testing.assert_array_equal(part.values, surface.values[:, :, 1:3])
    assert (part.tokens, part.offsets, part.answer) == (TOKENS[1:3], OFFSETS[1:3], ANSWER)


@pytest.mark.parametrize("name", ["s.npz", "s", "s.1"])
def test_saved_and_loaded_it_is_the_same(surface, tmp_path, name):
    path = surface.save(tmp_path / name)
    assert path.suffix == ".npz"
    assert list(tmp_path.iterdir()) == [path]
    loaded = Surface.load(path)
    assert loaded == surface
    assert loaded.tokens == TOKENS
    assert Surface.load(str(path)) == surface


def test_nothing_in_the_file_is_pickled(surface, tmp_path):
    with np.load(surface.save(tmp_path / "s"), allow_pickle=False) as file:
        assert {file[name].dtype.kind for name in file.files} == {"f", "u"}


def damaged(path):
    whole = path.read_bytes()
    yield whole[: len(whole) // 2]
    yield b""
    yield b"text"
    for place in range(60, len(whole) - 200, 97):
        yield whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :]


def test_files_that_hold_no_surface(surface, tmp_path):
    path = surface.save(tmp_path / "s")
    for content in list(damaged(path)):
        path.write_bytes(content)
        with contextlib.suppress(InputError):  # and no other error
            assert Surface.load(path) == surface  # a byte that says nothing
    np.save(tmp_path / "array.npy", np.zeros(3))
    np.savez(tmp_path / "other.npz", values=np.zeros((1, 1, 1)))
    np.savez(tmp_path / "pickled.npz", values=np.array([{}]), text=np.zeros(1, np.uint8))
    np.savez(tmp_path / "list.npz", values=np.zeros((1, 1, 1)), text=np.frombuffer(b"[]", np.uint8))
    np.savez(tmp_path / "shape.npz", values=np.zeros(3), text=np.frombuffer(b"{}", np.uint8))
    for name in ("array.npy", "other.npz", "pickled.npz", "list.npz", "shape.npz", "."):
        with pytest.raises(InputError, match="does not hold a surface"):
            Surface.load(tmp_path / name)
    with pytest.raises(InputError, match="no such file"):
        Surface.load(tmp_path / "none.npz")


def test_plot_gives_a_figure_that_the_caller_can_change(surface):
    figure = surface.plot("lens", title="An answer")
    assert isinstance(figure, matplotlib.figure.Figure)
    assert figure.axes
