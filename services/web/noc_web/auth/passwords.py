"""Passwords: what is accepted, and how they are kept (Argon2id with argon2-cffi's parameters)."""

from __future__ import annotations

from typing import Final

import argon2

from noc_web.config import LONGEST_PASSWORD, SHORTEST_PASSWORD
from noc_web.problem import FieldError, ProblemCode, invalid

_FEWEST_CHARACTERS: Final = 5
_FEWEST_UNGUESSED: Final = 6
_WORDS: Final = (
    "administrator", "admin", "changeme", "default", "iloveyou", "letmein", "login", "monitoring", "noc", "p@ssw0rd",
    "passw0rd", "passwort", "password", "root", "secret", "user", "welcome",
)  # fmt: skip
_ROWS: Final = (
    "012345678901234567890", "abcdefghijklmnopqrstuvwxyz", "qwertyuiop", "qwertzuiop", "asdfghjkl", "zxcvbnm", "yxcvbnm",
    "1q2w3e4r5t6y7u8i9o0p", "1qaz2wsx3edc4rfv5tgb6yhn7ujm",
)  # fmt: skip
_RUN: Final = 3
_hasher: Final = argon2.PasswordHasher()
# Checked in place of a user's that does not exist, so that both answers take as long.
_NOBODY: Final = "$argon2id$v=19$m=65536,t=3,p=4$y0f8kdcm6I4EMabomCHZLg$H7h2gTmsaCQq4DMLAOGiWNSC5Qz1N+J06za7hyy/bsU"
UNUSABLE: Final = "!"
"""In place of a hash: no password fits."""


def check_acceptable(password: str, name: str) -> None:
    """Raises ProblemError 422 with a sentence; the password is not in it."""
    reason = None
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        reason = f"it has {len(password)} characters; use {SHORTEST_PASSWORD} to {LONGEST_PASSWORD}"
    elif len(set(password)) < _FEWEST_CHARACTERS:
        reason = f"it has fewer than {_FEWEST_CHARACTERS} different characters; use a sentence or a random one"
    elif len(_unguessed(password, name)) < _FEWEST_UNGUESSED:
        reason = "it is easy to guess; use a sentence or a random one"
    if reason:
        sentence = f"This password is not accepted: {reason}."
        raise invalid([FieldError("password", sentence, ProblemCode.WEAK_PASSWORD)])


def _unguessed(password: str, name: str) -> str:
    """What is left of a password without the words and rows of keys that guessing begins with."""
    rest = password.lower()
    for word in sorted((name.lower(), *_WORDS), key=len, reverse=True):
        rest = rest.replace(word, "")
    runs = (row[start : start + _RUN] for row in _ROWS for start in range(len(row) - _RUN + 1))
    for run in runs:
        for one in (run, run[::-1]):
            rest = rest.replace(one, "")
    return rest


def hashed(password: str) -> str:
    return _hasher.hash(password)


def fits(password: str, password_hash: str | None) -> bool:
    """Takes as long for None, a user that does not exist."""
    try:
        return _hasher.verify(password_hash or _NOBODY, password[: LONGEST_PASSWORD + 1])
    except argon2.exceptions.VerifyMismatchError:
        return False
    except argon2.exceptions.InvalidHashError:
        return False
