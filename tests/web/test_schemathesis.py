"""The running service against its own OpenAPI document: schemathesis makes up the requests.

No 5xx, no answer that is not documented, no request refused for its shape that the document calls valid.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any, Final

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings, strategies
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from noc_web.api import ROUTES
from noc_web.api.openapi import render
from noc_web.api.route import ROOT, Route
from noc_web.auth.accounts import Accounts
from noc_web.database.opening import Database
from tests.parts.brokers import Mosquitto
from tests.parts.ports import free_port
from tests.parts.processes import Processes
from tests.parts.waiting import wait_until

CHECKS: Final[list[Any]] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
# No document can say that our times begin in 2000.
schemathesis.openapi.format(
    "date-time",
    strategies.integers(946_771_200, 7_258_032_000).map(lambda one: datetime.fromtimestamp(one, UTC).isoformat()),
)
ENOUGH: Final = {False: 6, True: 24}
"""Requests made up for a route and mode, in short and in long."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[str, str], Any]]:
    """An admin's token, and the schema of a web service that runs in a process of its own, with a broker."""
    folder = tmp_path_factory.mktemp("schemathesis")
    (folder / "data").mkdir()
    with closing(Database(folder / "data")) as database:
        token = Accounts(database).create_token("schemathesis", "admin")
    port = free_port()
    with Mosquitto(folder / "broker") as broker, Processes(folder) as processes:
        settings_given = {"NOC_DATA": str(folder / "data"), "NOC_HTTP_PORT": str(port), "NOC_MQTT_URL": broker.url()}
        processes.start("web", [sys.executable, "-m", "noc_web"], settings_given)
        address = f"http://127.0.0.1:{port}"
        wait_until(lambda: is_ready(address), 40, "the web service", seen=lambda: processes.log("web"))
        schema = schemathesis.openapi.from_dict(render(ROUTES))
        schema.config.update(base_url=f"{address}{ROOT}")
        yield {"Authorization": f"Bearer {token}"}, schema


def is_ready(address: str) -> bool:
    try:
        return requests.get(f"{address}/readyz", timeout=5).status_code == 200
    except requests.ConnectionError:
        return False


# Its answer to a token is always the same: a token has no password.
TRIED: Final = [route for route in ROUTES if route.path != "/me/password"]
WITH_A_FORM: Final = [route for route in TRIED if route.body or route.query or "{" in route.path]
MODES: Final = [
    *(pytest.param(route, GenerationMode.POSITIVE, id=f"valid {route.method} {route.path}") for route in TRIED),
    *(pytest.param(route, GenerationMode.NEGATIVE, id=f"wrong {route.method} {route.path}") for route in WITH_A_FORM),
]


@pytest.mark.parametrize(("route", "mode"), MODES)
def test_every_answer_to_made_up_requests_is_documented(
    running: tuple[dict[str, str], Any], route: Route, mode: GenerationMode, is_long: bool
) -> None:
    headers, schema = running
    operation = schema[route.path][route.method]

    @seed(1)
    @settings(
        max_examples=ENOUGH[is_long],
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        response = case.call(headers=headers, timeout=30)
        case.validate_response(response, checks=CHECKS)
        # Other codes are about what is there already or what fits together, which no document of shapes can say.
        if mode is GenerationMode.POSITIVE and response.status_code == 422:
            assert response.json()["code"] != "not-accepted", f"{case.as_curl_command()}\n{response.text}"

    ask()
