"""All errors form one tree, which is drawn where an engineer looks for it."""

import importlib
import pkgutil
import re

import core.errors
from core.errors import PaperboyError

PACKAGES = (
    "core",
    "issues",
    "subscribers",
    "emails",
    "delivery",
    "monitoring",
    "mailings",
    "bounces",
    "flows",
    "paperboy",
)


def drawn_tree() -> dict[str, tuple[str, str]]:
    """The parent and the module of each error in the drawing."""
    tree: dict[str, tuple[str, str]] = {}
    path = ["PaperboyError"]
    for line in (core.errors.__doc__ or "").splitlines():
        if found := re.fullmatch(r"([ │├└─]+) (\w+) +([\w.]+)", line):
            depth = len(found[1]) // 4 + 1
            path[depth:] = [found[2]]
            tree[found[2]] = (path[depth - 1], found[3])
    return tree


def raised_tree(root: type[Exception] = PaperboyError) -> dict[str, tuple[str, str]]:
    """The parent and the module of each error class of the product."""
    tree = {}
    for error in root.__subclasses__():
        if error.__module__.split(".")[0] in PACKAGES:
            tree[error.__name__] = (root.__name__, error.__module__)
            tree |= raised_tree(error)
    return tree


def test_the_drawing_of_the_errors_is_complete_and_right() -> None:
    for package in PACKAGES:
        folders = importlib.import_module(package).__path__
        for module in pkgutil.walk_packages(folders, f"{package}."):
            if "migrations" not in module.name:
                importlib.import_module(module.name)
    assert drawn_tree() == raised_tree()
