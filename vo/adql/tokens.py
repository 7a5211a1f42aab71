"""The tokens of ADQL 2.1 (2.1), and the limits that are checked before any parsing."""

from __future__ import annotations

import math
import re
import unicodedata
from itertools import groupby
from typing import NamedTuple

from vo.adql.problems import Problems
from vo.reserved import RESERVED

MAX_TOKENS = 20_000
MAX_DEPTH = 100
"""Parentheses inside parentheses at the most; keeps every later step away from the recursion limit."""

_OWN_LIMIT = "a limit of this service"

_MOST_DIGITS = 4000
"""Digits of a number at the most: Python reads no more into an integer."""

_SHOWN = 30
"""Characters of a piece of the query that a message repeats."""

_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n\f\v]+|--[^\r\n]*)
    | (?P<word>[A-Za-z][A-Za-z0-9_]*)
    | (?P<hex>0[xX][0-9A-Fa-f]+\b)
    | (?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
    | (?P<string>'[^']*(?:''[^']*)*')
    | (?P<delimited>"[^"]*(?:""[^"]*)*")
    | (?P<operator><>|!=|<=|>=|\|\||[-+*/(),.;<>=])""",
    re.VERBOSE,
)

_WORD = re.compile(r"\w*")
_UNUSUAL = re.compile(r"[^\t\n\v\f\r -~]")

# What people paste from pages and papers, and what they meant.
_LOOKALIKES = {
    "\u2018\u2019\u201a\u201b\u2032\u00b4": "Write a string between straight single quotes: '…'.",
    "\u201c\u201d\u201e\u201f\u2033": 'Write a delimited identifier between straight double quotes: "…".',
    "\u2212\u2013\u2014": "Write a minus sign as the plain hyphen: -.",
    "\u00a0\u2002\u2003\u2009\u202f\u3000": "Write a plain space.",
    "≤": "Write <=.",
    "≥": "Write >=.",
    "≠": "Write <>.",
    "\u00d7": "Write *.",
}
_ADVICE = {character: advice for characters, advice in _LOOKALIKES.items() for character in characters}
_ADVICE |= {
    "'": "A string begins and ends with a single quote; a quote inside it is written twice.",
    '"': "A delimited identifier begins and ends with a double quote.",
    "%": "Write the remainder as MOD(x, y).",
    "[": "ADQL has no arrays; write a delimited identifier between double quotes.",
    "_": 'A regular identifier begins with a letter; write "_name" between double quotes.',
    ":": "ADQL has no parameters; write the value itself.",
    "::": "Write a conversion as CAST(x AS type).",
    "&&": "Write AND.",
    "$": "ADQL has no parameters; write the value itself.",
    "]": "ADQL has no arrays; write a delimited identifier between double quotes.",
    "}": "ADQL has no parameters; write the value itself.",
    "\\": "A quote inside a string is written twice.",
    "`": 'Write a delimited identifier between double quotes: "…".',
    "&": "Write BIT_AND(a, b).",
    "|": "Write BIT_OR(a, b), or a || b to join strings.",
    "^": "Write POWER(x, y); on bits, BIT_XOR(a, b).",
    "~": "Write BIT_NOT(a).",
    "!": "Write <>, or NOT before a condition.",
    "#": "A comment begins with --.",
    "{": "ADQL has no parameters; write the value itself.",
    "?": "ADQL has no parameters; write the value itself.",
    "@": "ADQL has no variables; write the value itself.",
}


class Token(NamedTuple):
    """A piece of a query.

    `kind` is word, delimited, string, number, operator or end; `value` is what it stands for
    (words in capitals, quotes undone) and `text` what was written, from offset `start`.
    """

    kind: str
    value: str
    text: str
    start: int

    @property
    def span(self) -> tuple[int, int]:
        """Start and end offset in the query."""
        return self.start, self.start + len(self.text)

    @property
    def is_reserved(self) -> bool:
        """Whether this is a word that no regular identifier may be (ADQL 2.1, 2.1.2)."""
        return self.kind == "word" and self.value in RESERVED


def scan(query: str) -> list[Token]:
    """The tokens of `query` with an `end` token behind them; comments and white space are left out.

    >>> [token.value for token in scan("select 'a''b' -- why")]
    ['SELECT', "a'b", '']
    """
    problems = Problems(query)
    _check_characters(query, problems)
    tokens: list[Token] = []
    position = 0
    while position < len(query) and not problems.enough:
        match = _TOKEN.match(query, position)
        if match is None:
            position = _refuse(query, position, problems)
            continue
        position = match.end()
        kind = match.lastgroup or "space"
        if kind == "space":
            continue
        token = Token(kind, _value(kind, match.group()), match.group(), match.start())
        _check_token(token, query, problems)
        tokens.append(token)
        if len(tokens) > MAX_TOKENS:
            problems.add(
                f"The query has more than {MAX_TOKENS} words and signs",
                token.span,
                rule=_OWN_LIMIT,
                suggestion="Upload long lists as a table, and join it.",
            )
            break
    _check_depth(tokens, problems)
    problems.raise_any()
    tokens = _with_joined_strings(tokens, query)
    tokens.append(Token("end", "", "", len(query.rstrip())))
    return tokens


def deepest(query: str) -> tuple[int, int]:
    """Where the most parentheses and CASEs are open.

    >>> deepest("SELECT (1), ((2)) FROM t")
    (13, 14)
    """
    depth, most, found = 0, 0, (0, 0)
    for token in scan(query):
        depth += (token.value in ("(", "CASE")) - (token.value in (")", "END"))
        if depth > most:
            most, found = depth, token.span
    return found


def _with_joined_strings(tokens: list[Token], query: str) -> list[Token]:
    """Strings with nothing but separators between them are one (SQL-92, 5.3)."""
    found: list[Token] = []
    for is_string, group in groupby(tokens, lambda token: token.kind == "string"):
        run = list(group)
        if is_string and len(run) > 1:
            text = query[run[0].start : run[-1].span[1]]
            run = [Token("string", "".join(token.value for token in run), text, run[0].start)]
        found += run
    return found


def _value(kind: str, text: str) -> str:
    if kind == "word":
        return text.upper()
    if kind == "string":
        return text[1:-1].replace("''", "'")
    if kind == "delimited":
        return text[1:-1].replace('""', '"')
    return text


def _check_token(token: Token, query: str, problems: Problems) -> None:
    if token.kind == "hex":
        problems.add(
            "ADQL has no hexadecimal numbers",
            token.span,
            rule="ADQL 2.1, 2.1.8",
            suggestion=f"Write {int(token.text, 16)}." if len(token.text) <= len("0x") + 16 else None,
        )
    elif token.kind == "number":
        _check_number(token, query, problems)
    elif token.kind == "delimited" and not token.value:
        problems.add(
            "A delimited identifier is empty",
            token.span,
            rule="ADQL 2.1, 2.1.6",
            suggestion="An empty string is written ''.",
        )


def _check_number(token: Token, query: str, problems: Problems) -> None:
    match = _WORD.match(query, token.span[1])
    following = match.group() if match else ""
    # A reserved word cannot be part of a name, so that `2desc` is no riddle; `2mass` would be one.
    if following and following.upper() not in RESERVED:
        problems.add(
            f"The number {token.text[:_SHOWN]} runs into {following[:_SHOWN]}",
            (token.start, token.span[1] + len(following)),
            rule="ADQL 2.1, 2.1.9",
            suggestion="An identifier begins with a letter; others go between double quotes.",
        )
    elif len(token.text) > _MOST_DIGITS:
        problems.add(f"The number has more than {_MOST_DIGITS} digits", token.span, rule="ADQL 2.1, 2.1.8")
    elif math.isinf(float(token.value)):
        problems.add("The number is too large for a double", token.span, rule="ADQL 2.1, 2.1.8")


def _refuse(query: str, position: int, problems: Problems) -> int:
    """Note a character that begins no token; returns where to go on."""
    character = query[position]
    if character in "'\"":
        what = "string" if character == "'" else "delimited identifier"
        problems.add(
            f"A {what} is not closed",
            (position, len(query)),
            rule="ADQL 2.1, 2.1",
            suggestion=_ADVICE[character],
        )
        return len(query)
    end = position + 1
    while end < len(query) and query[end] == character:
        end += 1
    run = query[position:end]
    name = unicodedata.name(character, "control character")
    shown = run[:_SHOWN] if run.isascii() and run.isprintable() else f"U+{ord(character):04X} {name}"
    advice = _ADVICE.get(run) or _ADVICE.get(character)
    if advice is None and character.isalpha():
        advice = "A name with other letters than A to Z is written between double quotes."
    problems.add(
        f"{shown} has no meaning in ADQL here", (position, end), rule="ADQL 2.1, 2.1.1", suggestion=advice
    )
    return end


def _check_characters(query: str, problems: Problems) -> None:
    """Refuse what shows a reader another text than the one that is run, and what no XML can echo."""
    for match in _UNUSUAL.finditer(query):
        if problems.enough:
            return
        position, character = match.start(), match.group()
        category = unicodedata.category(character)
        hidden = category in ("Cf", "Cs", "Cn", "Co") or character in "\ufffe\uffff"
        if hidden or category == "Cc":
            name = unicodedata.name(character, "control character")
            problems.add(
                f"The query holds the invisible character U+{ord(character):04X} ({name.lower()})",
                (position, position + 1),
                rule="ADQL 2.1, 2.1.1",
                suggestion="Leave it out.",
            )


def _check_depth(tokens: list[Token], problems: Problems) -> None:
    depth = 0
    for token in tokens:
        if token.kind == "operator":
            depth += (token.value == "(") - (token.value == ")")
            if depth > MAX_DEPTH:
                problems.add(
                    f"Parentheses are nested more than {MAX_DEPTH} deep", token.span, rule=_OWN_LIMIT
                )
                return
