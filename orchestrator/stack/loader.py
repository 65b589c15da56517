"""YAML to plain data with positions: libyaml's composer, YAML 1.2 core scalars, and bounds on what a file may cost.

`on`, `no`, `12:30` and `2024-01-01` are text. Tags are refused, `<<` merges, a key stands once.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import yaml

from orchestrator.errors import Diagnostic, StackError
from orchestrator.stack import pointer as json_pointer
from orchestrator.stack.document import Document, Place, holds_secrets, key_shown, pointer_shown, quote
from orchestrator.stack.garbage import uncollected

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_NODES: Final = 200_000
"""Keys and values a file may have, aliases counted each time they are used."""

MOST_DEPTH: Final = 64
_TOO_DEEP: Final = f"nested more than {MOST_DEPTH} levels deep"
_FLATTER: Final = "a stack file needs about 6"

_CONTROL: Final = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_COLON: Final = re.compile(r"(?:\s|#[^\n]*\n)*:")
_LEADING_TAB: Final = re.compile(r"[ ]*\t")

_STR, _NULL, _BOOL, _INT, _FLOAT, _MERGE = "str", "null", "bool", "int", "float", "merge"
_SEQ, _MAP = "seq", "map"
_CORE: Final = re.compile(
    r"(?P<null>~|null|Null|NULL|)"
    r"|(?P<bool>true|True|TRUE|false|False|FALSE)"
    r"|(?P<int>[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)"
    r"|(?P<float>[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))"
    r"|(?P<merge><<)"
)
"""YAML 1.2.2, section 10.3.2, and the merge key of YAML 1.1."""

_LEADING_ZERO: Final = re.compile(r"[-+]?0[0-9]+")
_INT64: Final = range(-(2**63), 2**63)
_SHOWN_DIGITS: Final = 19

_SYNTAX_HINTS: Final = {
    "mapping values are not allowed": "put text that holds ': ' in quotes, or correct the indentation",
    "could not find expected ':'": "end the key with ':' and a space",
    "did not find expected key": "align this line with the keys above it",
    "did not find expected '-' indicator": "align this line with the items above it",
    "found unexpected end of stream": "close the quote or bracket that is open here",
    "found unknown escape character": "write \\\\ for a backslash, or use single quotes",
    "found character that cannot start": "put text that begins with this character in quotes",
}


class _TooMuchError(Exception):
    """Raised when a document goes beyond a bound: what to say, and where."""

    def __init__(self, place: Place, message: str, hint: str, rule: str) -> None:
        super().__init__(message)
        self.place, self.message, self.hint, self.rule = place, message, hint, rule


def is_text(plain: str) -> bool:
    """Tell whether a scalar that stands without quotes is read as text: not as null, a boolean, a number or a merge."""
    return _CORE.fullmatch(plain) is None


def _place(node: yaml.Node) -> Place:
    return node.start_mark.line + 1, node.start_mark.column + 1


def _too_deep(node: yaml.Node) -> _TooMuchError:
    return _TooMuchError(_place(node), _TOO_DEEP, _FLATTER, "yaml-depth")


def _too_many(node: yaml.Node) -> _TooMuchError:
    return _TooMuchError(
        _place(node),
        f"more than {MOST_NODES} keys and values, those of aliases counted at each use",
        "an alias that repeats aliases grows beyond measure; else split the stack",
        "yaml-size",
    )


class _Composer(yaml.CSafeLoader):
    """libyaml's composer with core schema scalars; it stops at the bounds, where the stock one dies of deep nesting."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._depth = 0
        self._nodes = 0

    def descend_resolver(self, current_node: yaml.Node | None, current_index: object) -> None:  # noqa: ARG002 - theirs
        self._depth += 1
        self._nodes += 1
        if current_node is not None:
            if self._depth > MOST_DEPTH:
                raise _too_deep(current_node)
            if self._nodes > MOST_NODES:
                raise _too_many(current_node)

    def ascend_resolver(self) -> None:
        self._depth -= 1

    def resolve(self, kind: type[yaml.Node], value: str | None, implicit: tuple[bool, bool] | bool) -> str:  # noqa: FBT001 - theirs
        if kind is yaml.ScalarNode:
            if isinstance(implicit, tuple) and implicit[0]:
                match = _CORE.fullmatch(value or "")
                return (match.lastgroup or _STR) if match else _STR
            return _STR
        return _SEQ if kind is yaml.SequenceNode else _MAP


class _Walk:
    """One pass over the composed graph: plain data, two maps of places, and the mistakes on the way."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.text = text
        self.values: dict[str, Place] = {}
        self.keys: dict[str, Place] = {}
        self.mistakes: list[Diagnostic] = []
        self.faulty: set[str] = set()
        self._open: set[int] = set()
        self._nodes = 0

    def mistake(self, pointer: str, place: Place, message: str, hint: str, rule: str) -> None:
        self.mistakes.append(Diagnostic(self.file, *place, pointer, message, hint, rule))

    def fault(self, pointer: str, node: yaml.Node, message: str, hint: str, rule: str) -> None:
        """Record a mistake that leaves nothing of use at `pointer`."""
        self.faulty.add(pointer)
        self.mistake(pointer, _place(node), message, hint, rule)

    def value(self, node: yaml.Node, pointer: str, depth: int) -> object:
        self._nodes += 1
        if self._nodes > MOST_NODES:
            raise _too_many(node)
        if depth > MOST_DEPTH:
            raise _too_deep(node)
        self.values[pointer] = _place(node)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, pointer)
        if id(node) in self._open:
            self.fault(pointer, node, "this alias stands inside what it repeats", "write the value out", "yaml-alias")
            return None
        if node.tag not in {_SEQ, _MAP}:
            self._tag(node, pointer)
            return None
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.SequenceNode):
                return [
                    self.value(item, json_pointer.child(pointer, index), depth + 1)
                    for index, item in enumerate(node.value)
                ]
            return self._mapping(node, pointer, depth)
        finally:
            self._open.discard(id(node))

    def _mapping(self, node: yaml.Node, pointer: str, depth: int) -> dict[str, object]:
        entries = {key.value: (key, value) for key, value in self._merged(node, pointer)}
        own: dict[str, Place] = {}
        merges = 0
        for key, value in node.value:
            place = _place(key)
            if key.tag == _MERGE:
                merges += 1
                if merges > 1:
                    self.mistake(
                        pointer, place, 'the key "<<" stands twice', "merge a list: <<: [*a, *b]", "duplicate-key"
                    )
                continue
            if self._has_no_colon(key, value):
                self._bare(key, pointer)
                continue
            if not isinstance(key, yaml.ScalarNode) or key.tag != _STR:
                self._key(key, pointer)
                continue
            if key.value in own:
                line, column = own[key.value]
                shown = (*json_pointer.split(pointer), key.value)
                self.mistake(
                    json_pointer.child(pointer, key.value),
                    place,
                    f"the key {quote(key_shown(shown))} stands twice, first at {line}:{column}",
                    "remove one of them",
                    "duplicate-key",
                )
                continue
            own[key.value] = place
            entries[key.value] = (key, value)
        data: dict[str, object] = {}
        for name, (key, value) in entries.items():
            inner = json_pointer.child(pointer, name)
            self.keys[inner] = _place(key)
            data[name] = self.value(value, inner, depth + 1)
        return data

    def _merged(self, node: yaml.Node, pointer: str) -> Iterator[tuple[yaml.Node, yaml.Node]]:
        """Yield what `<<` brings into `node`, the weakest first."""
        if len(self._open) > 2 * MOST_DEPTH:
            raise _too_deep(node)
        for key, value in node.value:
            if key.tag != _MERGE:
                continue
            sources = list(reversed(value.value)) if isinstance(value, yaml.SequenceNode) else [value]
            for source in sources:
                if not isinstance(source, yaml.MappingNode) or id(source) in self._open:
                    self.mistake(
                        pointer,
                        _place(key),
                        '"<<" merges a table, or a list of tables',
                        "write <<: *anchor",
                        "yaml-merge",
                    )
                    continue
                self._open.add(id(source))
                try:
                    yield from self._merged(source, pointer)
                finally:
                    self._open.discard(id(source))
                for inner_key, inner_value in source.value:
                    self._nodes += 1
                    if self._nodes > MOST_NODES:
                        raise _too_many(source)
                    is_text = isinstance(inner_key, yaml.ScalarNode) and inner_key.tag == _STR
                    if is_text and not self._has_no_colon(inner_key, inner_value):
                        yield inner_key, inner_value

    def _has_no_colon(self, key: yaml.Node, value: yaml.Node) -> bool:
        """Tell whether an item of a table is but a word, which may be a secret: it is no key."""
        if value.tag != _NULL or value.start_mark.index != value.end_mark.index:
            return False
        return _COLON.match(self.text, key.end_mark.index, value.start_mark.index) is None

    def _bare(self, key: yaml.Node, pointer: str) -> None:
        misses = isinstance(key, yaml.ScalarNode) and ":" in key.value
        hint = "put a space after the colon" if misses else "write key: value, with a space after the colon"
        self.faulty.add(pointer)
        self.mistake(pointer, _place(key), "this is neither a key nor a value", hint, "key-without-colon")

    def _key(self, key: yaml.Node, pointer: str) -> None:
        if isinstance(key, yaml.ScalarNode):
            shown = "this key" if holds_secrets(json_pointer.split(pointer)) else quote(key.value)
            message, hint = f"{shown} is not text, and keys are", "put the key in quotes"
        else:
            message, hint = "a key is text, not a list or a table", "put the key in quotes if it begins with [ or {"
        self.mistake(pointer, _place(key), message, hint, "key-not-text")

    def _tag(self, node: yaml.Node, pointer: str) -> None:
        # The tag may be the beginning of a secret that was not put in quotes: it is not shown.
        self.fault(
            pointer, node, "tags (!name) are not used here", 'remove it, or put text in quotes: "!.."', "yaml-tag"
        )

    def _scalar(self, node: yaml.ScalarNode, pointer: str) -> object:
        text: str = node.value
        if node.tag == _STR:
            if "\0" in text:
                self.fault(pointer, node, "this text holds a NUL character", "remove the \\0", "control-character")
            return text
        if node.tag == _NULL:
            return None
        if node.tag == _BOOL:
            return text[0] in "tT"
        if node.tag == _INT:
            return self._integer(node, pointer)
        if node.tag == _FLOAT:
            number = float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
            if number in (float("inf"), float("-inf")) and text[-1].isdigit():
                self.fault(
                    pointer,
                    node,
                    f"{self._shown(text, pointer)} is too large",
                    "write a smaller number",
                    "number-range",
                )
            return number
        if node.tag == _MERGE:
            return text
        self._tag(node, pointer)
        return text

    def _integer(self, node: yaml.ScalarNode, pointer: str) -> int:
        text: str = node.value
        if _LEADING_ZERO.fullmatch(text):
            plain = text.lstrip("+-0") or "0"
            shown = self._shown(text, pointer)
            hint = "remove the zeros, or put it in quotes if it is text; octal is 0o17"
            if shown == text:
                hint = f'write {plain}, or "{text}" if it is text; octal is 0o{plain}'
            self.fault(
                pointer,
                node,
                f"{shown} begins with a zero, which readers of YAML understand differently",
                hint,
                "leading-zero",
            )
            return 0
        if len(text) > _SHOWN_DIGITS + 1 or int(text, 0) not in _INT64:
            self.fault(
                pointer,
                node,
                f"{self._shown(text, pointer)} does not fit 64 bits",
                "put it in quotes if it is text",
                "number-range",
            )
            return 0
        return int(text, 0)

    @staticmethod
    def _shown(text: str, pointer: str) -> str:
        if holds_secrets(json_pointer.split(pointer)):
            return "this number"
        return text if len(text) <= 2 * _SHOWN_DIGITS else f"{text[:_SHOWN_DIGITS]}…"


_BRACKETS: Final = {"parsing a flow sequence": ("[", "]"), "parsing a flow mapping": ("{", "}")}


def _fatal(file: str, place: Place, message: str, hint: str | None, rule: str) -> StackError:
    return StackError([Diagnostic(file, *place, "", message, hint, rule)])


def _syntax(file: str, text: str, error: yaml.YAMLError) -> StackError:
    """Return libyaml's complaint in our words; of the text it quotes at most nothing."""
    mark = None
    problem, context = "not understood", ""
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        problem = error.problem or error.context or problem
        context = error.context or ""
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    lines = text.split("\n")
    if line <= len(lines) and _LEADING_TAB.match(lines[line - 1]):
        tab = lines[line - 1].index("\t") + 1
        return _fatal(file, (line, tab), "this line is indented with a tab", "indent with spaces", "yaml-tab")
    if "maximum nesting depth" in problem:  # libyaml's own bound, of PyYAML 6.0.4 and later
        return _fatal(file, (line, column), _TOO_DEEP, _FLATTER, "yaml-depth")
    if "expected a single document" in context or "<document start>" in problem:
        return _fatal(
            file,
            (line, column),
            "a second document begins here",
            "a stack is one document: remove the ---",
            "yaml-documents",
        )
    if "alias" in problem:
        return _fatal(
            file, (line, column), "there is no anchor of this name above",
            "write &name before the value that *name repeats, or put text that begins with * in quotes", "yaml-alias",
        )  # fmt: skip
    if "duplicate anchor" in context:
        return _fatal(file, (line, column), "an anchor of this name stands above already", "rename one", "yaml-anchor")
    opened = next((signs for part, signs in _BRACKETS.items() if part in context), None)
    if opened is not None and isinstance(error, yaml.MarkedYAMLError) and error.context_mark is not None:
        begun = (error.context_mark.line + 1, error.context_mark.column + 1)
        message = f"not valid YAML: this {opened[0]} is not closed: at {line}:{column} there is neither a comma nor"
        return _fatal(
            file, begun, f"{message} {opened[1]}", f"add the comma there, or close it with {opened[1]}", "yaml-syntax"
        )
    hint = next((cure for part, cure in _SYNTAX_HINTS.items() if part in problem), "correct the YAML here")
    return _fatal(file, (line, column), f"not valid YAML: {problem}", hint, "yaml-syntax")


@uncollected()
def parse(file: str, text: str) -> Document:
    """Return the document that `text`, the content of `file`, holds.

    Raises:
        StackError: the text is not one YAML document within the bounds, so that nothing more can be said about it.
    """
    control = _CONTROL.search(text)
    if control is not None:
        line = text.count("\n", 0, control.start()) + 1
        column = control.start() - (text.rfind("\n", 0, control.start()) + 1) + 1
        code = f"U+{ord(control[0]):04X}"
        raise _fatal(file, (line, column), f"a control character stands here: {code}", "remove it", "control-character")
    composer = _Composer(text)
    walk = _Walk(file, text)
    try:
        node = composer.get_single_node()
        if node is None:
            raise _fatal(file, (1, 1), "the file is empty", "begin with version: 1 and network:", "empty-file")
        data = walk.value(node, "", 1)
    except _TooMuchError as error:
        raise _fatal(file, error.place, error.message, error.hint, error.rule) from None
    except yaml.YAMLError as error:
        raise _syntax(file, text, error) from None
    finally:
        composer.dispose()
    mistakes = tuple(replace(mistake, pointer=pointer_shown(mistake.pointer, data)) for mistake in walk.mistakes)
    return Document(file, data, walk.values, walk.keys, mistakes, frozenset(walk.faulty))
