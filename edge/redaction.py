"""Hide passwords and tokens in addresses, so that they reach no message, event, file or title."""

from __future__ import annotations

import re

HIDDEN = "***"
# A space does not end an address if an @ follows: it belongs to the password.
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(\S+(?: (?!\S*://)\S*@\S+)*)")
_TRAILING = re.compile(r"[\"'`,;:.)\]}>]*$")  # punctuation of the sentence around an address
# No host follows these, but a path; in an archive, :: and the address of the archive come after it.
_PATHS = ("zip", "tar", "file")
# A part of a path that is a key by its looks: 16 characters and more with letters and digits, without a dot.
_KEY = re.compile(r"(?=[^/]*\d)(?=[^/]*[A-Za-z])[\w~-]{16,}")


def redacted(text: str) -> str:
    """Return the text with the secrets of every address in it hidden.

    Hidden are user names and passwords, the values of a query, a fragment, `name=value` pairs in the path, as some
    cameras have for their password, and keys in the path.
    """
    return _ADDRESS.sub(lambda match: f"{match[1]}://{_redacted_rest(match[2], match[1])}", text)


def _redacted_rest(rest: str, scheme: str) -> str:
    """Hide the secrets in what follows `scheme://`."""
    if scheme.lower() in _PATHS:
        path, mark, archive = rest.partition("::")
        return f"{path}{mark}{redacted(archive)}"
    end = _TRAILING.search(rest)
    trailing = end[0] if end else ""
    rest = rest.removesuffix(trailing)
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    # A password may hold / ? # unescaped: after NAME:, everything up to the last @ may belong to it.
    before = rest if ":" in authority else authority
    user, at, _ = before.rpartition("@")
    rest = rest[len(user) + len(at) :]
    place, query_mark, query = _split_at_any(rest, "?#")
    host, slash, path = place.partition("/")
    path = re.sub(r"=[^/&;]*", f"={HIDDEN}", path)
    parts = [HIDDEN if _KEY.fullmatch(part) else part for part in path.split("/")]
    if scheme.lower().startswith("rtmp") and len(parts) > 1:  # application/key
        parts[-1] = HIDDEN
    path = "/".join(parts)
    shown = f"{HIDDEN}@" if at else ""
    if re.search(r":(?!\d*$)[^\]]*$", host):  # no port: a password that lost its end
        host = HIDDEN
    return f"{shown}{host}{slash}{path}{query_mark}{_redacted_query(query) if query_mark else ''}{trailing}"


def _split_at_any(text: str, marks: str) -> tuple[str, str, str]:
    """Partition the text at the first of the marks."""
    found = re.search(f"[{marks}]", text)
    return (text[: found.start()], found[0], text[found.end() :]) if found else (text, "", "")


def _redacted_query(query: str) -> str:
    """Hide the values of a query, and the parts that have no name."""
    parts = [part.partition("=") for part in re.split(r"[&;#]", query)]
    return "&".join(f"{name}={HIDDEN}" if equals else HIDDEN for name, equals, _ in parts)
