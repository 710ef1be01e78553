"""Which participants an expression is true of.

The expression (`subjects.where`) is a user's text, and pandas' `query`
evaluates it.  `query` can call functions, follow attributes and read variables
of this program, so it never gets the text itself.  We parse the text, and write
a new one from the few things that are allowed: columns (with names of ours),
numbers, texts, comparisons, `and`, `or`, `not` and the four kinds of arithmetic.

A missing value (`n/a`) makes every comparison false, also a negated one;
`column == 'n/a'` finds it.
"""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from typing import TYPE_CHECKING

from ..base.errors import WorkflowFailure
from ..base.text import a_few

if TYPE_CHECKING:
    import pandas as pd

MISSING = "n/a"
# With a leading zero it is a label: 007 is not a number.
NUMBER = r"[+-]?(?!0\d)(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"
COMPARISONS = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.In: "in",
    ast.NotIn: "not in",
}
OPPOSITES = {"==": "!=", "<": ">=", ">": "<=", "in": "not in"}
OPPOSITES |= {no: yes for yes, no in OPPOSITES.items()}
ARITHMETIC = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
EXAMPLE = "for example: group == 'patient' and age > 40"
BACKTICKS = "write a column name with other characters than letters, digits and _ as `a b`"


class Kind(Enum):
    """What a value is."""

    NUMBER = "a number"
    TEXT = "text"


@dataclass(frozen=True)
class Value:
    """One side of a comparison: its text for pandas, and the columns it is made of."""

    text: str
    kind: Kind
    columns: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.columns[0] if self.columns else self.text


class Refusal(Exception):
    """What is wrong with an expression, and what to write instead."""

    def __init__(self, why: str, hint: str = EXAMPLE) -> None:
        super().__init__(why, hint)
        self.why = why
        self.hint = hint


def find_true(expression: str, table: pd.DataFrame, *, source: str) -> frozenset[str]:
    """Labels of the rows of a table for which an expression is true; all cells are texts.

    Raises `WorkflowFailure`, with the expression and the known columns, where it
    cannot be evaluated.
    """
    places = {str(name): f"c{n}" for n, name in enumerate(table.columns)}
    kinds = {str(name): kind_of(column) for name, column in table.items()}
    try:
        query = translate(expression, kinds, places)
        return frozenset(prepare(table, kinds, places).query(query, engine="python").index)
    except Refusal as e:
        refusal = e
    except ArithmeticError as e:
        refusal = Refusal(f"it cannot be calculated ({e})")
    except RecursionError:
        refusal = Refusal("it is too deeply nested")
    raise WorkflowFailure(
        f"subjects.where is {expression!r}: {refusal.why}. "
        f"Columns of participants.tsv in {source}: {a_few(list(kinds), 30)}.",
        hint=refusal.hint,
    )


def kind_of(column: pd.Series) -> Kind | None:
    """The kind of a column: numbers if all its values are numbers; None if it has no values."""
    given = column.dropna()
    if given.empty:
        return None
    return Kind.NUMBER if given.str.fullmatch(NUMBER).all() else Kind.TEXT


def prepare(
    table: pd.DataFrame, kinds: Mapping[str, Kind | None], places: Mapping[str, str]
) -> pd.DataFrame:
    """The table with our column names and types, and columns that mark missing values."""
    import pandas as pd

    columns = {}
    for name, place in places.items():
        column = table[name]
        number = kinds[name] is Kind.NUMBER
        columns[place] = pd.to_numeric(column) if number else column.fillna("").astype(object)
        columns[f"{place}_missing"] = column.isna()
    return pd.DataFrame(columns, index=table.index)


def translate(expression: str, kinds: Mapping[str, Kind | None], places: Mapping[str, str]) -> str:
    """The expression that pandas gets, made only of what is allowed.

    Raises `Refusal` where it contains anything else.
    """
    quoted: list[str] = []
    text = replace_marks(expression, quoted)
    try:
        tree = ast.parse(f"({text}\n)", mode="eval")
    except SyntaxError as e:
        equals = re.search(r"[^=!<>]=[^=]", text)
        hint = "two things are equal by ==, not =" if equals else f"{EXAMPLE}; {BACKTICKS}"
        raise Refusal(f"it cannot be read ({e.msg})", hint) from e
    except (ValueError, MemoryError) as e:
        raise Refusal("it cannot be read") from e
    return Translator(kinds, places, quoted).truth(tree.body, negated=False)


def replace_marks(expression: str, quoted: list[str]) -> str:
    """An expression that Python can parse, without pandas' `&`, `|`, `~` and backticks.

    Names between backticks are added to `quoted`, and become `_0_`, `_1_`, ...
    """

    def replace(match: re.Match) -> str:
        mark = match[0]
        if mark in "&|~":
            return {"&": " and ", "|": " or ", "~": " not "}[mark]
        if mark.startswith("`"):
            quoted.append(mark[1:-1])
            return f" _{len(quoted) - 1}_ "
        return mark

    strings = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""
    return re.sub(rf"{strings}|`[^`]*`|[&|~]", replace, expression)


@dataclass(frozen=True)
class Translator:
    """Writes a syntax tree as pandas' text; raises `Refusal` for what it does not know."""

    kinds: Mapping[str, Kind | None]
    places: Mapping[str, str]
    quoted: list[str]

    def truth(self, node: ast.expr, *, negated: bool) -> str:
        """A condition, or its opposite.

        `not` is applied to the comparisons themselves, since a missing value
        makes both a comparison and its opposite false.
        """
        match node:
            case ast.BoolOp(op=op, values=values):
                word = "and" if isinstance(op, ast.And) is not negated else "or"
                return f" {word} ".join(f"({self.truth(v, negated=negated)})" for v in values)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return self.truth(operand, negated=not negated)
            case ast.Compare(left=left, ops=ops, comparators=others):
                word = " or " if negated else " and "
                pairs = zip(pairwise([left, *others]), ops, strict=True)
                return word.join(
                    f"({self.comparison(a, COMPARISONS.get(type(op)), b, negated=negated)})"
                    for (a, b), op in pairs
                )
            case ast.Name() | ast.Constant() | ast.BinOp() | ast.UnaryOp():
                self.value(node)
                raise Refusal("its result is not true or false")
        raise self.unknown(node)

    def comparison(self, a: ast.expr, sign: str | None, b: ast.expr, *, negated: bool) -> str:
        """Two values compared, where neither is missing."""
        if sign is None:
            raise Refusal("it contains a comparison that is not allowed")
        if sign in ("in", "not in"):
            return self.membership(a, b, negated=negated is not (sign == "not in"))
        sign = OPPOSITES[sign] if negated else sign
        if isinstance(a, ast.Constant) and a.value == MISSING:
            a, b = b, a
        if isinstance(b, ast.Constant) and b.value == MISSING and isinstance(a, ast.Name):
            if sign not in ("==", "!="):
                raise Refusal(
                    f"a missing value ({MISSING}) is neither more nor less than another one"
                )
            return f"{'not ' if sign == '!=' else ''}{self.places[self.column(a)]}_missing"
        left, right = self.value(a), self.value(b)
        if not (left.columns or right.columns):
            raise Refusal("it compares two constants, and no column")
        if left.kind is not right.kind:
            raise self.mismatch(left, right)
        guards = [f"(not {self.places[name]}_missing)" for name in left.columns + right.columns]
        return " and ".join([f"({left.text} {sign} {right.text})", *dict.fromkeys(guards)])

    def membership(self, a: ast.expr, b: ast.expr, *, negated: bool) -> str:
        """A value that is, or is not, one of a list."""
        if not isinstance(b, ast.List | ast.Tuple) or not b.elts:
            raise Refusal("there is no list after `in`", "for example: site in ['A', 'B']")
        word = " and " if negated else " or "
        return word.join(f"({self.comparison(a, '==', e, negated=negated)})" for e in b.elts)

    def value(self, node: ast.expr) -> Value:
        """A number or a text."""
        match node:
            case ast.Name():
                name = self.column(node)
                if (kind := self.kinds[name]) is None:
                    raise Refusal(f"the column {name} has only missing values ({MISSING})")
                return Value(self.places[name], kind, (name,))
            case ast.Constant(value=str(text)):
                # pandas also looks inside of texts for these characters.
                safe = re.sub("[`@#&|=]", lambda m: f"\\x{ord(m[0]):02x}", repr(text))
                return Value(safe, Kind.TEXT)
            case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
                return Value(repr(float(number)), Kind.NUMBER)
            case ast.Constant(value=bool() as word):
                raise Refusal(f"{word} is not a value of a table", f"write it in quotes: '{word}'")
            case ast.UnaryOp(op=ast.USub() | ast.UAdd() as op, operand=operand):
                value = self.number(operand)
                sign = "-" if isinstance(op, ast.USub) else "+"
                return Value(f"({sign}{value.text})", Kind.NUMBER, value.columns)
            case ast.BinOp(left=a, op=op, right=b) if type(op) in ARITHMETIC:
                left, right = self.number(a), self.number(b)
                text = f"({left.text} {ARITHMETIC[type(op)]} {right.text})"
                return Value(text, Kind.NUMBER, left.columns + right.columns)
            case ast.List() | ast.Tuple():
                raise Refusal("it compares with a list", "for example: site in ['A', 'B']")
        raise self.unknown(node)

    def number(self, node: ast.expr) -> Value:
        """A value for arithmetic."""
        value = self.value(node)
        if value.kind is not Kind.NUMBER:
            raise Refusal(f"it calculates with {value}, which is text")
        return value

    def column(self, node: ast.Name) -> str:
        """The column that a name means."""
        name = node.id
        if match := re.fullmatch(r"_(\d+)_", name):
            name = self.quoted[int(match[1])] if int(match[1]) < len(self.quoted) else name
        if name not in self.kinds:
            close = difflib.get_close_matches(name, self.kinds, n=1)
            hint = f"did you mean {close[0]}? " if close else ""
            hint += f"Write a value in quotes: '{name}'; {BACKTICKS}"
            raise Refusal(f"{name} is not a column of the table", hint)
        return name

    def mismatch(self, left: Value, right: Value) -> Refusal:
        """The refusal of a comparison of a number with a text."""
        why = " and ".join(f"{v} is {v.kind.value}" for v in (left, right))
        return Refusal(
            f"it compares a number with text: {why}",
            "write texts in quotes, and numbers without; a column has numbers if each of its "
            f"values is a number without a leading zero, or {MISSING}",
        )

    def unknown(self, node: ast.expr) -> Refusal:
        """The refusal of what is neither a column, a value nor a comparison."""
        what = {
            ast.Call: "a function call",
            ast.Attribute: "a name with a dot",
            ast.Subscript: "square brackets after a name",
            ast.Await: "await",
        }.get(type(node), "something other than columns, values and comparisons")
        return Refusal(f"it contains {what}, which is not allowed", EXAMPLE)
