"""Read a YAML or JSON file, more strictly than its parser does.

A configuration is read here before anything is built on it.  What a parser
would pass over in silence (a key given twice, a second document) or stop at
with a traceback (an impossible date, another encoding) is a fault with its
line and a remedy.  All faults of one kind are found in one pass.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ..base.errors import ConfigFailure, WorkflowFailure, refuse
from .text_files import fault, read_text

MAX_DEPTH = 50
# With aliases a short file can describe a value that fills the memory.
MAX_VALUES = 500_000
# With libyaml, where PyYAML was built with it, a long file takes a tenth of the time.
BASE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
PREFIX = "tag:yaml.org,2002:"
# Kinds of values that only YAML knows.
ODD_KINDS = {"timestamp": "a date", "binary": "binary data", "set": "a set"}
ODD_KINDS |= {"omap": "an ordered mapping", "pairs": "a list of pairs"}


class LoadedConfig(dict):
    """A configuration, with the line of each key of its file: `hpc.cpus` -> 12."""

    def __init__(self, content: dict, lines: dict[str, str]) -> None:
        super().__init__(content)
        self.lines = lines


def read_config(path: Path) -> LoadedConfig:
    """The mapping in a configuration file, and the lines of its keys.

    Raises `ConfigFailure` where the file cannot be read, or is not one YAML or
    JSON mapping.
    """
    named_by = "--configfile (or --config, with bidsloom)"
    return parse_config(path, read_text(path, what="The config file", named_by=named_by))


def parse_config(path: Path, text: str) -> LoadedConfig:
    """The mapping in a text that is, or may become, the configuration file at `path`.

    Raises `ConfigFailure` where it is not one YAML or JSON mapping.
    """
    content, lines = parse_text(path, text)
    if content is None:
        raise fault(path, "is empty", "start from config/template.yaml.")
    if not isinstance(content, dict):
        kind = "a list" if isinstance(content, list) else "a single value"
        raise fault(path, f"holds {kind}; expected: keys with values", "write `key: value`.")
    if "__use_yte__" in content:
        raise fault(
            path,
            "has the key __use_yte__, with which Snakemake would run code that is in the file",
            "delete the key, and write the values themselves.",
        )
    return LoadedConfig(content, {key: f"{path.name}, line {n}" for key, n in lines.items()})


def read_key_lines(paths: Iterable[Path], *, given: Iterable[str] = ()) -> dict[str, str]:
    """The lines of the keys of several configuration files; the last file's count.

    Snakemake reads the files once more, and joins them.  Keys that were
    `given` on its command line are of no file.

    Raises `ConfigFailure` with the faults of all files.
    """
    lines: dict[str, str] = {}
    problems: list[WorkflowFailure] = []
    for path in paths:
        try:
            lines |= read_config(path).lines
        except ConfigFailure as e:
            problems += e.problems
    refuse(problems)
    sections = set(given)
    return {key: line for key, line in lines.items() if key.partition(".")[0] not in sections}


def load_file(path: Path, *, what: str, named_by: str) -> tuple[Any, dict[str, int]]:
    """The value in a YAML or JSON file, and the lines of its keys.

    Raises `ConfigFailure`; `what` the file is, and the option or key that it
    is `named_by`, are for its message.
    """
    return parse_text(path, read_text(path, what=what, named_by=named_by))


def parse_text(path: Path, text: str) -> tuple[Any, dict[str, int]]:
    """The value in the text of a YAML or JSON file, and the lines of its keys."""
    if path.suffix.lower() == ".json" or text.lstrip().startswith(("{", "[")):
        try:
            return load_json(path, text)
        except json.JSONDecodeError as e:
            # A mapping of YAML may start with a brace, too.
            if path.suffix.lower() == ".json":
                hint = "look at that place: a comma or a quotation mark is often missing."
                raise fault(path, f"is not valid JSON: {e.msg}", hint, line=e.lineno) from e
    return load_yaml(path, text)


# --- JSON ---------------------------------------------------------------------


def load_json(path: Path, text: str) -> tuple[Any, dict[str, int]]:
    """The value in a JSON text; the lines of its keys are not known.

    Raises `ConfigFailure`, or `json.JSONDecodeError` where it is no JSON.
    """
    twice: list[str] = []

    def mapping(pairs: list[tuple[str, Any]]) -> dict:
        names = [name for name, _ in pairs]
        twice.extend(dict.fromkeys(name for name in names if names.count(name) > 1))
        return dict(pairs)

    def refuse_constant(word: str) -> None:
        raise fault(path, f"holds {word}, which is no number of JSON", "write a number.")

    try:
        content = json.loads(text, object_pairs_hook=mapping, parse_constant=refuse_constant)
    except RecursionError as e:
        raise too_deep(path) from e
    except json.JSONDecodeError:
        raise
    except ValueError as e:  # an integer of thousands of digits
        raise fault(path, "holds a number that is too long", "write a smaller number.") from e
    if twice:
        places = [line_numbers(text, name) for name in twice]
        raise ConfigFailure(
            [repeated(path, name, *found) for name, found in zip(twice, places, strict=True)]
        )
    return content, {}


def line_numbers(text: str, name: str) -> tuple[int, int]:
    """Where a key stands first and last in a JSON text."""
    found = [m.start() for m in re.finditer(re.escape(json.dumps(name)) + r"\s*:", text)] or [0]
    return text.count("\n", 0, found[0]) + 1, text.count("\n", 0, found[-1]) + 1


def repeated(path: Path, key: str, first: int, second: int) -> WorkflowFailure:
    """The fault of a key that is given twice; all but the last would be ignored."""
    return WorkflowFailure(
        f"The file {path}, line {second}, gives {key!r} a second time; the first is in line "
        f"{first}.",
        hint="delete one of the two, or join their values.",
    )


def too_deep(path: Path, line: int | None = None) -> ConfigFailure:
    """The failure for a file whose values are nested without end."""
    what = f"holds more than {MAX_DEPTH} lists or mappings inside each other"
    return fault(path, what, "look for brackets that are not closed.", line=line)


# --- YAML ---------------------------------------------------------------------


class StrictLoader(BASE):
    """Builds plain values, and collects what it finds wrong."""

    def __init__(self, text: str, path: Path) -> None:
        super().__init__(text)
        self.path = path
        self.faults: list[WorkflowFailure] = []

    def construct_mapping(self, node: Any, deep: bool = False) -> dict:
        """A mapping; a key that is given twice is a fault."""
        if isinstance(node, yaml.MappingNode):
            seen: dict[tuple[str, str], int] = {}
            for key, _ in node.value:
                if not isinstance(key, yaml.ScalarNode):
                    self.add(key, "has a list or a mapping as a key", "write a text as the key.")
                    continue
                line = key.start_mark.line + 1
                name = (key.tag, key.value)
                if name in seen and key.tag != f"{PREFIX}merge":
                    self.faults.append(repeated(self.path, key.value, seen[name], line))
                seen[name] = line
            node.value = [pair for pair in node.value if isinstance(pair[0], yaml.ScalarNode)]
        return super().construct_mapping(node, deep=deep)

    def add(self, node: Any, what: str, hint: str) -> None:
        """Note a fault at a node."""
        line = node.start_mark.line + 1
        self.faults.append(
            WorkflowFailure(f"The file {self.path}, line {line}, {what}.", hint=hint)
        )

    def construct_odd(self, node: Any) -> Any:
        """A value of a kind that no key takes."""
        kind = ODD_KINDS.get(node.tag.removeprefix(PREFIX), f"a value with the tag {node.tag}")
        if isinstance(node, yaml.ScalarNode):
            hint = f'put it in quotes, "{" ".join(node.value.split())[:80]}".'
        else:
            hint = "write a list or a mapping, without a tag."
        self.add(node, f"holds {kind} for YAML", hint)
        return ""

    def construct_number(self, node: Any) -> Any:
        """A number; one that Python cannot read is a fault."""
        build = self.construct_yaml_int if node.tag.endswith(":int") else self.construct_yaml_float
        try:
            return build(node)
        except (ValueError, OverflowError):
            self.add(node, "holds a number that cannot be read", "write a smaller number.")
            return 0


for _kind in ODD_KINDS:
    StrictLoader.add_constructor(PREFIX + _kind, StrictLoader.construct_odd)
for _kind in ("int", "float"):
    StrictLoader.add_constructor(PREFIX + _kind, StrictLoader.construct_number)
StrictLoader.add_constructor(None, StrictLoader.construct_odd)


def load_yaml(path: Path, text: str) -> tuple[Any, dict[str, int]]:
    """The value in a YAML text, and the lines of its keys.  Raises `ConfigFailure`."""
    try:
        check_events(path, text)
        loader = StrictLoader(text, path)
        node = loader.get_single_node()
        content = loader.construct_document(node) if node else None
    except yaml.MarkedYAMLError as e:
        mark = e.problem_mark or e.context_mark
        problem = " ".join(str(e.problem or e.context).split())
        hint = "look at that line and the one before; often a space after a colon, a quotation "
        hint += "mark or a bracket is missing, or a tab stands in place of blanks."
        line = mark.line + 1 if mark else None
        raise fault(path, f"is not valid YAML: {problem}", hint, line=line) from e
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as e:
        what = f"is not valid YAML: {' '.join(str(e).split())[:200]}"
        raise fault(path, what, "compare it with config/template.yaml.") from e
    if loader.faults:
        raise ConfigFailure(loader.faults)
    return content, dict(lines_of(node)) if node else {}


def check_events(path: Path, text: str) -> None:
    """Refuse what would take a reader of values too far: depth, self-reference, aliases.

    Raises `ConfigFailure`, and `yaml.YAMLError` where it is no YAML.
    """
    documents, total = 0, 0
    opened: list[OpenNode] = []
    closed: dict[str, OpenNode] = {}
    for event in yaml.parse(text, Loader=BASE):
        line = event.start_mark.line + 1 if event.start_mark else 0
        height = 0
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                hint = "delete the line '---', or what follows it; one file is one study."
                raise fault(path, "starts a second document", hint, line=line)
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor in (node.anchor for node in opened):
                hint = f"write the value in place of *{event.anchor}."
                raise fault(path, f"uses *{event.anchor} inside itself", hint, line=line)
            if event.anchor in closed:
                total += closed[event.anchor].size
                height = closed[event.anchor].height
        elif isinstance(event, yaml.CollectionStartEvent):
            opened.append(OpenNode(event.anchor, total))
        elif isinstance(event, yaml.CollectionEndEvent):
            node = opened.pop()
            total += 1
            node.size, height = total - node.size, node.height + 1
            node.height = height
            if node.anchor:
                closed[node.anchor] = node
        elif isinstance(event, yaml.ScalarEvent):
            total += 1
        if len(opened) + height > MAX_DEPTH:
            raise too_deep(path, line)
        if opened:
            opened[-1].height = max(opened[-1].height, height)
        if total > MAX_VALUES:
            hint = "write the values without aliases (&name and *name)."
            raise fault(path, "has too many values", hint, line=line)


@dataclass
class OpenNode:
    """A list or a mapping: its anchor, its size in values, and how deep it is.

    Until it is closed, `size` is the number of values before it.
    """

    anchor: str | None
    size: int
    height: int = 0


def lines_of(node: Any, prefix: str = "") -> Iterator[tuple[str, int]]:
    """Each key below a node, in dots, with its line."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            name = f"{prefix}{key.value}"
            yield name, key.start_mark.line + 1
            yield from lines_of(value, f"{name}.")
    elif isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            yield f"{prefix}{number}", item.start_mark.line + 1
            yield from lines_of(item, f"{prefix}{number}.")


def key_of(problem: WorkflowFailure) -> str:
    """The key that the message of a fault starts with."""
    return problem.message.split(" ", 1)[0].rstrip(":,.")


def place_faults(
    problems: list[WorkflowFailure], lines: Mapping[str, str]
) -> list[WorkflowFailure]:
    """The same faults; one whose message starts with a key of a file names its line."""
    for problem in problems:
        key = key_of(problem)
        while key and key not in lines:
            key = key.rpartition(".")[0]
        if key:
            problem.message = f"{problem.message.removesuffix('.')} ({lines[key]})."
            problem.args = (problem.message,)
    return problems
