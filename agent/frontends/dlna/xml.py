"""XML as it is written and read here: nothing in it becomes more than text, and nothing from outside is looked up."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final
from xml.etree.ElementTree import Element, ParseError
from xml.sax.saxutils import escape

from defusedxml.ElementTree import fromstring

HEAD: Final = '<?xml version="1.0" encoding="utf-8"?>\n'

_UNWRITABLE: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""The characters that XML 1.0 cannot hold."""


class XmlError(ValueError):
    """The text is not XML, or is meant to do harm; `str()` repeats nothing of it."""


def text(value: str) -> str:
    """The value as the content of an element, or of an attribute in double quotes."""
    return escape(_UNWRITABLE.sub("\N{REPLACEMENT CHARACTER}", value), {'"': "&quot;"})


def elements(values: Mapping[str, str] | Iterable[tuple[str, str]]) -> str:
    """An element for each name, with its value as text."""
    pairs = values.items() if isinstance(values, Mapping) else values
    return "".join(f"<{name}>{text(value)}</{name}>" for name, value in pairs)


def parse(document: bytes | str) -> Element:
    """The root of a document that has no document type. Raises XmlError."""
    try:
        root: Element = fromstring(document, forbid_dtd=True)
    except (ParseError, ValueError, LookupError) as error:  # that of defusedxml is a ValueError
        raise XmlError(f"This is no XML that is read here ({type(error).__name__}).") from error
    return root


def local_name(element: Element) -> str:
    """The name of an element without its namespace."""
    return element.tag.rpartition("}")[2]
