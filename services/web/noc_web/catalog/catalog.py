"""The catalogue: targets, groups, sites and maintenances. Every change is checked as a whole, or not made."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from typing import Any, Final, TypeVar

from msgspec import structs

from noc_bus.channels import parse_site
from noc_bus.messages import Forgotten, Maintenance, Site, Target
from noc_bus.time import DAY_MS, Time
from noc_rules.inheritance import chain
from noc_rules.parents import parents_of
from noc_web.auth.author import origin_of
from noc_web.catalog import maintenances, options, rows
from noc_web.catalog.contents import Contents, Draft, Own
from noc_web.catalog.table import MOST_ROWS, Listing
from noc_web.database.opening import Database
from noc_web.problem import FieldError, ProblemCode, ProblemError, invalid

R = TypeVar("R")
# Whoever sends another kind of file learns that from the first rows.
_MOST_ERRORS: Final = 100
_SITE_NAMES: Final = "lower-case letters, digits and hyphens, and not the name of a service"
KEEP_AUDIT_DAYS: Final = 400


@dataclass
class Imported:
    """How many targets a file added, how many it changed, and how many groups and sites it set."""

    added: int = 0
    changed: int = 0
    groups: int = 0
    sites: int = 0


class Catalog:
    """Safe to use from any thread, and beside other processes that change the same database.

    `changed` is called after every change, also of another process once `follow` has noticed it. What is read
    comes from memory; a change costs what it touches. `who` is written into the audit.
    """

    def __init__(
        self,
        database: Database,
        changed: Callable[[], None] = lambda: None,
        keep_audit_days: int = KEEP_AUDIT_DAYS,
        is_seen: Callable[[str], bool] = lambda site: False,
    ) -> None:
        """`is_seen`: whether the prober of a site was heard, which nobody need have set up."""
        self._database = database
        self._is_seen = is_seen
        self.changed = changed
        self._keep_audit_ms = keep_audit_days * DAY_MS
        self._audit_cut_at = 0
        self._lock = threading.Lock()
        self._contents = Contents()
        self._past: tuple[int, dict[str, list[tuple[Time, Maintenance | None]]]] | None = None
        self.resolved_total = 0
        """How often a target's options were resolved: a figure of what changes cost."""

    def contents(self) -> Contents:
        """As they were last read or changed here."""
        if not self._contents.revision:
            self.follow()
        return self._contents

    def follow(self) -> None:
        """Often: notice what other processes have changed. Costs one look at a number where nothing has."""
        if self._database.catalog_revision() == self._contents.revision:
            return
        with self._lock, self._database.explained("read"):
            self._contents = self._caught_up(self._database.connection())
        self.changed()

    # -- targets

    def add_target(self, body: object, who: str) -> Target:
        """Raises ProblemError: 409 for an id that exists, 422 for anything that is not accepted."""
        own = options.target_body(body)

        def add(draft: Draft) -> Target:
            if own["id"] in draft.targets:
                error = FieldError("id", f"id: {own['id']!r} exists already; choose another.", ProblemCode.EXISTS)
                raise ProblemError(409, f"A target {own['id']!r} exists already; choose another id.", [error])
            return draft.put_target(own)

        return self._change(who, "add target", own["id"], own, add)

    def put_target(self, name: str, body: object, who: str) -> Target:
        """Replace a target's own options. Raises ProblemError 404, 422."""
        own = options.target_body(_with_id(body, name))
        return self._change(who, "change target", name, own, lambda draft: _put_known(draft, name, own))

    def patch_target(self, name: str, body: object, who: str) -> Target:
        """Change some options; null gives one back to the group. Raises ProblemError 404, 422."""
        detail: Own = {}
        return self._change(who, "change target", name, detail, lambda draft: _patch(draft, name, body, detail))

    def tried_target(self, name: str, body: object) -> Contents:
        """What the catalogue would be after `patch_target`; nothing is changed. Raises ProblemError 404, 422."""
        return self._tried(lambda draft: _patch(draft, name, body, {}))

    def delete_target(self, name: str, who: str, *, with_history: bool = False) -> None:
        """Raises ProblemError 404, or 409 while another target names it as a parent."""

        def remove(draft: Draft) -> None:
            if name not in draft.targets:
                raise _no_target(name)
            children = [child for child, one in draft.resolved.items() if name in parents_of(one)]
            if children:
                sentence = f"{name} is a parent of {', '.join(children[:5])}; change those first."
                raise ProblemError(409, sentence, code=ProblemCode.IN_USE)
            draft.remove("targets", name)

        self._delete(who, "target", name, remove, with_history)

    def import_listing(self, listing: Listing, who: str, *, replace: bool) -> Imported:
        """All of a file or nothing. What exists and differs is changed only with `replace`.

        Raises ProblemError 422 with an error for every row that is not accepted (the first 100), numbered from 1.
        """
        if len(listing.targets) + len(listing.groups) + len(listing.sites) > MOST_ROWS:
            raise ProblemError(422, f"The file has more than {MOST_ROWS} targets; import it in parts.")
        # Tried before anybody has to wait for it: most refusals need no lock.
        tried = Draft(self.contents())
        done = _put_listing(tried, listing, replace=replace)
        tried.check_parents(self._is_seen)
        detail = asdict(done)

        def put(draft: Draft) -> Imported:
            if draft.before.revision == tried.before.revision:
                draft.take_over(tried)
                return done
            again = _put_listing(draft, listing, replace=replace)
            detail.update(asdict(again))
            return again

        return self._change(who, "import targets", "", detail, put)

    def warnings_about(self, target: Target) -> list[str]:
        """What is accepted, and still worth a second look."""
        twins = [
            one for one in self._contents.resolved.values() if one.address == target.address and one.id != target.id
        ]
        if not twins:
            return []
        names = ", ".join(f"{one.name} ({one.id})" for one in twins[:3])
        more = f" and {len(twins) - 3} more" if len(twins) > 3 else ""
        return [f"address: {target.address} is also the address of {names}{more}."]

    # -- groups

    def put_group(self, path: str, body: object, who: str) -> Own:
        """Raises ProblemError 422, also where a member would no longer fit together."""
        options.check_group(path)
        own = options.group_body(body)
        self._change(who, "change group", path, own, lambda draft: draft.put_group(path, own))
        return own

    def tried_group(self, path: str, body: object) -> Contents:
        """What the catalogue would be after `put_group`; nothing is changed. Raises ProblemError 422."""
        options.check_group(path)
        own = options.group_body(body)
        return self._tried(lambda draft: draft.put_group(path, own))

    def delete_group(self, path: str, who: str) -> None:
        """Forget a group's options; its targets stay, in the group of that name. Raises ProblemError 404."""

        def remove(draft: Draft) -> None:
            if path not in draft.groups:
                raise ProblemError(404, f"No options are set for the group {path[:80]!r}.")
            draft.remove("groups", path)

        self._change(who, "delete group", path, {}, remove)

    # -- sites

    def add_site(self, body: object, who: str) -> Site:
        """Raises ProblemError 409 for one that is there, 422."""
        site = _site(body)

        def add(draft: Draft) -> None:
            if site.id in draft.sites:
                sentence = f"A site {site.id!r} exists already; choose another id."
                raise ProblemError(409, sentence, code=ProblemCode.EXISTS)
            draft.sites[site.id] = site

        self._change(who, "add site", site.id, {"label": site.label}, add)
        return site

    def put_site(self, name: str, body: object, who: str) -> Site:
        """Raises ProblemError 422."""
        site = _site(_with_id(body, name))

        def put(draft: Draft) -> Site:
            _put_site(draft, site)
            return draft.sites[name]

        return self._change(who, "change site", name, {"label": site.label}, put)

    def delete_site(self, name: str, who: str, *, with_history: bool = False) -> None:
        """Raises ProblemError 404."""

        def remove(draft: Draft) -> None:
            if name not in draft.sites:
                raise ProblemError(404, f"No site {name[:80]!r} is set up.")
            draft.remove("sites", name)

        self._delete(who, "site", name, remove, with_history)

    def former_sites(self) -> list[str]:
        """Sites that were deleted, and whose probers have not spoken since."""
        with self._database.explained("read"):
            return rows.former_sites(self._database.connection())

    def forget_seen_site(self, name: str, who: str, *, with_history: bool = False) -> None:
        """Delete a site that nobody set up, of which only its prober ever spoke."""
        with self._database.begin() as connection:
            rows.remember_former(connection, name)
            self._write_audit(connection, who, "delete site", name, _told(with_history))
            if with_history:
                rows.forget_history(connection, "site", name)
                rows.note_forgotten(connection, name)
        self.follow()

    def note_deleted_key(self, site: str, who: str, *, with_history: bool) -> None:
        """The key of a site that is not in the catalogue was deleted."""
        with self._database.begin() as connection:
            self._write_audit(connection, who, "delete site key", site, _told(with_history))
            if with_history:
                rows.forget_history(connection, "site", site)
                rows.note_forgotten(connection, site)
        self.follow()

    def forgotten(self) -> list[Forgotten]:
        """Targets and sites whose history was deleted with them."""
        with self._database.explained("read"):
            return rows.forgotten(self._database.connection())

    def site_speaks_again(self, name: str) -> None:
        """One that was deleted is a new one from now on."""
        with self._database.begin() as connection:
            rows.forget_former(connection, name)

    # -- maintenances

    def add_maintenance(self, body: object, who: str, seen_sites: Collection[str] = ()) -> Maintenance:
        """`seen_sites`: also those that nobody set up. Raises ProblemError 422, 409 where there are too many that are not over."""

        def add(draft: Draft) -> Maintenance:
            one = maintenances.new(body, who, Time.now())
            maintenances.check(one, draft, seen_sites)
            draft.maintenances[one.id] = one
            detail.update(maintenances.told(one))
            return one

        detail: Own = {}
        return self._change(who, "add maintenance", "", detail, add, lambda one: one.id)

    def put_maintenance(self, name: str, body: object, who: str, seen_sites: Collection[str] = ()) -> Maintenance:
        """Raises ProblemError 404, 422."""
        detail: Own = {}

        def put(draft: Draft) -> Maintenance:
            one = maintenances.changed(_known_maintenance(draft, name), body, who, Time.now())
            maintenances.check(one, draft, seen_sites)
            draft.maintenances[name] = one
            detail.update(maintenances.told(one))
            return one

        return self._change(who, "change maintenance", name, detail, put)

    def end_maintenance(self, name: str, who: str) -> Maintenance:
        """The window that runs now ends; one that repeats runs again the next time. Raises ProblemError 404, 409."""

        def end(draft: Draft) -> Maintenance:
            one = draft.maintenances[name] = maintenances.ended(_known_maintenance(draft, name), who, Time.now())
            return one

        return self._change(who, "end maintenance", name, {}, end)

    def delete_maintenance(self, name: str, who: str) -> None:
        """What it was is remembered for reports about that time. Raises ProblemError 404."""

        def remove(draft: Draft) -> None:
            _known_maintenance(draft, name)
            draft.remove("maintenances", name)

        self._change(who, "delete maintenance", name, {}, remove)

    def maintenance_past(self) -> dict[str, list[tuple[Time, Maintenance | None]]]:
        """By id, what each maintenance ever was and from when on, in order; None: it was deleted."""
        revision, known = self.contents().revision, self._past
        if known is None or known[0] != revision:
            with self._database.explained("read"):
                known = self._past = revision, rows.maintenance_past(self._database.connection())
        return known[1]

    # -- audit

    def note(
        self,
        who: str,
        act: str,
        subject: str,
        detail: Own | None = None,
        *,
        before: Own | None = None,
        after: Own | None = None,
    ) -> None:
        """Write an act that changed something elsewhere into the audit. `who` may be an `Author`."""
        with self._database.begin() as connection:
            self._write_audit(connection, who, act, subject, detail or {}, before or {}, after or {})

    def note_repeated(self, who: str, act: str, subject: str, window_ms: int, *, new_as: str | None = None) -> None:
        """Like `note`, but what the same somebody does again within the window is counted in one row.

        `new_as`: who it is counted for where `who` has no row yet.
        """
        with self._database.begin() as connection:
            recent = connection.execute(
                "SELECT id, detail FROM audit WHERE at > ? AND who IN (?, ?) AND act = ? ORDER BY who != ? LIMIT 1",
                (int(Time.now()) - window_ms, who, new_as, act, who),
            ).fetchone()
            if recent is None:
                self._write_audit(connection, new_as or who, act, subject, {"times": 1})
                return
            row, detail = recent[0], json.loads(recent[1])
            counted = detail | {"times": detail["times"] + 1, "last from": subject}
            connection.execute("UPDATE audit SET detail = ? WHERE id = ?", (json.dumps(counted), row))

    def audit(self, most: int = 500) -> list[Own]:
        newest = "SELECT at, who, act, subject, origin, detail, before, after FROM audit ORDER BY id DESC LIMIT ?"
        return [
            {
                "at": str(Time(at)),
                "who": who,
                "act": act,
                "subject": subject,
                "origin": origin,
                **{name: json.loads(text) for name, text in zip(("detail", "before", "after"), texts, strict=True)},
            }
            for at, who, act, subject, origin, *texts in self._database.rows(newest, most)
        ]

    def _write_audit(
        self,
        connection: sqlite3.Connection,
        who: str,
        act: str,
        subject: str,
        detail: Own,
        before: Own | None = None,
        after: Own | None = None,
    ) -> None:
        now = int(Time.now())
        texts = (json.dumps(one) for one in (detail, before or {}, after or {}))
        connection.execute(
            "INSERT INTO audit (at, who, act, subject, origin, detail, before, after) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (now, str(who), act, subject, origin_of(who), *texts),
        )
        if now - self._audit_cut_at > DAY_MS:
            connection.execute("DELETE FROM audit WHERE at < ?", (now - self._keep_audit_ms,))
            self._audit_cut_at = now

    # -- how a change is made

    def _change(
        self,
        who: str,
        act: str,
        subject: str,
        detail: Own,
        change: Callable[[Draft], R],
        named: Callable[[R], str] | None = None,
        beside: Callable[[sqlite3.Connection], None] = lambda connection: None,
    ) -> R:
        """Apply to a draft, check it, write what differs: one transaction. `named`: the subject, known only afterwards.

        `beside`: what else is written with it.
        """
        with self._lock:
            with self._database.begin() as connection:
                draft = Draft(self._caught_up(connection))
                answer = change(draft)
                draft.check_parents(self._is_seen)
                changes = list(draft.changes())
                revision = rows.write(connection, draft, changes)
                name = named(answer) if named else subject
                self._write_audit(connection, who, act, name, detail, *draft.difference(changes))
                beside(connection)
            self.resolved_total += draft.resolved_total
            self._contents = draft.finished(revision)
        # Whoever asks next finds it everywhere.
        self.changed()
        return answer

    def _delete(self, who: str, kind: str, name: str, remove: Callable[[Draft], None], with_history: bool) -> None:
        def forget(connection: sqlite3.Connection) -> None:
            if with_history:
                rows.forget_history(connection, kind, name)

        self._change(who, f"delete {kind}", name, _told(with_history), remove, beside=forget)

    def _tried(self, change: Callable[[Draft], object]) -> Contents:
        draft = Draft(self.contents())
        change(draft)
        draft.check_parents(self._is_seen)
        return draft.finished(draft.before.revision)

    def _caught_up(self, connection: sqlite3.Connection) -> Contents:
        revision = rows.newest_revision(connection)
        if revision == self._contents.revision:
            return self._contents
        draft = rows.caught_up(connection, self._contents, revision)
        self.resolved_total += draft.resolved_total
        return draft.finished(revision)


class _Errors:
    """What is wrong with the rows of a file; the first of them in sentences, the others counted."""

    def __init__(self) -> None:
        self._errors: list[FieldError] = []
        self._more = 0

    def kept(self, where: str, check: Callable[..., R], *arguments: Any) -> R | None:
        """What the check gives; None where it refuses, which is noted."""
        try:
            return check(*arguments)
        except ProblemError as problem:
            if len(self._errors) < _MOST_ERRORS:
                self._errors.append(
                    FieldError(where, f"{where[:1].upper()}{where[1:]}: {problem.detail}", problem.code)
                )
            else:
                self._more += 1
        return None

    def raise_if_any(self) -> None:
        if self._more:
            self._errors.append(FieldError("", f"{self._more} more rows are not accepted."))
        if self._errors:
            raise invalid(self._errors)


def _told(with_history: bool) -> Own:
    return {"history": "deleted"} if with_history else {}


def _put_listing(draft: Draft, listing: Listing, *, replace: bool) -> Imported:
    """Raises ProblemError 422 with what is wrong with every row."""
    done = Imported()
    errors = _Errors()
    changed = {
        path
        for path, body in listing.groups.items()
        if errors.kept(f"group {path[:60]}", _put_imported_group, draft, path, body, replace)
    }
    done.groups = len(changed)
    for number, body in enumerate(listing.sites, start=1):
        done.sites += errors.kept(f"site {number}", _put_imported_site, draft, body, replace) or False
    first_rows: dict[str, int] = {}
    for number, body in enumerate(listing.targets, start=1):
        known = errors.kept(f"row {number}", _put_imported, draft, body, first_rows, number, replace)
        done.changed += known is True
        done.added += known is False
    if changed:
        # Once each, however many groups have changed.
        for name, own in draft.targets.items():
            if name not in first_rows and not changed.isdisjoint(chain(own.get("group", ""))):
                errors.kept(f"target {name}", draft.resolve_again, name)
    errors.raise_if_any()
    return done


def _patch(draft: Draft, name: str, body: object, detail: Own) -> Target:
    """`detail` gets the options that it has then. Raises ProblemError 404, 422."""
    before = draft.targets.get(name)
    if before is None:
        raise _no_target(name)
    if not isinstance(body, dict):
        raise invalid([FieldError("", "The body is not a JSON object.")])
    detail.update(options.target_body(_with_id(before | body, name)))
    return _put_known(draft, name, dict(detail))


def _put_known(draft: Draft, name: str, own: Own) -> Target:
    if name not in draft.targets:
        raise _no_target(name)
    return draft.put_target(own)


def _put_imported(draft: Draft, body: object, first_rows: dict[str, int], row: int, replace: bool) -> bool:
    """Whether it was there before. Raises ProblemError."""
    own = options.target_body(body)
    first_row = first_rows.setdefault(own["id"], row)
    if first_row != row:
        raise ProblemError(409, f"{own['id']} is the id of row {first_row} too.", code=ProblemCode.EXISTS)
    known = own["id"] in draft.before.targets
    if known and not replace:
        raise ProblemError(409, f"{own['id']} exists already.", code=ProblemCode.EXISTS)
    draft.put_target(own)
    return known


def _put_imported_group(draft: Draft, path: str, body: object, replace: bool) -> bool:
    """Whether it differs from what was there. Raises ProblemError."""
    options.check_group(path)
    group = options.group_body(body)
    before = draft.before.groups.get(path)
    if before == group:
        return False
    if before is not None and not replace:
        raise ProblemError(409, f"{path!r} has other options already.", code=ProblemCode.EXISTS)
    draft.groups[path] = group
    return True


def _put_imported_site(draft: Draft, body: object, replace: bool) -> bool:
    """Whether it differs from what was there. Raises ProblemError."""
    site = _site(body)
    before = draft.before.sites.get(site.id)
    _put_site(draft, site)
    if before == draft.sites[site.id]:
        return False
    if before is not None and not replace:
        raise ProblemError(409, f"{site.id} is set up differently already.", code=ProblemCode.EXISTS)
    return True


def _put_site(draft: Draft, site: Site) -> None:
    """What its key says of a site stays as it is."""
    before = draft.sites.get(site.id)
    draft.sites[site.id] = structs.replace(site, disabled=before is not None and before.disabled)


def _site(body: object) -> Site:
    """Raises ProblemError 422."""
    name = body.get("id") if isinstance(body, dict) else None
    if name is None:
        raise invalid([FieldError("id", f"id is missing; use {_SITE_NAMES}.")])
    try:
        parse_site(str(name))
    except ValueError:
        raise invalid([FieldError("id", f"id: {str(name)[:63]!r} cannot name a site; use {_SITE_NAMES}.")]) from None
    return options.site_body(body, str(name))


def _with_id(body: object, name: str) -> object:
    if isinstance(body, dict):
        if body.get("id") not in (None, name):
            sentence = f"id: {str(body['id'])[:63]!r} is not accepted; an id is for life: {name!r}."
            raise invalid([FieldError("id", sentence, ProblemCode.DOES_NOT_FIT)])
        return body | {"id": name}
    return body


def _known_maintenance(draft: Draft, name: str) -> Maintenance:
    found = draft.maintenances.get(name)
    if found is None:
        raise ProblemError(404, f"There is no maintenance {name[:80]!r}.")
    return found


def _no_target(name: str) -> ProblemError:
    return ProblemError(404, f"There is no target {name[:80]!r}.")
