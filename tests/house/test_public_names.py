"""Both packages say what is public, and explain it."""

import ast
import importlib
import inspect
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = sorted(
    file for folder in ("sdk/steadylight", "server/steadylight_server") for file in (ROOT / folder).rglob("*.py")
)
FILES = PACKAGES + sorted(file for folder in ("tests", "examples") for file in (ROOT / folder).rglob("*.py"))
SDK = ROOT / "sdk/steadylight/__init__.py"
Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def shown(file: Path) -> str:
    return str(file.relative_to(ROOT))


def public(body: list[ast.stmt]) -> list[Definition]:
    return [node for node in body if isinstance(node, Definition) and not node.name.startswith("_")]


def promised(tree: ast.Module) -> set[str]:
    """Methods that a Protocol of the module explains; who keeps the promise need not repeat it."""
    protocols = [node for node in public(tree.body) if isinstance(node, ast.ClassDef) and "Protocol" in bases(node)]
    return {method.name for node in protocols for method in public(node.body) if ast.get_docstring(method)}


def bases(node: ast.ClassDef) -> set[str]:
    return {ast.unparse(base).partition("[")[0].rpartition(".")[2] for base in node.bases}


def is_explained(node: Definition) -> bool:
    """By a docstring, or by what a decorator says: `description=` is the docstring of what is in the graph."""
    says = {key.arg for call in node.decorator_list if isinstance(call, ast.Call) for key in call.keywords}
    is_overload = any(ast.unparse(decorator).endswith("overload") for decorator in node.decorator_list)
    return bool(ast.get_docstring(node)) or "description" in says or is_overload


def silent(tree: ast.Module, promises: set[str]) -> list[str]:
    """Public classes, functions and methods of public classes that nothing explains, with their line."""
    found = []
    for node in public(tree.body):
        methods = public(node.body) if isinstance(node, ast.ClassDef) else []
        found += [part for part in (node, *(m for m in methods if m.name not in promises)) if not is_explained(part)]
    return [f"{node.lineno} {node.name}" for node in found]


@pytest.fixture(scope="module")
def promises() -> set[str]:
    return set().union(*(promised(ast.parse(file.read_text())) for file in PACKAGES))


def test_silence_is_noticed() -> None:
    source = """
    def told(): "Said."
    def untold(): pass
    def _private(): pass
    @mutation(description="Said.")
    def described(): pass
    class Untold:
        def kept(self): pass
        def untold(self): pass
    """

    assert silent(ast.parse(inspect.cleandoc(source)), {"kept"}) == ["2 untold", "6 Untold", "8 untold"]


@pytest.mark.parametrize("file", FILES, ids=shown)
def test_every_module_says_what_it_is_for(file: Path) -> None:
    source = file.read_text()

    assert not source.strip() or ast.get_docstring(ast.parse(source))


@pytest.mark.parametrize("file", PACKAGES, ids=shown)
def test_every_public_class_and_function_is_explained(file: Path, promises: set[str]) -> None:
    assert silent(ast.parse(file.read_text()), promises) == []


def test_a_type_checker_sees_exactly_what_the_sdk_exports() -> None:
    sdk = importlib.import_module("steadylight")
    taken = [node for node in ast.walk(ast.parse(SDK.read_text())) if isinstance(node, ast.ImportFrom) and node.level]

    assert sorted(name.asname or name.name for node in taken for name in node.names) == sorted(sdk.__all__)


@pytest.mark.parametrize("name", ["steadylight.testing", "steadylight.integrations.starlette"])
def test_a_public_module_names_all_it_defines(name: str) -> None:
    module = importlib.import_module(name)
    own = {key for key, value in vars(module).items() if getattr(value, "__module__", None) == name}

    assert {key for key in own if not key.startswith("_")} <= set(module.__all__)
