"""For those who watch this service: is it alive, is it ready, and its figures for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from flask import Blueprint, Response, jsonify, request
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from noc_bus.bus import Bus
from noc_web.auth.guard import Guard
from noc_web.live.picture import Picture
from noc_web.live.revision import Revisions
from noc_web.live.rows import SiteRow, TargetRow

ON_THE_LOOP: Final = "health.healthz"
"""The endpoint that is answered by the event loop itself, whatever its threads are busy with."""


def blueprint(bus: Bus, guard: Guard, picture: Picture, revisions: Revisions) -> Blueprint:
    pages = Blueprint("health", __name__)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(revisions))

    @pages.get("/healthz")
    def healthz() -> Response:
        return jsonify(alive=True)

    @pages.get("/readyz")
    def readyz() -> tuple[Response, int]:
        if not bus.connected:
            return jsonify(ready=False, detail="not connected to the broker"), 503
        if (trouble := picture.trouble_of("recorder")) is not None:
            # Everything is shown, and yet nothing of it may be kept.
            return jsonify(ready=False, detail=f"recorder: {trouble}"), 503
        return jsonify(ready=True, detail="connected to the broker"), 200

    @pages.get("/metrics")
    def metrics() -> Response:
        guard.admit(request, "viewer")
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)

    return pages


class _Figures(Collector):
    """What the browser shows, as metrics."""

    def __init__(self, revisions: Revisions) -> None:
        self._revisions = revisions

    def collect(self) -> Iterator[GaugeMetricFamily]:
        snapshot = self._revisions.current()
        counts = GaugeMetricFamily("noc_targets", "Targets by state.", labels=["state"])
        for counted, count in snapshot.kpis.items():
            if counted != "total":
                counts.add_metric([counted], count)
        yield counts
        yield from _of_targets(snapshot.targets)
        yield from _of_sites(snapshot.sites)
        services = GaugeMetricFamily("noc_service_online", "1 where a service is online.", labels=["service"])
        for name, is_online in snapshot.services.items():
            services.add_metric([name], int(is_online))
        yield services


def _of_targets(rows: Sequence[TargetRow]) -> Iterator[GaugeMetricFamily]:
    state = GaugeMetricFamily("noc_target_state", "1 for the state a target is in.", labels=["target", "state"])
    rtt = GaugeMetricFamily("noc_target_rtt_seconds", "Median of a site's last valid cycle.", labels=["target", "site"])
    loss = GaugeMetricFamily("noc_target_loss_ratio", "Loss of a site's last valid cycle.", labels=["target", "site"])
    for row in rows:
        state.add_metric([row.id, row.state.lower()], 1)
        for site, cell in row.sites.items():
            if cell.rtt_ms is not None:
                rtt.add_metric([row.id, site], cell.rtt_ms / 1000)
            if cell.loss_pct is not None:
                loss.add_metric([row.id, site], cell.loss_pct / 100)
    yield from (state, rtt, loss)


def _of_sites(rows: Sequence[SiteRow]) -> Iterator[GaugeMetricFamily]:
    online = GaugeMetricFamily("noc_prober_online", "1 where a site's prober is online.", labels=["site"])
    depth = GaugeMetricFamily("noc_prober_journal_records", "Records not stored yet.", labels=["site"])
    late = GaugeMetricFamily("noc_prober_lateness_seconds", "Worst delay of a send.", labels=["site"])
    covered = GaugeMetricFamily("noc_prober_coverage_ratio", "Of the last minute's cycles, measured.", labels=["site"])
    ahead = GaugeMetricFamily("noc_prober_clock_ahead_seconds", "Against this server's clock.", labels=["site"])
    for row in rows:
        online.add_metric([row.id], int(row.online))
        depth.add_metric([row.id], row.journal_depth)
        late.add_metric([row.id], row.lateness_ms / 1000)
        if row.coverage_pct is not None:
            covered.add_metric([row.id], row.coverage_pct / 100)
        if row.clock_ahead_ms is not None:
            ahead.add_metric([row.id], row.clock_ahead_ms / 1000)
    yield from (online, depth, late, covered, ahead)
