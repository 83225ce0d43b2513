"""The `noc` command: `python -m noc_launcher`, or ./noc in a checkout."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Final

from noc_frame.settings import SettingError
from noc_launcher.arguments import COMMANDS, parser
from noc_launcher.commands import OTHERS, Arguments
from noc_launcher.errors import CommandError

EXIT_WRONG_USE: Final = 2
EXIT_INTERRUPTED: Final = 128 + signal.SIGINT


def main(argv: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        if words and words[0] in OTHERS:
            # These read their own arguments, --help included.
            return OTHERS[words[0]](words[1:])
        _check_command(words)
        arguments = parser().parse_args(words or ["--help"])
        run: Callable[[Arguments], int] = arguments.run
        return run(arguments)
    except CommandError as error:
        print(f"noc: {error}", file=sys.stderr)
        return error.code
    except SettingError as error:
        print(f"noc: {error}", file=sys.stderr)
        return EXIT_WRONG_USE
    except KeyboardInterrupt:
        # Ctrl-C before there was anything to stop in order.
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has had enough of it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        print(f"noc: {error.filename or 'this machine'}: {error.strerror or error}", file=sys.stderr)
        return 1


def _check_command(words: Sequence[str]) -> None:
    if words and not words[0].startswith("-") and words[0] not in COMMANDS:
        raise CommandError(f"There is no command {words[0]!r}; `noc --help` lists them.", EXIT_WRONG_USE)


if __name__ == "__main__":
    sys.exit(main())
