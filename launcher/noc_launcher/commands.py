"""What each command does. Each loads its parts only when it runs: `noc ping` needs no web server."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from noc_launcher import services

Arguments = argparse.Namespace


# -- their arguments are read by other parts


def _test(words: list[str]) -> int:
    from noc_launcher.checkout import run_tests

    return run_tests(words)


def _demo(words: list[str]) -> int:
    from noc_launcher.checkout import run_demo

    return run_demo(words)


def _prober(command: str) -> Callable[[list[str]], int]:
    def run(words: list[str]) -> int:
        from noc_prober.cli import main

        return main([command, *words])

    return run


def _web_command(name: str) -> Callable[[list[str]], int]:
    """A command that the web service offers, on the data folder of `noc up` unless the words name another."""

    def run(words: list[str]) -> int:
        from noc_launcher.plan import data_folder
        from noc_web import cli

        return cli.main([name, *words], lambda: data_folder(None, os.environ))

    return run


def _site(words: list[str]) -> int:
    if words[:1] == ["bundle"]:
        from noc_launcher import bundle

        return bundle.main(words[1:])
    return _web_command("site")(words)


def _history(words: list[str]) -> int:
    from noc_launcher.plan import data_folder
    from noc_recorder import cli

    return cli.main(words, lambda: data_folder(None, os.environ))


def _templates(words: list[str]) -> int:
    from noc_alerter import cli

    return cli.main(words)


def _service(name: str) -> Callable[[list[str]], int]:
    return lambda words: services.run(name, words)


OTHERS: Final[dict[str, Callable[[list[str]], int]]] = {
    "test": _test,
    "demo": _demo,
    "ping": _prober("ping"),
    "trace": _prober("trace"),
    **{name: _web_command(name) for name in ("user", "token", "account", "targets")},
    "site": _site,
    "history": _history,
    "templates": _templates,
    **{name: _service(name) for name in services.SERVICES},
}


# -- their arguments are read in arguments.py


def up(arguments: Arguments) -> int:
    from noc_launcher.plan import Options
    from noc_launcher.up import up

    asked = Options(
        data=arguments.data,
        host=arguments.host,
        port=arguments.port,
        site=arguments.site,
        broker=arguments.broker,
        mqtt_port=arguments.mqtt_port,
        listen=arguments.listen,
    )
    return up(asked, os.environ)


def backup(arguments: Arguments) -> int:
    from noc_launcher import backup

    copied = backup.make(_folder(arguments), Path(arguments.folder))
    print(f"{len(copied)} files in {arguments.folder}: {', '.join(copied)}", file=sys.stderr)
    return 0


def restore(arguments: Arguments) -> int:
    from noc_launcher import backup

    data = _folder(arguments)
    restored = backup.restore(Path(arguments.folder), data)
    print(f"{len(restored)} files restored into {data}", file=sys.stderr)
    return 0


def doctor(arguments: Arguments) -> int:
    from noc_bus.join import JOIN
    from noc_frame.settings import DATA, set_over
    from noc_launcher.doctor import examine

    environment = set_over(os.environ, {JOIN.name: arguments.join})
    # A prober alone keeps its journal where it is told to, or where it is started.
    is_where_it_starts = JOIN.is_set(environment) and not arguments.data and not DATA.is_set(environment)
    folder = Path(str(DATA.default)).absolute() if is_where_it_starts else _folder(arguments)
    findings = examine(folder, environment, send_mail=arguments.mail)
    if arguments.json:
        print(json.dumps([{"check": one.name, "level": one.level, "text": one.text} for one in findings], indent=2))
    else:
        width = max(len(one.name) for one in findings)
        for one in findings:
            print(f"{one.level:<4}  {one.name:<{width}}  {one.text}")
    return int(any(one.level == "fail" for one in findings))


def secrets(arguments: Arguments) -> int:
    from noc_launcher import secret_files

    made = secret_files.make(Path(arguments.folder), arguments.site, arguments.broker)
    print(f"new in {arguments.folder}: {', '.join(made) or 'nothing, all is there'}", file=sys.stderr)
    return 0


def sbom(arguments: Arguments) -> int:
    from noc_launcher import sbom

    print(sbom.text())
    return 0


def lock(arguments: Arguments) -> int:
    from noc_launcher.checkout import write_lock

    print(f"{write_lock()} is rewritten", file=sys.stderr)
    return 0


def _folder(arguments: Arguments) -> Path:
    from noc_launcher.plan import data_folder

    return data_folder(arguments.data, os.environ)
