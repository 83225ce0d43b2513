"""`noc templates`: the templates of the mails, to start one's own from; and a mail that one's own make."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Final

from noc_alerter.config import MAIL_TEMPLATES, MAIL_ZONE
from noc_alerter.notify.samples import samples
from noc_alerter.notify.templating import LETTERS, Templates, names, source
from noc_frame.exit_codes import EXIT_SETTINGS
from noc_frame.settings import SettingError

EXIT_WRONG: Final = 1
_ABOUT: Final = (
    "Without a name: lists the templates of the mails. With one: prints it, to be put into the folder of "
    "NOC_MAIL_TEMPLATES and changed there. docs/mail-templates.md says what each is given."
)


def main(words: Sequence[str], environment: Mapping[str, str] = os.environ) -> int:
    """Its exit code."""
    parser = argparse.ArgumentParser(prog="noc templates", description=_ABOUT)
    parser.add_argument("name", nargs="?", metavar="NAME", help="like opened.html")
    parser.add_argument(
        "--sample",
        action="store_true",
        help="print a made-up mail as it would be sent, by your templates where there are some",
    )
    arguments = parser.parse_args(words)
    if arguments.name is None:
        print("\n".join(names()))
        return 0
    try:
        if arguments.sample:
            return _sample(arguments.name, environment)
        sys.stdout.write(source(arguments.name))
    except KeyError:
        print(f"noc: there is no template {arguments.name!r}; `noc templates` lists them", file=sys.stderr)
        return EXIT_WRONG
    except SettingError as error:
        print(f"noc: {error}", file=sys.stderr)
        return EXIT_SETTINGS
    return 0


def _sample(name: str, environment: Mapping[str, str]) -> int:
    """Raises KeyError for what is no letter's, SettingError."""
    letter, _, kind = name.partition(".")
    if letter not in LETTERS or kind not in ("txt", "html"):
        raise KeyError(name)
    made_up = samples(MAIL_ZONE.read(environment))
    templates = Templates(MAIL_TEMPLATES.read(environment), None, made_up)
    # The one with the most in it.
    longest = max((templates.rendered(letter, words) for words in made_up[letter]), key=lambda one: len(one[0]))
    sys.stdout.write(longest[kind == "html"])
    for sentence in templates.faults:
        print(f"noc: {sentence}", file=sys.stderr)
    return EXIT_WRONG if templates.faults else 0
