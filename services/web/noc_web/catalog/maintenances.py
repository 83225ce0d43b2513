"""Maintenances as people and programs give them: checked field by field, then as a whole."""

from __future__ import annotations

import re
import secrets
from collections.abc import Collection, Iterator
from typing import Any, Final, get_type_hints

import msgspec
from msgspec.structs import asdict, replace

from noc_bus.codec import decode_other
from noc_bus.messages import LINE_PATTERN, SLUG, Covered, Maintenance
from noc_bus.time import DAY_MS, Time
from noc_rules.calendar import zone_of
from noc_rules.inheritance import is_below
from noc_rules.maintenance import is_over, running
from noc_web.catalog.contents import Draft
from noc_web.catalog.options import slug
from noc_web.problem import FieldError, ProblemCode, ProblemError, invalid

MOST: Final = 1000
"""That are not over."""
LONGEST_MS: Final = 366 * DAY_MS
MOST_MINUTES: Final = LONGEST_MS // 60_000
KINDS: Final = ("target", "group", "tag", "site", "incident", "everything")
_MOST_SHOWN: Final = 80
_KINDS_ACCEPTED: Final = f"{', '.join(KINDS[:-1])} or {KINDS[-1]}"
_TIME: Final = "a time like 2026-11-24T22:00:00Z"
_CLOCK: Final = "a time of the day like 02:00"
ACCEPTED: Final = {
    "title": "1 to 120 characters on one line",
    "covers": f'a list of 1 to 200 like {{"kind": "group", "name": "core"}}, each kind {_KINDS_ACCEPTED}',
    "repeats": "once, weekly or monthly",
    "starts_at": _TIME,
    "ends_at": _TIME,
    "minutes": f"a whole number from 1 to {MOST_MINUTES}",
    "zone": "the name of a time zone that is known here, like Europe/Berlin",
    "from_time": _CLOCK,
    "to_time": _CLOCK,
    "weekdays": "a list of mon, tue, wed, thu, fri, sat and sun, each once",
    "days": "a list of days of the month from 1 to 31, and -1 for the last, each once",
    "weeks": "a list of 1 to 5, and -1 for the last, each once",
}
"""What a body may have, and what is accepted of each."""
_TYPES: Final[dict[str, Any]] = get_type_hints(Maintenance, include_extras=True) | {"minutes": int}
_REPEATING: Final = ("from_time", "to_time", "weekdays", "days", "weeks")


def new(body: object, who: str, now: Time) -> Maintenance:
    """Raises ProblemError 422."""
    given = _checked(body)
    name = f"{_slug(given.get('title', ''))}-{secrets.token_hex(4)}"
    return _made(name, given, who, now)


def changed(before: Maintenance, body: object, who: str, now: Time) -> Maintenance:
    """All of it is given again; that it was ended early stays. Raises ProblemError 422."""
    given = _checked(body)
    given.setdefault("starts_at", before.starts_at)
    after = _made(before.id, given, who, now)
    return replace(after, skipped_from=before.skipped_from, skipped_until=before.skipped_until)


def ended(one: Maintenance, who: str, now: Time) -> Maintenance:
    """Raises ProblemError 409 where it does not run."""
    found = running(one, now)
    if found is None:
        raise ProblemError(409, f"{one.title!r} does not run now; delete or edit it.", code=ProblemCode.NOT_RUNNING)
    if one.repeats == "once" or found.until is None:
        return replace(one, ends_at=now, by=str(who), at=now)
    return replace(one, skipped_from=now, skipped_until=Time(found.until), by=str(who), at=now)


def check(one: Maintenance, draft: Draft, seen_sites: Collection[str]) -> None:
    """Whether what it covers is there, and whether there are not too many. Raises ProblemError 422, 409."""
    if errors := [error for covered in one.covers if (error := _unknown(covered, draft, seen_sites))]:
        raise invalid(errors)
    open_ones = sum(not is_over(other, one.at) for name, other in draft.maintenances.items() if name != one.id)
    if open_ones >= MOST:
        sentence = f"There are {MOST} maintenances that are not over; delete some of them first."
        raise ProblemError(409, sentence, code=ProblemCode.TOO_MANY)


def told(one: Maintenance) -> dict[str, Any]:
    """For the audit: what was set of it."""
    said = {name: value for name, value in asdict(one).items() if name in ACCEPTED and value not in (None, [], "")}
    said |= {name: str(value) for name, value in said.items() if isinstance(value, Time)}
    return said | {"covers": [f"{covered.kind} {covered.name}".strip() for covered in one.covers]}


def _checked(body: object) -> dict[str, Any]:
    """The fields given, each of its type; null is left out. Raises ProblemError 422 with all that is wrong."""
    if not isinstance(body, dict):
        raise invalid([FieldError("", "The body is not a JSON object.")])
    errors: list[FieldError] = []
    given: dict[str, Any] = {}
    for name, value in body.items():
        if name not in ACCEPTED:
            sentence = f"{str(name)[:_MOST_SHOWN]!r} is no field of a maintenance; use {', '.join(ACCEPTED)}."
            errors.append(FieldError(str(name)[:_MOST_SHOWN], sentence))
        elif value is not None:
            try:
                given[name] = _value(name, value)
            except (msgspec.ValidationError, ValueError):
                errors.append(FieldError(name, _sentence(name, value)))
    errors += [
        FieldError(name, f"{name} is missing; use {ACCEPTED[name]}.")
        for name in ("title", "covers")
        if body.get(name) is None
    ]
    if errors:
        raise invalid(errors[:20])
    return given


def _value(name: str, value: object) -> Any:
    """Raises ValueError, msgspec.ValidationError."""
    found = msgspec.convert(value, _TYPES[name], dec_hook=decode_other)
    if isinstance(found, list) and name != "covers" and (len({*found}) < len(found) or 0 in found):
        raise ValueError
    if name == "title":
        found = str(found).strip()
        if not found or not re.search(LINE_PATTERN, found):
            raise ValueError
    if name == "minutes" and not 1 <= found <= MOST_MINUTES:
        raise ValueError
    return found


def _sentence(name: str, value: object) -> str:
    shown = msgspec.json.encode(value).decode()
    shown = shown if len(shown) <= _MOST_SHOWN else f"{shown[:_MOST_SHOWN]}…"
    return f"{name}: {shown} is not accepted; use {ACCEPTED[name]}."


def _made(name: str, given: dict[str, Any], who: str, now: Time) -> Maintenance:
    fields = {field: value for field, value in given.items() if field != "minutes"}
    fields.setdefault("starts_at", now)
    if "minutes" in given:
        if "ends_at" in given:
            raise _misfit("minutes", "minutes and ends_at are not accepted together; use one of them")
        fields["ends_at"] = Time(fields["starts_at"] + 60_000 * given["minutes"])
    one = Maintenance(id=name, by=who[:120], at=now, **fields)
    for field, sentence in _misfits(one, now):
        raise _misfit(field, sentence)
    return one


def _misfit(field: str, sentence: str) -> ProblemError:
    return invalid([FieldError(field, f"{sentence}.", ProblemCode.DOES_NOT_FIT)])


def _misfits(one: Maintenance, now: Time) -> Iterator[tuple[str, str]]:
    """What does not fit together, the first first."""
    if zone_of(one.zone) is None:
        yield "zone", f"zone: {one.zone[:64]!r} is not accepted; use {ACCEPTED['zone']}"
    if one.ends_at is not None and one.ends_at <= one.starts_at:
        yield "ends_at", f"ends_at: {one.ends_at} is not accepted; use a time after {one.starts_at}, its start"
    if one.ends_at is not None and one.ends_at <= now:
        yield "ends_at", f"ends_at: {one.ends_at} is over already; use a time after now"
    yield from {"once": _misfits_once, "weekly": _misfits_weekly, "monthly": _misfits_monthly}[one.repeats](one)


def _misfits_once(one: Maintenance) -> Iterator[tuple[str, str]]:
    if one.ends_at is None:
        yield "ends_at", f"ends_at is missing; use {_TIME}, or minutes"
    elif one.ends_at - one.starts_at > LONGEST_MS:
        yield "ends_at", f"ends_at: {one.ends_at} is more than 366 days after its start; use an earlier time"
    for field in _REPEATING:
        if getattr(one, field):
            yield (
                field,
                f"{field} is not accepted of a window that runs once; leave it out, or repeat weekly or monthly",
            )


def _misfits_weekly(one: Maintenance) -> Iterator[tuple[str, str]]:
    yield from _missing_times(one)
    if not one.weekdays:
        yield "weekdays", f"weekdays is missing; use {ACCEPTED['weekdays']}"
    for field in ("days", "weeks"):
        if getattr(one, field):
            yield field, f"{field} is not accepted of a weekly window; leave it out, or repeat monthly"


def _misfits_monthly(one: Maintenance) -> Iterator[tuple[str, str]]:
    yield from _missing_times(one)
    if bool(one.weeks) != bool(one.weekdays):
        missing = "weekdays" if one.weeks else "weeks"
        yield missing, f"{missing} is missing; use weeks and weekdays together, or days alone"
    elif bool(one.days) == bool(one.weeks):
        yield "days", "days: use either days, or weeks and weekdays, of a monthly window"


def _missing_times(one: Maintenance) -> Iterator[tuple[str, str]]:
    for field in ("from_time", "to_time"):
        if getattr(one, field) is None:
            yield field, f"{field} is missing; use {_CLOCK}"


def _unknown(covered: Covered, draft: Draft, seen_sites: Collection[str]) -> FieldError | None:
    """That it names what is not there: such a window would silence nobody."""
    name = covered.name
    if _is_there(covered, draft, seen_sites):
        return None
    if covered.kind == "everything":
        sentence = f"covers: everything has no name; leave {name[:_MOST_SHOWN]!r} out."
        return FieldError("covers", sentence, ProblemCode.DOES_NOT_FIT)
    sentence = f"covers: there is no {covered.kind} {name[:_MOST_SHOWN]!r}; use one that there is."
    return FieldError("covers", sentence, ProblemCode.DOES_NOT_FIT)


def _is_there(covered: Covered, draft: Draft, seen_sites: Collection[str]) -> bool:
    name = covered.name
    match covered.kind:
        case "target":
            return name in draft.targets
        case "group":
            return name in draft.groups or any(is_below(own.get("group", ""), name) for own in draft.targets.values())
        case "tag":
            return any(name in target.tags for target in draft.resolved.values())
        case "site":
            return name in draft.sites or name in seen_sites
        case "incident":
            # Whoever silences one knows its id; the alerter keeps which there are.
            return re.fullmatch(SLUG, name) is not None
        case _:
            return not name


def _slug(title: str) -> str:
    return slug(title)[:40].rstrip("-") or "maintenance"
