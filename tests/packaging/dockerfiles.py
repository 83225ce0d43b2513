"""Reads the Dockerfile as it is for one service: stages, and in them instructions."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass

from tests.packaging.repository import ROOT


@dataclass(frozen=True)
class Instruction:
    word: str
    text: str

    @property
    def words(self) -> list[str]:
        """The arguments, of either form."""
        if self.text.startswith("["):
            return [str(word) for word in json.loads(self.text)]
        return shlex.split(self.text)


@dataclass(frozen=True)
class Stage:
    base: str
    name: str | None
    instructions: tuple[Instruction, ...]

    def all(self, word: str) -> list[Instruction]:
        return [one for one in self.instructions if one.word == word]

    def last(self, word: str) -> Instruction:
        return self.all(word)[-1]

    @property
    def environment(self) -> dict[str, str]:
        pairs = (pair.partition("=") for one in self.all("ENV") for pair in one.words)
        return {name: value for name, _, value in pairs}


def stages(service: str) -> list[Stage]:
    found: list[tuple[str, str | None, list[Instruction]]] = []
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("$SERVICE", service)
    for one in _instructions(text):
        if one.word == "FROM":
            base, name = re.fullmatch(r"(\S+)(?: AS (\S+))?", one.text).groups()  # type: ignore[union-attr]
            found.append((base, name, []))
        else:
            found[-1][2].append(one)
    return [Stage(base, name, tuple(instructions)) for base, name, instructions in found]


def copied_from_here(service: str) -> list[str]:
    """What a build takes out of the repository."""
    copies = (one.words for stage in stages(service) for one in stage.all("COPY"))
    return [source for words in copies if not words[0].startswith("--from") for source in words[:-1]]


def _instructions(text: str) -> list[Instruction]:
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    whole = "\n".join(lines).replace("\\\n", " ")
    pairs = (line.partition(" ") for line in whole.splitlines())
    return [Instruction(word, " ".join(rest.split())) for word, _, rest in pairs]
