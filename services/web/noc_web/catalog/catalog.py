"""The list of targets, groups and sites in the database: every change is checked as a whole, or not made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from noc_bus.channels import parse_site
from noc_bus.messages import Site, Target
from noc_bus.time import Time
from noc_web.catalog import options
from noc_web.database.models import AuditRow, GroupRow, SiteRow, TargetRow
from noc_web.database.opening import Database
from noc_web.problem import FieldError, ProblemError, invalid

Own = dict[str, Any]
R = TypeVar("R")
# Whoever sends another kind of file learns that from the first rows.
_MOST_ERRORS: Final = 100


@dataclass(frozen=True)
class Contents:
    """Everything, as it is defined: targets by id with their own options, groups by path, sites by id."""

    targets: dict[str, Own]
    groups: dict[str, Own]
    sites: dict[str, Site]

    def resolved(self) -> dict[str, Target]:
        return {name: options.resolved(own, self.groups) for name, own in self.targets.items()}


class Catalog:
    """`changed` is called after every change that was made. `who` is written into the audit."""

    def __init__(self, database: Database, changed: Callable[[], None] = lambda: None) -> None:
        self._database = database
        self.changed = changed

    def contents(self) -> Contents:
        with self._database.session() as session:
            return _contents(session)

    # -- targets

    def add_target(self, body: object, who: str) -> Target:
        """Raises ProblemError: 409 for an id that exists, 422 for anything that is not accepted."""
        own = options.target_body(body)
        return self._change(who, "add target", own["id"], own, lambda contents: self._put_new(contents, own))

    def put_target(self, name: str, body: object, who: str) -> Target:
        """Replace a target's own options. Raises ProblemError 404, 422."""
        own = options.target_body(_with_id(body, name))
        return self._change(who, "change target", name, own, lambda contents: self._put_known(contents, name, own))

    def patch_target(self, name: str, body: object, who: str) -> Target:
        """Change some options; null gives one back to the group. Raises ProblemError 404, 422."""
        detail: Own = {}

        def patch(contents: Contents) -> Target:
            before = contents.targets.get(name)
            if before is None:
                raise _no_target(name)
            if not isinstance(body, dict):
                raise invalid([FieldError("", "The body is not a JSON object.")])
            detail.update(options.target_body(_with_id(before | body, name)))
            return self._put_known(contents, name, dict(detail))

        return self._change(who, "change target", name, detail, patch)

    def delete_target(self, name: str, who: str) -> None:
        """Raises ProblemError 404, or 409 while another target names it as a parent."""

        def remove(contents: Contents) -> None:
            if name not in contents.targets:
                raise _no_target(name)
            children = [child for child, own in contents.targets.items() if name in own.get("parents", ())]
            if children:
                raise ProblemError(409, f"{name} is a parent of {', '.join(children[:5])}; change those first.")
            del contents.targets[name]

        self._change(who, "delete target", name, {}, remove)

    def import_targets(self, bodies: Iterable[object], who: str, *, replace: bool) -> tuple[int, int]:
        """All or none. How many were added, and how many existing ones changed (only with `replace`).

        Raises ProblemError 422 with an error for every row that is not accepted (the first 100), numbered from 1.
        """
        errors: list[FieldError] = []
        counted = {"added": 0, "changed": 0}

        def put(contents: Contents) -> None:
            rows: dict[str, int] = {}
            for number, body in enumerate(bodies, start=1):
                try:
                    own = options.target_body(body)
                    known = _put_imported(contents, own, rows.setdefault(own["id"], number), number, replace=replace)
                    counted["changed" if known else "added"] += 1
                except ProblemError as problem:
                    errors.append(FieldError(f"row {number}", f"Row {number}: {problem.detail}"))
            if len(errors) > _MOST_ERRORS:
                more = FieldError("", f"{len(errors) - _MOST_ERRORS} more rows are not accepted.")
                errors[_MOST_ERRORS:] = [more]
            if errors:
                raise invalid(errors)

        self._change(who, "import targets", "", counted, put)
        return counted["added"], counted["changed"]

    # -- groups

    def put_group(self, path: str, body: object, who: str) -> Own:
        """Raises ProblemError 422, also where a member would no longer fit together."""
        if not options.is_group(path):
            raise invalid([FieldError("group", f"{path[:80]!r} is not a group; use names with slashes between.")])
        own = options.group_body(body)
        self._change(who, "change group", path, own, lambda contents: contents.groups.update({path: own}))
        return own

    def delete_group(self, path: str, who: str) -> None:
        """Forget a group's options; its targets stay, in the group of that name. Raises ProblemError 404."""

        def remove(contents: Contents) -> None:
            if contents.groups.pop(path, None) is None:
                raise ProblemError(404, f"No options are set for the group {path[:80]!r}.")

        self._change(who, "delete group", path, {}, remove)

    # -- sites

    def put_site(self, name: str, body: object, who: str) -> Site:
        """Raises ProblemError 422."""
        try:
            parse_site(name)
        except ValueError:
            sentence = f"{name[:80]!r} cannot name a site; use lower-case letters, digits, hyphens."
            raise invalid([FieldError("id", sentence)]) from None
        site = options.site_body(body, name)
        self._change(
            who, "change site", name, {"label": site.label}, lambda contents: contents.sites.update({name: site})
        )
        return site

    def delete_site(self, name: str, who: str) -> None:
        def remove(contents: Contents) -> None:
            if contents.sites.pop(name, None) is None:
                raise ProblemError(404, f"No site {name[:80]!r} is set up.")

        self._change(who, "delete site", name, {}, remove)

    # -- audit

    def note(self, who: str, act: str, subject: str, detail: Own | None = None) -> None:
        """Write an act that changed something elsewhere into the audit."""
        with self._database.begin() as session:
            session.add(_audit(who, act, subject, detail or {}))

    def audit(self, most: int = 500) -> list[Own]:
        with self._database.session() as session:
            rows = session.scalars(select(AuditRow).order_by(AuditRow.id.desc()).limit(most)).all()
        return [
            {"at": str(Time(row.at)), "who": row.who, "act": row.act, "subject": row.subject, "detail": row.detail}
            for row in rows
        ]

    # -- how a change is made

    def _change(self, who: str, act: str, subject: str, detail: Own, change: Callable[[Contents], R]) -> R:
        """Apply to a copy, check the whole, write what differs: one transaction."""
        with self._database.begin() as session:
            before, after = _contents(session), _contents(session)
            answer = change(after)
            _check(after)
            _write(session, before, after)
            session.add(_audit(who, act, subject, detail))
        # Whoever asks next finds it everywhere.
        self.changed()
        return answer

    def _put_new(self, contents: Contents, own: Own) -> Target:
        if own["id"] in contents.targets:
            raise ProblemError(
                409, f"A target {own['id']!r} exists already; choose another id.",
                [FieldError("id", f"id: {own['id']!r} exists already; choose another.")],
            )  # fmt: skip
        contents.targets[own["id"]] = own
        return options.resolved(own, contents.groups)

    def _put_known(self, contents: Contents, name: str, own: Own) -> Target:
        if name not in contents.targets:
            raise _no_target(name)
        contents.targets[name] = own
        return options.resolved(own, contents.groups)


def _put_imported(contents: Contents, own: Own, first_row: int, row: int, *, replace: bool) -> bool:
    """Whether it was there before. Raises ProblemError."""
    if first_row != row:
        raise ProblemError(409, f"{own['id']} is the id of row {first_row} too.")
    known = own["id"] in contents.targets
    if known and not replace:
        raise ProblemError(409, f"{own['id']} exists already.")
    contents.targets[own["id"]] = own
    options.resolved(own, contents.groups)
    return known


def _with_id(body: object, name: str) -> object:
    if isinstance(body, dict):
        if body.get("id") not in (None, name):
            raise invalid(
                [FieldError("id", f"id: {str(body['id'])[:63]!r} is not accepted; an id is for life: {name!r}.")]
            )
        return body | {"id": name}
    return body


def _no_target(name: str) -> ProblemError:
    return ProblemError(404, f"There is no target {name[:80]!r}.")


def _contents(session: Session) -> Contents:
    return Contents(
        {row.id: dict(row.own) for row in session.scalars(select(TargetRow).order_by(TargetRow.id))},
        {row.path: dict(row.options) for row in session.scalars(select(GroupRow).order_by(GroupRow.path))},
        {
            row.id: Site(id=row.id, label=row.label, location=row.location, anchors=row.anchors, expected=row.expected)
            for row in session.scalars(select(SiteRow).order_by(SiteRow.id))
        },
    )


def _check(contents: Contents) -> None:
    """What holds for all of them together. Raises ProblemError 422."""
    for name, own in contents.targets.items():
        try:
            options.resolved(own, contents.groups)
        except ProblemError as problem:
            raise ProblemError(422, f"{name}: {problem.detail}", problem.errors) from None
        unknown = [parent for parent in own.get("parents", ()) if parent not in contents.targets]
        if unknown:
            raise invalid(
                [FieldError("parents", f"parents: {unknown[0]!r} of {name} is no target; use ids of targets.")]
            )
    circle = _circle({name: own.get("parents", ()) for name, own in contents.targets.items()})
    if circle:
        raise invalid([FieldError("parents", f"parents: {' → '.join(circle)} is a circle; a path has an end.")])


def _circle(parents: Mapping[str, Iterable[str]]) -> list[str]:
    """Some chain of parents that comes back to its begin; empty where there is none."""
    done: set[str] = set()
    for start in parents:
        path: list[str] = []
        stack = [(start, iter(parents[start]))] if start not in done else []
        while stack:
            name, rest = stack[-1]
            if len(path) < len(stack):
                path.append(name)
            following = next((one for one in rest if one not in done), None)
            if following is None:
                done.add(name)
                stack.pop()
                path.pop()
            elif following in path:
                return [*path[path.index(following) :], following]
            else:
                stack.append((following, iter(parents[following])))
    return []


def _write(session: Session, before: Contents, after: Contents) -> None:
    for name in before.targets.keys() - after.targets.keys():
        session.execute(delete(TargetRow).where(TargetRow.id == name))
    for name, own in after.targets.items():
        if before.targets.get(name) != own:
            session.merge(TargetRow(id=name, own=own))
    for path in before.groups.keys() - after.groups.keys():
        session.execute(delete(GroupRow).where(GroupRow.path == path))
    for path, own in after.groups.items():
        if before.groups.get(path) != own:
            session.merge(GroupRow(path=path, options=own))
    for name in before.sites.keys() - after.sites.keys():
        session.execute(delete(SiteRow).where(SiteRow.id == name))
    for name, site in after.sites.items():
        if before.sites.get(name) != site:
            session.merge(
                SiteRow(id=name, label=site.label, location=site.location, anchors=site.anchors, expected=site.expected)
            )


def _audit(who: str, act: str, subject: str, detail: Own) -> AuditRow:
    return AuditRow(at=int(Time.now()), who=who, act=act, subject=subject, detail=detail)
