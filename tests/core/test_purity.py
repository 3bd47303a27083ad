"""core/ imports nothing but the standard library's pure parts, and asks no clock; the import contracts forbid by name, this allows by name."""

import ast
from pathlib import Path

import pytest

CORE = Path(__file__).parents[2] / "broker/core"
PURE = {
    "collections.abc",
    "dataclasses",
    "datetime",
    "enum",
    "hashlib",
    "hmac",
    "math",
    "re",
    "types",
    "typing",
}
IMPURE_NAMES = {"open", "print", "input", "exec", "eval", "__import__"}
CLOCKS = {"now", "utcnow", "today"}


@pytest.mark.parametrize("path", sorted(CORE.glob("*.py")), ids=lambda path: path.name)
def test_a_file_of_core_is_pure(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            assert {alias.name for alias in node.names} <= PURE
        elif isinstance(node, ast.ImportFrom):
            assert node.module in PURE or (node.module or "").startswith("broker.core")
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in IMPURE_NAMES
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            of_datetime = isinstance(node.func.value, ast.Name) and node.func.value.id in {"datetime", "date"}
            assert not (of_datetime and node.func.attr in CLOCKS)
        else:
            assert not isinstance(node, ast.Await | ast.AsyncFor | ast.AsyncWith)
