"""The Python package as such, its stubs and its errors."""

import ast
import pickle
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

r2pac = pytest.importorskip("r2pac")
pytest.importorskip("r2pac._core", reason="the extension is not installed")


def test_importing_loads_nothing_compiled():
    program = "import sys, r2pac; print('r2pac._core' in sys.modules, 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_every_public_name_is_there():
    for name in r2pac.__all__:
        if name == "ReachAvoidEnv":
            pytest.importorskip("gymnasium")
        assert getattr(r2pac, name) is not None
    assert set(r2pac.__all__) <= set(dir(r2pac))
    with pytest.raises(AttributeError, match="no_such_name"):
        r2pac.no_such_name  # noqa: B018


def test_version_is_that_of_the_build():
    try:
        installed = metadata.version("r2pac")
    except metadata.PackageNotFoundError:
        pytest.skip("the package is found by a path, not installed")
    assert r2pac.__version__ == installed


def parameters(function: ast.FunctionDef) -> dict:
    """Names and defaults of the parameters, those by keyword alone apart."""
    arguments = function.args
    return {
        "names": [a.arg for a in arguments.args],
        "keywords": [a.arg for a in arguments.kwonlyargs],
        "others": arguments.kwarg is not None,
        "defaults": [ast.unparse(d) if d else None for d in [*arguments.defaults, *arguments.kw_defaults]],
    }


def check_function(stub: ast.FunctionDef, actual) -> None:
    """pybind11 begins a docstring with the signature."""
    signature = ast.parse(f"def {actual.__doc__.splitlines()[0]}: ...").body[0]
    assert parameters(stub) == parameters(signature), stub.name


def test_stubs_declare_what_is_there():
    from r2pac import _core

    stubs = ast.parse((Path(r2pac.__file__).parent / "_core.pyi").read_text())
    declared = {node.name: node for node in stubs.body if isinstance(node, (ast.ClassDef, ast.FunctionDef))}
    declared = {name: node for name, node in declared.items() if not name.startswith("_")}
    assert set(declared) == {name for name in vars(_core) if not name.startswith("_")}
    check_function(declared.pop("train"), _core.train)
    for name, stub in declared.items():
        actual = getattr(_core, name)
        fields = [node.target.id for node in stub.body if isinstance(node, ast.AnnAssign)]
        if hasattr(actual, "_fields"):
            assert tuple(fields) == actual._fields
            assert sum(node.value is not None for node in stub.body) == len(actual._field_defaults)
            continue
        functions = {node.name: node for node in stub.body if isinstance(node, ast.FunctionDef)}
        assert {*functions, *fields} - {"__init__"} == {n for n in vars(actual) if not n.startswith("_")}
        for method, node in functions.items():
            member = vars(actual)[method]
            if isinstance(member, property):
                assert [ast.unparse(d) for d in node.decorator_list] == ["property"], method
            else:
                check_function(node, getattr(actual, method))


def test_stubs_declare_the_settings_of_acting(robot_policy):
    stubs = ast.parse((Path(r2pac.__file__).parent / "_core.pyi").read_text())
    acting = next(node for node in stubs.body if isinstance(node, ast.ClassDef) and node.name == "_Acting")
    declared = {node.target.id for node in acting.body if isinstance(node, ast.AnnAssign)}
    with pytest.raises(r2pac.UsageError) as caught:
        robot_policy.configure(hidden=1)
    known = caught.value.todo.removeprefix("change how the policy acts: ").split(", ")
    assert declared == {*known, "candidates", "guidance", "threshold", "cost_limit"}


def test_everything_public_is_documented():
    for owner in (r2pac.Dataset, r2pac.Policy):
        for name, member in vars(owner).items():
            if not name.startswith("_"):
                assert (getattr(member, "__doc__", None) or "").strip(), f"{owner.__name__}.{name}"


def test_errors_survive_pickling_and_read_as_the_command_prints_them():
    error = pickle.loads(pickle.dumps(r2pac.DataError("it is empty", "a.hdf5", "give another")))
    assert isinstance(error, r2pac.Error)
    assert (error.where, error.todo, error.exit_code) == ("a.hdf5", "give another", 3)
    assert str(error) == "it is empty\n  where: a.hdf5\n  to do: give another"
