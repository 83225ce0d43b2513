"""`noc demo`, or `python -m noc_demo`: reads the arguments."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from noc_demo.demo import Options, demo
from noc_demo.pictures import draw
from noc_launcher.errors import CommandError


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="noc demo",
        description="Run the whole NOC on a simulated company until Ctrl-C. No traffic leaves this machine, and nothing stays behind.",
    )
    parser.add_argument("--port", metavar="N", type=_port, help="where browsers connect (8080, else a free one)")
    parser.add_argument(
        "--data", metavar="DIR", type=_path, help="keep the files in this folder (else they are thrown away at the end)"
    )
    parser.add_argument(
        "--pictures", metavar="DIR", type=_path, help="instead, draw the pictures of the documents into this folder"
    )
    arguments = parser.parse_args(argv)
    try:
        if arguments.pictures:
            return draw(arguments.pictures, os.environ)
        return demo(Options(port=arguments.port, data=arguments.data), os.environ)
    except CommandError as error:
        print(f"noc: {error}", file=sys.stderr)
        return error.code


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port; use 1 to 65535")
    return int(text)


def _path(text: str) -> Path:
    return Path(text).expanduser().absolute()


if __name__ == "__main__":
    sys.exit(main())
