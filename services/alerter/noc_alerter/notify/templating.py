"""The templates of the letters: those that come with NOC, and those of a folder that replace some of them.

Only who may write files on the alerter's machine can put a template there: no request writes into that folder, nor may
it lie in the data folder. Templates run in Jinja's sandbox, everything they show in HTML is escaped, and they are given
texts and numbers only. Whatever is wrong with one, the letter that comes with NOC is sent in its place.
"""

from __future__ import annotations

import difflib
import stat
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from jinja2 import (
    ChoiceLoader,
    Environment,
    FileSystemLoader,
    PackageLoader,
    StrictUndefined,
    TemplateNotFound,
    TemplateSyntaxError,
    meta,
    pass_eval_context,
    select_autoescape,
)
from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream
from jinja2.nodes import EvalContext
from jinja2.sandbox import ImmutableSandboxedEnvironment

from noc_rules.uptime import unbroken

LETTERS: Final = ("opened", "changed", "resolved", "digest", "found_late", "held_back")
"""Each is NAME.txt and NAME.html."""
MAX_BYTES: Final = 100_000
"""Of a letter, text and HTML together: some mail programs cut off what is longer."""
_PACKAGE: Final = PackageLoader("noc_alerter.notify")


@pass_eval_context
def _in_one_piece(context: EvalContext, value: object) -> object:
    """HTML breaks lines where it likes, but not within a duration."""
    return type(value)(unbroken(value)) if context.autoescape and isinstance(value, str) else value


_LOOK: Final[dict[str, Any]] = {
    "undefined": StrictUndefined, "trim_blocks": True, "lstrip_blocks": True, "finalize": _in_one_piece,
}  # fmt: skip
_OURS: Final = Environment(loader=_PACKAGE, autoescape=select_autoescape(["html"]), **_LOOK)
Samples = Mapping[str, Iterable[Mapping[str, Any]]]
"""By letter, several times what its templates may be given."""


class Templates:
    """Used from several threads. A file that was changed counts from the next letter on."""

    def __init__(
        self,
        folder: Path | None = None,
        data: Path | None = None,
        samples: Samples | None = None,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`folder` None: only what comes with NOC. `data`: where the service keeps its files. `tell` is called once with
        each thing that is found wrong."""
        self._tell = tell
        self._folder = folder
        self._data = data
        self._samples = samples or {}
        self._own = _sandbox(folder) if folder else None
        self._seen: object = None
        self._broken: dict[str, list[str]] = {}
        self._failed: dict[str, str] = {}
        self._general: list[str] = []
        self.look()

    @property
    def faults(self) -> list[str]:
        """In sentences, which templates of the folder are not used, and why."""
        found = [*self._general, *(one for sentences in self._broken.values() for one in sentences)]
        return list(dict.fromkeys([*found, *self._failed.values()]))

    def look(self) -> None:
        """Check the folder again if something in it has changed."""
        if self._own is None or self._folder is None or (seen := _state(self._folder)) == self._seen:
            return
        self._seen = seen
        self._failed = {}
        if why := why_not(self._folder, self._data):
            self._general, self._broken = [why], {one: [] for one in LETTERS}
        else:
            self._general, self._broken = _checked(self._own, self._folder, self._samples)
        for sentence in self.faults:
            self._tell(sentence)

    def rendered(self, letter: str, words: Mapping[str, Any]) -> tuple[str, str]:
        """Text and HTML."""
        if self._own is not None and letter not in self._broken:
            try:
                return _limited(self._own, letter, words)
            except Exception as error:  # noqa: BLE001  # whatever a template does, the mail goes out
                sentence = _sentence(error, f"{letter}.txt or {letter}.html")
                if self._failed.get(letter) != sentence:
                    self._failed[letter] = sentence
                    self._tell(sentence)
        return _parts(_OURS, letter, words)


BUILT_IN: Final = Templates()


def names() -> list[str]:
    """Those that come with NOC."""
    return sorted(_PACKAGE.list_templates())


def source(name: str) -> str:
    """Of one that comes with NOC. Raises KeyError."""
    try:
        return _PACKAGE.get_source(_OURS, name)[0]
    except TemplateNotFound:
        raise KeyError(name) from None


def why_not(folder: Path, data: Path | None) -> str:
    """Why no template is taken from a folder, in a sentence; empty: they may be."""
    try:
        mode = folder.stat().st_mode
        list(folder.iterdir())
    except OSError as error:
        return f"{folder} cannot be read ({error.strerror}), so that none of it is used"
    if data is not None and folder.resolve().is_relative_to(data.resolve()):
        return f"{folder} lies in the data folder, which requests write into; use another one"
    if mode & stat.S_IWOTH:
        return f"everybody on this machine may write into {folder}; take that right away (chmod o-w)"
    return ""


def _state(folder: Path) -> object:
    try:
        files = [(one.name, one.stat()) for one in sorted(folder.iterdir())]
        return folder.stat().st_mode, [(name, found.st_mtime_ns, found.st_size) for name, found in files]
    except OSError as error:
        return str(error)


class _AlwaysEscapes(Extension):
    """Without the tag and the filter that let texts through as HTML."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        environment.filters.pop("safe", None)

    def filter_stream(self, stream: TokenStream) -> Iterator[Token]:
        is_first = False
        for token in stream:
            if is_first and token.value == "autoescape":
                raise TemplateSyntaxError("autoescape cannot be switched", token.lineno, stream.name, stream.filename)
            is_first = token.type == "block_begin"
            yield token


def _sandbox(folder: Path) -> Environment:
    """What the folder lacks is as it comes with NOC."""
    loader = ChoiceLoader([FileSystemLoader(folder), _PACKAGE])
    return ImmutableSandboxedEnvironment(
        loader=loader, autoescape=select_autoescape(["html"]), extensions=[_AlwaysEscapes], **_LOOK
    )


def _parts(environment: Environment, letter: str, words: Mapping[str, Any]) -> tuple[str, str]:
    text, html = (environment.get_template(f"{letter}.{kind}").render(words) for kind in ("txt", "html"))
    return text, html


def _limited(environment: Environment, letter: str, words: Mapping[str, Any]) -> tuple[str, str]:
    """Raises ValueError for what is too long, before all of it is made."""
    size, parts = 0, []
    for kind in ("txt", "html"):
        pieces: list[str] = []
        for piece in environment.get_template(f"{letter}.{kind}").generate(words):
            size += len(piece.encode())
            if size > MAX_BYTES:
                raise ValueError(f"{letter}.{kind}: with it the letter is longer than {MAX_BYTES // 1000} kB")
            pieces.append(piece)
        parts.append("".join(pieces))
    if not parts[0].strip():
        raise ValueError(f"{letter}.txt: it gives no text at all")
    return parts[0], parts[1]


def _checked(own: Environment, folder: Path, samples: Samples) -> tuple[list[str], dict[str, list[str]]]:
    """What is wrong with files that no letter uses, and by letter what is wrong with it."""
    general: list[str] = []
    broken: dict[str, list[str]] = {}
    used: set[str] = set()
    known = {letter: {word for words in samples.get(letter, ()) for word in words} for letter in LETTERS}
    everywhere = set[str]().union(*known.values())
    for letter in LETTERS:
        wrong, files = _unfit(own, letter, known[letter], everywhere)
        used |= files
        if not wrong:
            wrong = _failing(own, letter, samples.get(letter, ()))
        if wrong:
            broken[letter] = wrong
    for file in sorted(folder.iterdir()):
        if file.is_file() and file.suffix in (".txt", ".html") and file.name not in used:
            near = difflib.get_close_matches(file.name, names(), n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            general.append(f"{file.name} is no letter's, and no letter includes it{hint}")
    return general, broken


def _unfit(own: Environment, letter: str, known: set[str], everywhere: set[str]) -> tuple[list[str], set[str]]:
    """What can be seen without filling it in, and the files that the letter is made of."""
    wrong: list[str] = []
    starts = [f"{letter}.txt", f"{letter}.html"]
    waiting, files = [*starts], set[str]()
    while waiting:
        name = waiting.pop()
        if name in files:
            continue
        files.add(name)
        try:
            text, path, _ = own.loader.get_source(own, name)  # type: ignore[union-attr]  # it has one
            tree = own.parse(text, name, path)
            own.compile(text, name, path)
        except (TemplateSyntaxError, TemplateNotFound, UnicodeDecodeError, OSError, RecursionError) as error:
            wrong.append(_sentence(error, name))
            continue
        for other in meta.find_referenced_templates(tree):
            if other is None:
                wrong.append(f"{name}: include, import and extends take the name of a file in quotes here")
            else:
                waiting.append(other)
        # What several letters include may ask whether this one has a word.
        fitting = known if name in starts else everywhere
        wrong += [_unknown(name, text, one, fitting) for one in sorted(meta.find_undeclared_variables(tree) - fitting)]
    return wrong, files


def _unknown(name: str, text: str, word: str, known: set[str]) -> str:
    line = next((number for number, one in enumerate(text.splitlines(), 1) if word in one), 1)
    near = difflib.get_close_matches(word, known, n=1)
    return f"{name}, line {line}: this letter has no {word!r}{f'; did you mean {near[0]}?' if near else ''}"


def _failing(own: Environment, letter: str, samples: Iterable[Mapping[str, Any]]) -> list[str]:
    for words in samples:
        try:
            _limited(own, letter, words)
        except Exception as error:  # noqa: BLE001  # of a template, which may do anything
            return [_sentence(error, letter)]
    return []


def _sentence(error: Exception, name: str) -> str:
    """Where and what."""
    if isinstance(error, TemplateSyntaxError):
        return f"{error.name or name}, line {error.lineno}: {error.message}"
    if isinstance(error, TemplateNotFound):
        return f"{name}: there is no template {error.message or error.name}"
    if isinstance(error, UnicodeDecodeError):
        return f"{name}: it is not UTF-8"
    frames = [one for one in traceback.extract_tb(error.__traceback__) if one.filename.endswith((".txt", ".html"))]
    place = f"{Path(frames[-1].filename).name}, line {frames[-1].lineno}: " if frames else ""
    what = str(error) or type(error).__name__
    return f"{place}{what}"[:400] if place or ":" in what else f"{name}: {what}"[:400]
