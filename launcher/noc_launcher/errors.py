"""The one error of the commands: a sentence for the person at the terminal, with the cure."""

from __future__ import annotations


class CommandError(Exception):
    """Printed as it is, after which the command ends. `code` is the exit code."""

    def __init__(self, sentence: str, code: int = 1) -> None:
        super().__init__(sentence)
        self.code = code
