"""What people write into JSON by habit from other languages, named with its line."""

from __future__ import annotations

import json
import re

# how the text goes on where JSON ends, and what to say of it
MISTAKES = (
    (r"\s*\Z", "is the end of the file, and a bracket or a quotation mark is still open"),
    (r",\s*([]}])", "has a comma before a closing {}; remove the comma"),
    (r"//|/[*]|#", "has a comment; JSON has none, so remove it"),
    ("(['`\u2018\u2019\u201c\u201d])", 'has the quotation mark {}; JSON takes " alone'),
    (r"True\b", "has True; JSON writes true"),
    (r"False\b", "has False; JSON writes false"),
    (r"(?:None|undefined)\b", "has a word for nothing; JSON writes null"),
    (r"([A-Za-z_$][\w$-]*)\s*:", "has the key {} without quotation marks around it"),
    (r"[\n\r\t]", "has a line end or a tab inside a text; write \\n or \\t"),
)
# what Python's own message means
NO_COMMA = "Expecting ',' delimiter"
MEANINGS = {
    "Unterminated string starting at": 'begins a text that has no closing "',
    "Invalid \\escape": "has a \\ that JSON does not know; to mean the character, write it twice",
    "Expecting ':' delimiter": "has a key without a colon after it",
}


def mistake(document: bytes) -> str | None:
    """Return what is wrong and where, in a sentence, or None if it is nothing that is known."""
    try:
        text = document.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = document.count(b"\n", 0, error.start) + 1
        return f"line {line} is not UTF-8; save the file as UTF-8"
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        position = _begin(text, error.pos)
        what = _what(text, position) or MEANINGS.get(error.msg)
        if error.msg == NO_COMMA and text[position : position + 1] in {'"', "{", "["}:
            what = "goes on without a comma before it"
        line = text.count("\n", 0, position) + 1
        return f"line {line} {what}" if what else None
    except RecursionError:
        return None
    return None


def _begin(text: str, position: int) -> int:
    """Return where the mistake begins; Pythons differ on whether a comma or what follows is it."""
    before = text[:position].rstrip()
    if text[position : position + 1] in {"}", "]"} and before.endswith(","):
        return len(before) - 1
    return position


def _what(text: str, position: int) -> str:
    for pattern, sentence in MISTAKES:
        match = re.compile(pattern).match(text, position)
        if match:
            return sentence.format(*match.groups())
    return ""
