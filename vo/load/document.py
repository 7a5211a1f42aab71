"""The YAML of a release as nodes that know their line; problems are collected, to be told all at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from vo.catalog import nearest
from vo.errors import LoadError

OUR_PREFIXES = ("ivoa", "fits", "votable", "tap")
"""Prefixes of keys that mean something here; `mysql:` and the like are another tool's and let pass."""

_TAG = "tag:yaml.org,2002:"
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(slots=True)
class Problems:
    """What is wrong in one release, with the lines of its YAML."""

    path: Path
    found: list[tuple[int, str]] = field(default_factory=list)

    def add(self, line: int, message: str) -> None:
        """Note a problem; lines count from 1, line 0 is the file as a whole."""
        self.found.append((line, message))

    def check(self) -> None:
        """Raise one LoadError with every problem in the order of the lines, if there is any."""
        if not self.found:
            return
        count = len(self.found)
        places = [
            f"  {self.path.name}{f', line {line}' if line else ''}: {text}"
            for line, text in sorted(self.found, key=lambda item: item[0])
        ]
        message = (
            f"The release in {self.path.parent} has {'a problem' if count == 1 else f'{count} problems'}:"
        )
        raise LoadError(message, hint="\n" + "\n".join(places))


def documents(path: Path, problems: Problems) -> list[yaml.Node]:
    """The root node of each YAML document of the file; a file that is not YAML is a problem."""
    try:
        text = path.read_text(encoding="utf-8")
        for event in yaml.parse(text, Loader=_Loader):
            if isinstance(event, yaml.AliasEvent):
                # A few lines of aliases of aliases stand for billions of nodes.
                problems.add(event.start_mark.line + 1, f"The alias *{event.anchor} is not supported.")
        problems.check()
        return list(yaml.compose_all(text, Loader=_Loader))
    except OSError as error:
        problems.add(0, f"The file cannot be read: {error.strerror}.")
    except UnicodeDecodeError as error:
        problems.add(0, f"The file is not UTF-8: {error.reason} at byte {error.start}.")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problems.add(mark.line + 1 if mark else 0, f"This is not YAML: {error.problem or error.context}.")
    except yaml.YAMLError as error:
        problems.add(0, f"This is not YAML: {error}.")
    return []


def line_of(node: yaml.Node) -> int:
    """The line of a node, counted from 1."""
    return int(node.start_mark.line) + 1


class Fields:
    """The values of one mapping by key; unknown, repeated and ill-typed ones are problems.

    A value that is not of the form asked for is told once and then reads as absent.
    """

    def __init__(self, node: yaml.Node, known: Sequence[str], problems: Problems, *, what: str) -> None:
        self.line = line_of(node)
        self.what = what
        self._problems = problems
        self._known = known
        self._values: dict[str, yaml.Node] = {}
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                self._take(key, value)
        else:
            problems.add(self.line, f"A {what} is a mapping of keys to values.")

    def _take(self, key: yaml.Node, value: yaml.Node) -> None:
        name = key.value if isinstance(key, yaml.ScalarNode) else "?"
        if name in self._values:
            self._problems.add(line_of(key), f"The key `{name}` is given twice.")
        elif name in self._known:
            self._values[name] = value
        elif not _is_foreign(name):
            close = nearest(name, self._known, 1)
            advice = f"did you mean `{close[0]}`?" if close else f"known are {', '.join(self._known)}."
            self._problems.add(line_of(key), f"A {self.what} has no key `{name}`; {advice}")

    def __contains__(self, key: str) -> bool:
        """Whether the key was given, in whatever form."""
        return key in self._values

    def line_at(self, key: str) -> int:
        """The line of the value of `key`, or of the mapping where the key is absent."""
        return line_of(self._values[key]) if key in self._values else self.line

    def problem(self, key: str, message: str) -> None:
        """Note a problem at the value of `key`."""
        self._problems.add(self.line_at(key), message)

    def text(self, key: str) -> str | None:
        """A text that is not empty, without blanks around it; None: absent."""
        value = self._scalar(key, ("str",), "a text (in quotes where YAML takes it for something else)")
        return (value.strip() or None) if value is not None else None

    def word(self, key: str) -> str | None:
        """A text, number or date as it is written; None: absent, or no single value."""
        node = self._values.get(key)
        return (node.value.strip() or None) if isinstance(node, yaml.ScalarNode) else None

    def required(self, key: str) -> str:
        """A text that must be there; "" where it is not, which is a problem."""
        if key not in self._values:
            self._problems.add(self.line, f"This {self.what} lacks the key `{key}`.")
            return ""
        value = self.text(key)
        if value is None and isinstance(self._values[key], yaml.ScalarNode) and not self._values[key].value:
            self.problem(key, f"The key `{key}` is empty.")
        return value or ""

    def any_text(self, key: str) -> str | None:
        """A number or a text, as it was written; None: absent."""
        return self._scalar(key, ("str", "int", "float"), "a text or a number")

    def integer(self, key: str) -> int | None:
        """A whole number that is not negative; None: absent."""
        value = self._scalar(key, ("int",), "a whole number")
        if value is None:
            return None
        if not value.isdecimal():
            self.problem(key, f"`{key}` must be a whole number, not `{value}`.")
            return None
        return int(value)

    def flag(self, key: str, *, default: bool) -> bool:
        """True or false, or 1 or 0 as TAP_SCHEMA writes them (TAP 1.1, 4.3)."""
        value = self._scalar(key, ("bool", "int"), "true or false")
        if value is None:
            return default
        if value.lower() not in ("true", "false", "yes", "no", "on", "off", "0", "1"):
            self.problem(key, f"`{key}` must be true or false, not `{value}`.")
        return value.lower() in ("true", "yes", "on", "1")

    def texts(self, key: str) -> tuple[str, ...]:
        """One text or a list of texts; (): absent."""
        node = self._values.get(key)
        if isinstance(node, yaml.SequenceNode):
            if all(_is(item, ("str",)) for item in node.value):
                return tuple(item.value for item in node.value)
            self.problem(key, f"`{key}` must be a list of texts.")
            return ()
        value = self.text(key)
        return () if value is None else (value,)

    def items(self, key: str) -> Iterator[yaml.Node]:
        """The nodes of a list; none where the key is absent."""
        node = self._values.get(key)
        if isinstance(node, yaml.SequenceNode):
            yield from node.value
        elif node is not None:
            self.problem(key, f"`{key}` must be a list (lines that begin with `- `).")

    def _scalar(self, key: str, tags: tuple[str, ...], form: str) -> str | None:
        node = self._values.get(key)
        if node is None or _is(node, ("null",)):
            return None
        if not _is(node, tags):
            shown = f"`{node.value}`" if isinstance(node, yaml.ScalarNode) else "a list or mapping"
            self.problem(key, f"`{key}` must be {form}, not {shown}.")
            return None
        return str(node.value)


def _is(node: yaml.Node, tags: tuple[str, ...]) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag in {_TAG + tag for tag in tags}


def _is_foreign(key: str) -> bool:
    """Whether a key is another tool's: a JSON-LD keyword or of a prefix that is not nearly one of ours."""
    prefix, colon, _ = key.partition(":")
    return key.startswith("@") or bool(
        colon and prefix not in OUR_PREFIXES and not nearest(prefix, OUR_PREFIXES)
    )
