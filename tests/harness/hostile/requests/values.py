"""Hostile values of arguments."""

from __future__ import annotations

from random import Random

TOKEN = "A" * 24
LARGE_CHARACTERS = 10_000_000

HOSTILE = (
    *(
        "",
        " ",
        "\0",
        "A\0B",
        "\x1b[2J",
        "\r\nX: y",
        "\ufeff",
        "\u202eAda",
        "\u2028",
        "\uffff",
        "\N{ROCKET}" * 255,
        "é" * 256,
    ),
    *(
        "' OR '1'='1",
        "'; DROP TABLE faces; --",
        "\\'; --",
        '" OR ""="',
        "1 UNION SELECT NULL",
        "%",
        "_",
        "\\",
        "%' ESCAPE '",
    ),
    *("../../etc/passwd", "..%2f..%2f", ".", "..", "/", "//", "file:///etc/passwd", "http://127.0.0.1/", "C:\\con"),
    *("<script>alert(1)</script>", "${jndi:ldap://127.0.0.1/a}", "{{7*7}}", "%n%n%n", "$(id)", "`id`", "() { :;};"),
    *(
        "nan",
        "inf",
        "-1",
        "-0",
        "1e999",
        "1e-999",
        "0x10",
        "1_0",
        "9" * 400,
        "0" * 400,
        "١",
        "½",
        "1,5",
        "true",
        "None",
        "null",
    ),
    *(
        "[]",
        "{}",
        '{"$ne": null}',
        "default",
        "DEFAULT",
        "A" * 23,
        "A" * 25,
        TOKEN + "\n",
        "\t" + TOKEN,
        "A" * 65,
        "é" * 24,
    ),
)
# Text that JSON can express and UTF-8 cannot.
SURROGATES = ("\ud800", "Ada\udfff", "\udc00\ud800", "\ud83d" * 255)


def value(random: Random, known: str, *, surrogates: bool = False) -> str:
    """Return a value: mostly a hostile one, sometimes random characters or the token of a known face."""
    kind = random.random()
    if kind < 0.2:
        return known
    if kind < 0.3 and surrogates:
        return random.choice(SURROGATES)
    if kind < 0.75:
        return random.choice(HOSTILE)
    if kind < 0.8:
        return str(random.choice((0, 0.65, 1, 10000, "name", "auto", "none")))
    characters = (
        chr(random.choice((random.randrange(32), random.randrange(256), random.randrange(0xD800)))) for _ in range(300)
    )
    return "".join(characters)[: random.randrange(300)]
