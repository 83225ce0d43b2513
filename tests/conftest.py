"""What all tests share: a network of the test run's own, and real parts to start in it."""

from __future__ import annotations

import contextlib
import functools
import gc
import logging
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from noc_netlab import namespace
from noc_netlab.firewall import Firewall
from noc_netlab.lab import Netlab
from noc_netlab.namespace import Namespace, NoNamespace
from tests.parts import figures, node, scratch, selection, workers
from tests.parts.brokers import Mosquitto, Nats
from tests.parts.ports import free_port as find_free_port
from tests.parts.processes import Processes
from tests.parts.smtp import SmtpSink
from tests.parts.waiting import wait_until as wait_for

# How long an example takes is the machine's affair, and a busy one is no failure.
hypothesis.settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any machine")

# Who started us in the background had us ignore Ctrl-C, and all that we start would ignore it too.
signal.signal(signal.SIGINT, signal.default_int_handler)

TESTS = Path(__file__).parent

MAY_SKIP = ("needs Docker", "needs a real InfluxDB 2")
"""With NOC_TEST_SKIPS=fail (as in CI) every other skip is a failure: the machine there can do the rest."""


def pytest_addoption(parser: pytest.Parser) -> None:
    ours = parser.getgroup("NOC")
    ours.addoption(
        "--quick", action="store_true", help="only what needs no other process: minutes instead of a quarter of an hour"
    )
    ours.addoption("--long", action="store_true", help="the durations and sizes that the issues name, not short forms")


_network: Namespace
_ROOM = pytest.StashKey[Path]()


def pytest_configure(config: pytest.Config) -> None:
    """A network of its own for the process that runs tests: for this one, or for each of the workers."""
    global _network
    if config.getoption("--quick"):
        hypothesis.settings.register_profile("quick", hypothesis.settings.get_profile("any machine"), max_examples=25)
        hypothesis.settings.load_profile("quick")
    # The numbers that the issues name are those of a disk.
    if not config.getoption("--long") and (memory := scratch.in_memory()):
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(memory))
    if config.getoption("numprocesses", None):
        config.stash[_ROOM] = Path(tempfile.mkdtemp(prefix="noc-tests-"))
        # A worker has threads from its start on, and with them nobody becomes root any more.
        with contextlib.suppress(NoNamespace):
            namespace.become_root()
        return
    # Before any test has made a thread: a namespace belongs to a thread, and those made later inherit it.
    _network = namespace.enter()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> workers.Scheduling | None:
    return workers.Scheduling(config, log) if config.getoption("dist") == "loadgroup" else None


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    node.workerinput["room"] = str(node.config.stash[_ROOM])


def _room(config: pytest.Config) -> Path | None:
    """The folder that all processes of a run share; None where there is only one."""
    shared: dict[str, Any] = getattr(config, "workerinput", {})
    return Path(shared["room"]) if "room" in shared else None


def pytest_unconfigure(config: pytest.Config) -> None:
    if _ROOM in config.stash:
        shutil.rmtree(config.stash[_ROOM], ignore_errors=True)
    else:
        _network.close()


def pytest_report_header(config: pytest.Config) -> str:
    if _ROOM in config.stash:
        return "network: a namespace for each worker"
    return f"network: {_network.trouble or 'a namespace of its own'}"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """None: as pytest decides."""
    is_quick = config.getoption("--quick") and collection_path.is_relative_to(TESTS)
    return None if not is_quick or selection.may_be_quick(collection_path, TESTS) else True


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    if (room := _room(session.config)) is None:
        return (yield)
    with workers.collecting(room):
        return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    chosen = selection.choose(items, is_quick=config.getoption("--quick"), is_long=config.getoption("--long"))
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = [item for item in items if item in chosen]
    if hasattr(config, "workerinput"):
        items[:] = workers.in_order(items)


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """What is there now, stays: the collector need not look through all of it again and again, a sixth of what the web service's tests take."""
    gc.collect()
    gc.freeze()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    reports = [report for found in terminalreporter.stats.values() for report in found]
    if rows := figures.measured(reports):
        terminalreporter.section("figures")
        for line in figures.table(rows):
            terminalreporter.write_line(line)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Outermost, so that waiting for one's turn is not counted as the test's time."""
    if (room := _room(item.config)) is None:
        return (yield)
    workers.give_way(item)
    with workers.room(room, is_alone=workers.is_alone(item)):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    refuse_skip(report)
    # Names that nobody reads, and a third of what a worker sends.
    report.keywords = {}
    if report.failed:
        for name, value in getattr(item, "funcargs", {}).items():
            if isinstance(logs := getattr(value, "logs", None), dict):
                report.sections += [(f"{name}: {part}", text) for part, text in logs.items()]
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    refuse_skip(report)
    return report


def refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if not report.skipped or hasattr(report, "wasxfail") or os.environ.get("NOC_TEST_SKIPS") != "fail":
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    reason = reason.removeprefix("Skipped: ")
    if not reason.startswith(MAY_SKIP):
        report.outcome = "failed"
        report.longrepr = f"Skipped, and NOC_TEST_SKIPS=fail allows only {' or '.join(MAY_SKIP)}: {reason}"


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """What runs in the test's process may set up logging for all that comes after it."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    yield
    root.setLevel(level)
    for handler in set(root.handlers) - set(handlers):
        root.removeHandler(handler)


@pytest.fixture
def is_long(pytestconfig: pytest.Config) -> bool:
    """Whether this run holds the numbers that the issues name (`--long`), not their short forms."""
    return bool(pytestconfig.getoption("--long"))


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> figures.Figures:
    """`figure.at_most("heal_s", 3.2, 15)`: judged, and printed in the table at the end of the run."""
    return figures.Figures(record_property)


@pytest.fixture
def wait_until() -> Callable[..., Any]:
    """`wait_until(condition, deadline_s, what)`: what the condition gave when it was first true."""
    return wait_for


@pytest.fixture
def free_port() -> Callable[[], int]:
    return find_free_port


@pytest.fixture(scope="session")
def outside_namespace() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a command in the machine's own network, for what needs the package index."""
    return _network.outside


@pytest.fixture(scope="session")
def outside_port() -> Callable[[str, int], int]:
    """`outside_port(host, port)`: a loopback port that leads to a server in the machine's own network."""
    return functools.cache(_network.forward)


@pytest.fixture(scope="session")
def npm_packages() -> Path:
    """The folder with TypeScript and axe-core, as the lock in tests/javascript names them."""
    return node.packages(_network.outside)


@pytest.fixture(scope="session")
def own_network() -> None:
    """Only where this run has a network namespace of its own."""
    if _network.trouble:
        pytest.skip(f"needs a network namespace: {_network.trouble}")


@pytest.fixture(scope="session")
def internet(own_network: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Netlab]:
    """The simulated internet for all tests of a run; take `netlab` unless its hosts must keep their behaviour."""
    try:
        lab = Netlab(tmp_path_factory.mktemp("netlab")).__enter__()
    except NoNamespace as error:
        pytest.skip(f"needs a TUN device: {error}")
    yield lab
    lab.__exit__()


@pytest.fixture
def netlab(internet: Netlab) -> Iterator[Netlab]:
    """The simulated internet, every host as in the beginning."""
    internet.behave()
    yield internet
    internet.firewall.close()


@pytest.fixture
def firewall(own_network: None) -> Iterator[Firewall]:
    rules = Firewall()
    yield rules
    rules.close()


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    """A private Mosquitto that lets everybody in."""
    with Mosquitto(tmp_path / "mosquitto") as broker:
        yield broker


@pytest.fixture
def nats(tmp_path: Path) -> Iterator[Nats]:
    """A private nats-server speaking MQTT that lets everybody in."""
    with Nats(tmp_path / "nats") as broker:
        yield broker


@pytest.fixture
def smtp_sink() -> Iterator[SmtpSink]:
    """A mail server that keeps what it is given."""
    with SmtpSink() as sink:
        yield sink


@pytest.fixture
def noc_processes(tmp_path: Path) -> Iterator[Processes]:
    """Starts services as processes, kills and restarts them by name; their logs are shown where a test fails."""
    with Processes(tmp_path / "logs") as processes:
        yield processes
