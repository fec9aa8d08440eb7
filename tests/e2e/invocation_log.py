"""Parses a function's standard output on Lambda, and searches it for personal data that it must not contain."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote

import numpy as np

from chalicelib.faces import Embedding

# The first bytes of JPEG and PNG files: decoded with replacement characters, escaped, in hexadecimal and in base64.
PICTURES = ("\ufffd\ufffd\ufffd\ufffd", r"\xff\xd8\xff", "ffd8ff", "/9j/", r"\x89PNG", "89504e47", "iVBORw0KGgo")


def lines(output: str) -> list[dict[str, Any]]:
    """Parse an output; every line must be one JSON object."""
    return [json.loads(line) for line in output.splitlines()]


def messages(output: str) -> list[dict[str, Any]]:
    return [line for line in lines(output) if "_aws" not in line]


def metrics(output: str) -> list[dict[str, Any]]:
    """Return the lines in CloudWatch's embedded metric format."""
    return [line for line in lines(output) if "_aws" in line]


def told(output: str, texts: Iterable[str], embeddings: Iterable[Embedding]) -> list[str]:
    """Return the texts and embeddings that an output contains in any encoding, and any picture's first bytes."""
    forms = [form for text in texts for form in _forms_of_text(text)]
    forms += [form for embedding in embeddings for form in _forms_of_embedding(embedding)]
    return [form for form in (*forms, *PICTURES) if form in output]


def _forms_of_text(text: str) -> Iterator[str]:
    if len(text) < 3 or re.fullmatch(r"[a-z]{3,8}", text):  # short or plain words may occur by chance
        return
    yield from (text, json.dumps(text)[1:-1], quote(text), repr(text)[1:-1])
    if len(text) > 5:
        yield base64.b64encode(text.encode("utf-8", "replace")).decode()[: len(text)]


def _forms_of_embedding(embedding: Embedding) -> Iterator[str]:
    data = embedding.astype("<f4").tobytes()
    for number in embedding[:8]:
        yield f"{number:.5f}"
        yield repr(float(number))[:8]
    yield data[:8].hex()
    yield repr(data[:8])[2:-1]
    for shift in range(3):  # base64 depends on the offset of the data in the encoded bytes
        yield base64.b64encode(data[shift : shift + 12]).decode()
    yield str(np.frombuffer(data[:4], np.uint8).tolist())[1:-1]
