"""The flow of the design: each stage imports only what stands to its left."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import halluscope

ROOT = Path(halluscope.__file__).parent
SHARED = {"errors", "fields", "files", "folds", "progress", "records"}
STAGES = {
    "lm": set(),
    "surfaces": {"lm"},
    "features": {"lm", "surfaces"},
    "detector": {"lm", "surfaces", "features"},
    "explain": {"lm", "surfaces", "features", "detector"},
    "evaluation": {"lm", "surfaces", "features", "detector"},
    "scoring": {"lm", "surfaces", "features", "detector"},
    "distributed": {"lm", "surfaces", "features", "detector", "scoring"},
}
#: Methods that users call on an early object to reach a later stage.
DOORS = {
    ("lm.language_model", "LanguageModel.surface"),
    ("surfaces.surface", "Surface.plot"),
    ("detector.detection", "Detection.plot"),
}
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts): ast.parse(path.read_text("utf-8"))
    for path in sorted(ROOT.rglob("*.py"))
}


def targets(node):
    """Names of our own modules that an import statement loads."""
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, f"relative import in line {node.lineno}"
        inner = [f"{node.module}.{alias.name}" for alias in node.names]
        names = [name if name.removeprefix("halluscope.") in MODULES else node.module for name in inner]
    else:
        names = []
    return {name.removeprefix("halluscope.") for name in names if name.startswith("halluscope.")}


def is_for_types(node):
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def imports(tree):
    """Every import of our own as (target, function it stands in or "", only for types)."""

    def walk(node, function, for_types):
        for target in targets(node):
            yield target, function, for_types
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            function = f"{function}.{node.name}".lstrip(".")
        for child in ast.iter_child_nodes(node):
            yield from walk(child, function, for_types or is_for_types(node))

    return list(walk(tree, "", False))


def stage(module):
    return module.split(".")[0]


@pytest.mark.parametrize("name", [name for name in MODULES if stage(name) in STAGES])
def test_a_stage_imports_only_what_stands_to_its_left(name):
    allowed = STAGES[stage(name)] | SHARED | {stage(name)}
    for target, function, for_types in imports(MODULES[name]):
        if not for_types and (name, function) not in DOORS:
            assert stage(target) in allowed, f"{name} imports {target} in {function or 'the module'}"


@pytest.mark.parametrize("name", sorted(SHARED))
def test_shared_modules_know_no_stage(name):
    assert {stage(target) for target, _, _ in imports(MODULES[name])} <= SHARED


def test_every_door_is_one():
    for name, function in DOORS:
        found = [t for t, where, _ in imports(MODULES[name]) if where == function]
        assert found, f"{function} opens no door any more"


def test_no_import_goes_in_a_circle():
    def home(target):
        return target if target in MODULES else f"{target}.__init__"

    graph = {
        name: {home(t) for t, function, for_types in imports(tree) if not function and not for_types}
        for name, tree in MODULES.items()
    }
    assert all(target in MODULES for found in graph.values() for target in found)
    TopologicalSorter(graph).prepare()  # raises CycleError


def test_every_stage_has_its_folder_and_nothing_is_called_utils():
    assert set(STAGES) <= {path.name for path in ROOT.iterdir()}
    for name in MODULES:
        assert not {"utils", "util", "helpers", "common", "misc"} & set(name.split("."))


def test_importing_halluscope_is_light():
    code = (
        "import sys; import halluscope; halluscope.HalluscopeError; dir(halluscope); "
        "print({'torch', 'transformers', 'sklearn', 'matplotlib', 'numpy'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"


def test_every_public_name_is_there():
    for name in halluscope.__all__:
        assert getattr(halluscope, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = halluscope.nothing
