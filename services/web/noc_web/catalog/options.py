"""What a target or a group may be set to: every mistake is one sentence about one field.

Names, kinds, limits and the words for them come from the declarations in `noc_bus.messages`.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, get_type_hints

import msgspec
from msgspec import Meta

from noc_bus.messages import GROUP_PATTERN, LINES_PATTERN, MISLEADING, Message, Site, Target, fields_of
from noc_bus.time import Time
from noc_rules.inheritance import OPTIONS, resolve
from noc_web.catalog import addresses
from noc_web.problem import FieldError, ProblemCode, invalid

RESERVED_IDS: Final = ("import", "export")
"""What stands in the place of an id in addresses of the API."""
_UNITS: Final = {"s": "seconds", "ms": "milliseconds", "pct": "percent", "bytes": "bytes"}
_HANDED_DOWN: Final = {"nearest": "the nearest wins", "added": "add up", "level": "not handed down", "": "cannot"}
_NULL: Final = "; null: "
"""Where the description of an option says what null means."""
_NUMBERS: Final = {"integer": int, "number": float}
_LONGEST_SHOWN: Final = 80
# Whoever sends another kind of thing learns that from the first names.
_MOST_UNKNOWN: Final = 10


@dataclass(frozen=True)
class Field:
    """One option as it is declared: its type, and its JSON schema."""

    name: str
    type: Any
    schema: Mapping[str, Any]

    @property
    def kind(self) -> str:
        """array, boolean, integer, number or string."""
        return str(self._value.get("type", "string"))

    @property
    def handed_down(self) -> str:
        """nearest, added, level, or nothing where a group cannot set it."""
        return str(self.schema.get("x-inherited", ""))

    @property
    def description(self) -> str:
        """What it means, for whoever sets it."""
        said = str(self.schema.get("description", ""))
        return said if self._null is None else said.replace(_NULL, f"; {self._null}: ")

    @property
    def default(self) -> Any:
        """As it would be set."""
        found = self.schema.get("default")
        return {"0": 0, "empty": []}.get(self._null or "") if found is None else found

    @property
    def takes_0(self) -> bool:
        """Whether 0 is set for what null means in a message, and not a number as any other."""
        return self._null == "0"

    @property
    def own_type(self) -> Any:
        """The type that describes it where it is set."""
        if self._null is None:
            return self.type
        kind = self.type.__origin__
        if self._is_0_beside:
            limits = {name: self._value[name] for name in ("minimum", "maximum")}
            kind = Annotated[_NUMBERS[self.kind], Meta(extra_json_schema={"anyOf": [{"const": 0}, limits]})] | None
        return Annotated[(kind, *self.type.__metadata__, Meta(description=self.description))]

    @property
    def accepts(self) -> str:
        """In words."""
        return _accepts(self.name, self._value) + (", or 0" if self._is_0_beside else "")

    @property
    def _null(self) -> str | None:
        """What is set for what null means in a message, as null inherits here; None: null means nothing there."""
        if _NULL not in self.schema.get("description", ""):
            return None
        return "empty" if self.kind == "array" else "0"

    @property
    def _is_0_beside(self) -> bool:
        """Whether 0 is none of the numbers between its limits."""
        return self.takes_0 and self._value["minimum"] > 0

    @property
    def _value(self) -> Mapping[str, Any]:
        """The schema of a value that is there, where null stands for something too."""
        return _not_null(self.schema)


def fields(message: type[Message]) -> dict[str, Field]:
    """Every option of a message, in the order declared."""
    (_, *_), components = msgspec.json.schema_components([message], schema_hook=_schema_of_time)
    properties = components[message.__name__]["properties"]
    types = get_type_hints(message, include_extras=True)
    return {name: Field(name, types[name], properties[name]) for name in fields_of(message)}


def _schema_of_time(kind: type) -> dict[str, Any]:
    if kind is Time:
        return {"type": "string", "format": "date-time"}
    raise NotImplementedError


TARGET: Final = fields(Target)
GROUP: Final = {name: TARGET[name] for name in OPTIONS}
_NOT_SET_HERE: Final = frozenset({"disabled"})
SITE: Final = {name: field for name, field in fields(Site).items() if name not in _NOT_SET_HERE}
"""What people set of a site. Whether it is disabled is the affair of its key."""
_LONGEST_NAME: Final = int(TARGET["name"].schema["maxLength"])
_GROUP: Final = re.compile(GROUP_PATTERN)
_MISLEADING: Final = re.compile(rf"[{MISLEADING}]")
_LONGEST_GROUP: Final = int(TARGET["group"].schema["maxLength"])


def target_body(body: object) -> dict[str, Any]:
    """A target's own options, checked one by one. Null is as good as absent: inherited. Raises ProblemError 422."""
    own = checked(body, TARGET)
    if "address" not in own:
        raise invalid([FieldError("address", f"address is missing; use {TARGET['address'].accepts}.")])
    own.setdefault("name", own["address"][:_LONGEST_NAME])
    made = (one for one in (slug(own["name"]), slug(own["address"])) if one and one not in RESERVED_IDS)
    own.setdefault("id", next(made, ""))
    if own["id"] in RESERVED_IDS:
        sentence = f"id: {own['id']!r} is the name of a route of the API; choose another."
        raise invalid([FieldError("id", sentence, ProblemCode.EXISTS)])
    if not own["id"]:
        sentence = f"No id can be made of the name and address; use {TARGET['id'].accepts}."
        raise invalid([FieldError("id", sentence, ProblemCode.DOES_NOT_FIT)])
    return own


def group_body(body: object) -> dict[str, Any]:
    """A group's options, checked. Raises ProblemError 422."""
    return checked(body, GROUP)


def site_body(body: object, site: str) -> Site:
    """A site, checked. Raises ProblemError 422."""
    return Site(**({"label": site} | checked(body, SITE) | {"id": site}))


def resolved(own: Mapping[str, Any], groups: Mapping[str, Mapping[str, Any]]) -> Target:
    """The full target, its groups' options applied. Raises ProblemError 422 where they do not fit together."""
    effective = resolve(own, own.get("group", ""), groups)
    too_many = [
        _too_many(name, len(value))
        for name, value in effective.items()
        if isinstance(value, list) and len(value) > _most(name)
    ]
    if too_many:
        raise invalid(too_many)
    target = msgspec.convert(effective, Target)
    errors = list(_misfits(target))
    if errors:
        raise invalid(errors)
    return target


def slug(text: str) -> str:
    """An id made of a name: Core Röuter 1 becomes core-router-1."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:63].rstrip("-")


def check_group(path: str) -> None:
    """Raises ProblemError 422 for what cannot be the path of a group."""
    reason = _group_reason(path)
    if reason or len(path) > _LONGEST_GROUP:
        error = ValueError(reason or f"it has {len(path)} characters")
        raise invalid([FieldError("group", _sentence(TARGET["group"], path, error))])


def checked(body: object, known: Mapping[str, Field]) -> dict[str, Any]:
    """What a body sets of these, each checked; null is as good as absent. Raises ProblemError 422."""
    if not isinstance(body, dict):
        raise invalid([FieldError("", "The body is not a JSON object.")])
    unknown = [str(name) for name in body if name not in known]
    errors = [
        FieldError(name[:60], f"{name[:60]!r} is not an option; there are {', '.join(known)}.")
        for name in unknown[:_MOST_UNKNOWN]
    ]
    if len(unknown) > _MOST_UNKNOWN:
        errors.append(FieldError("", f"{len(unknown) - _MOST_UNKNOWN} more are not options."))
    checked: dict[str, Any] = {}
    for name, field in known.items():
        if body.get(name) is not None:
            try:
                checked[name] = _value(field, body[name])
            except (msgspec.ValidationError, ValueError) as error:
                is_form = not isinstance(error, addresses.NoHostError)
                code = ProblemCode.NOT_ACCEPTED if is_form else ProblemCode.DOES_NOT_FIT
                errors.append(FieldError(name, _sentence(field, body[name], error), code))
    if errors:
        raise invalid(errors)
    return checked


def _value(field: Field, value: Any) -> Any:
    """The value in its usual form. Raises ValueError with the reason, msgspec.ValidationError without one."""
    if value == 0 and not isinstance(value, bool) and field.takes_0:
        return 0
    value = msgspec.convert(value, field.type)
    schema = _not_null(field.schema)
    if isinstance(value, list):
        return [_text(one, schema["items"]) for one in value]
    if not isinstance(value, str):
        return value
    return _text(value, schema)


def _text(text: str, schema: Mapping[str, Any]) -> str:
    """What the declared form says of a text. Raises ValueError with the reason."""
    if _is_address(schema):
        return addresses.checked(text)
    pattern = schema.get("pattern")
    if pattern == GROUP_PATTERN:
        if reason := _group_reason(text):
            raise ValueError(reason)
        return text
    if pattern and not re.search(pattern, text):
        raise ValueError(_text_reason(text))
    if pattern == LINES_PATTERN:
        # Every system ends a line in its own way.
        return text.replace("\r\n", "\n").replace("\r", "\n")
    return text.strip()


def _is_address(schema: Mapping[str, Any]) -> bool:
    return any(one.get("format") == "ipv4" for one in schema.get("anyOf", ()))


def _text_reason(text: str) -> str:
    if found := _MISLEADING.search(text):
        character = found.group()
        return f"has U+{ord(character):04X}, {unicodedata.name(character, 'a control character').lower()}"
    if not text.strip():
        return "is blank"
    return "is not of this form" if any(one.isprintable() for one in text) else "has no visible character"


def _group_reason(path: str) -> str:
    """Why this is no path; empty: it is one."""
    if _GROUP.search(path):
        return ""
    for name in path.split("/"):
        if name in (".", ".."):
            return f"{name!r} cannot be the name of a group: browsers take it out of an address"
        if not name:
            return "it has an empty name in it"
        if len(name) > 63:
            return f"{name[:20]!r}… is longer than 63 characters"
        if name != name.strip():
            return f"{name[:63]!r} begins or ends with a space"
    return _text_reason(path)


def _sentence(field: Field, value: object, error: Exception) -> str:
    reason = "" if isinstance(error, msgspec.ValidationError) else f" ({error})"
    return f"{field.name}: {_shown(value)} is not accepted{reason}; use {field.accepts}."


def _shown(value: object) -> str:
    """A value as short as a sentence can bear; what is long is cut before it is made text."""
    if isinstance(value, str | list):
        value = value[:_LONGEST_SHOWN]
    elif isinstance(value, dict):
        return f"an object with {len(value)} members"
    return msgspec.json.encode(value).decode()[:_LONGEST_SHOWN]


def _not_null(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema without its null."""
    options = [one for one in schema.get("anyOf", ()) if one != {"type": "null"}]
    return options[0] if {"type": "null"} in schema.get("anyOf", ()) else schema


def _accepts(name: str, schema: Mapping[str, Any]) -> str:
    """In words what a declaration accepts."""
    if "x-accepts" in schema:
        return str(schema["x-accepts"])
    if "enum" in schema:
        *others, last = schema["enum"]
        return f"{', '.join(others)} or {last}"
    kind = schema.get("type")
    if kind == "boolean":
        return "true or false"
    if kind == "array":
        return f"a list of at most {schema['maxItems']}, each {_accepts('', schema['items'])}"
    if kind in ("integer", "number"):
        what = "a whole number" if kind == "integer" else "a number"
        if unit := _UNITS.get(name.rpartition("_")[2]):
            what += f" of {unit}"
        return f"{what} from {schema['minimum']} to {schema['maximum']}"
    if "maxLength" in schema:
        return f"{schema.get('minLength', 0)} to {schema['maxLength']} characters"
    return str(schema["description"])


def _most(name: str) -> int:
    return int(_not_null(TARGET[name].schema)["maxItems"])


def _too_many(name: str, count: int) -> FieldError:
    sentence = f"{name}: {count} together with those of its groups are not accepted; use at most {_most(name)}."
    return FieldError(name, sentence, ProblemCode.DOES_NOT_FIT)


def _misfits(target: Target) -> Iterator[FieldError]:
    """Options that are fine alone and not together."""
    interval_ms = target.interval_s * 1000
    if target.timeout_ms >= interval_ms:
        yield FieldError(
            "timeout_ms",
            f"timeout_ms: {target.timeout_ms:g} is not accepted; use less than the interval, {interval_ms:g} ms.",
            ProblemCode.DOES_NOT_FIT,
        )
        return
    takes_ms = (target.packets - 1) * target.packet_gap_ms + target.timeout_ms
    if takes_ms > interval_ms:
        yield FieldError(
            "packets",
            f"{target.packets} packets {target.packet_gap_ms:g} ms apart with a timeout of {target.timeout_ms:g} ms "
            f"take {takes_ms:g} ms, longer than the interval of {interval_ms:g} ms; use fewer packets, a smaller "
            "gap or timeout, or a longer interval.",
            ProblemCode.DOES_NOT_FIT,
        )


def described() -> str:
    """All options as the rows of a Markdown table, as the README has them."""
    rows = ["| option | meaning | accepts | default | groups |", "|---|---|---|---|---|"]
    for name, field in TARGET.items():
        default = json.dumps(field.default) if "default" in field.schema else "none"
        cells = (
            f"`{name}`",
            field.description.replace("|", r"\|"),
            field.accepts.replace("|", r"\|"),
            default,
            _HANDED_DOWN[field.handed_down],
        )
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


if __name__ == "__main__":
    print(described())
