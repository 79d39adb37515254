"""The XML of S3: small documents out, small documents in."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
S3_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


def escape(text: str) -> str:
    """Text as it may stand between tags. Characters that XML 1.0 cannot say become references, as S3 does."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    if text.isprintable():
        return text
    return "".join(f"&#{ord(c)};" if ord(c) < 32 and c not in "\t\n" else c for c in text)


def element(name: str, *children: str) -> str:
    """An element around children that are markup already."""
    return f"<{name}>{''.join(children)}</{name}>"


def text(name: str, value: str | int) -> str:
    """An element around text."""
    return f"<{name}>{escape(str(value))}</{name}>"


def document(name: str, *children: str) -> bytes:
    """A whole S3 document."""
    root = f'<{name} xmlns="{S3_NAMESPACE}">{"".join(children)}</{name}>'
    return (DECLARATION + root).encode("utf-8", "replace")


def parse(body: bytes) -> Element:
    """The root of a document, tags without their namespace. Raises ValueError where it is no XML."""
    from xml.etree import ElementTree

    try:
        root = ElementTree.fromstring(body)
    except ElementTree.ParseError as error:
        raise ValueError(str(error)) from None
    for node in root.iter():
        node.tag = node.tag.rpartition("}")[2]
    return root
