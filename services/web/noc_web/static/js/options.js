// @ts-check
// The options of targets and groups: form fields from the API's own description of them, what is typed into these, and
// what is in force where groups hand options down. Pure.

/**
 * @typedef {"text"|"number"|"choice"|"truth"|"words"|"sites"|"note"} Kind
 * @typedef {{name: string, label: string, kind: Kind, section: string, unit: string, help: string, choices: readonly string[],
 *   suggestions: readonly string[], required: boolean, inherited: "nearest"|"added"|"level"|null, unset: string}} Field `unset`: what 0, an empty list
 *   or null stands for
 * @typedef {{title: string, fields: readonly Field[]}} Section
 * @typedef {{target: readonly Section[], group: readonly Section[], defaults: Record<string, any>}} Declared
 * @typedef {{from: string, options: Record<string, any>}} Level `from`: a group's path; DEFAULT and OWN are no paths
 * @typedef {{value: any, from: string}} Origin
 */

/** Of what nobody sets, and of what the target sets itself: no group has such a path. */
export const DEFAULT = "/default";
export const OWN = "/own";

/** What names a target comes first in its form. */
const FIRST = ["address", "name", "id", "group"];
const UNITS = /** @type {const} */ ([["_ms", "ms"], ["_s", "s"], ["_pct", "%"], ["_bytes", "bytes"]]);
const LONG_TEXT = 1000;

/** Forms and defaults, as the OpenAPI document declares them. @param {any} described @returns {Declared} */
export function declared(described) {
  const { Target, NewTarget, GroupOptions } = described.components.schemas;
  const defaults = Object.entries(Target.properties).filter(([, one]) => "default" in /** @type {any} */ (one));
  return {
    target: sections(Object.entries(NewTarget.properties).map(([name, schema]) => field(name, schema))),
    group: sections(Object.entries(GroupOptions.properties).map(([name, schema]) => field(name, schema))),
    defaults: Object.fromEntries(defaults.map(([name, one]) => [name, /** @type {any} */ (one).default])),
  };
}

/** @param {string} name @param {any} schema @returns {Field} */
function field(name, schema) {
  const found = withoutNull(schema);
  const range = found.anyOf?.find((/** @type {any} */ one) => one.minimum !== undefined) ?? found;
  const limits = [range.minimum, range.maximum].every((one) => one !== undefined) ? `; ${range.minimum} to ${range.maximum}` : "";
  const help = inForm(found.description ?? "");
  return {
    name,
    label: found.title ?? name,
    kind: kindOf(name, found),
    section: found["x-section"] ?? "Others",
    unit: UNITS.find(([end]) => name.endsWith(end))?.[1] ?? "",
    help: help + limits,
    unset: /; (?:0|empty): (.+)$/.exec(help)?.[1] ?? "",
    choices: found.enum ?? [],
    suggestions: found.examples ?? [],
    required: name === FIRST[0],
    inherited: found["x-inherited"] ?? null,
  };
}

/** A description of the API for whoever fills in a form. @param {string} text */
const inForm = (text) => text.replace(/^true: /, "yes: ").replace(/^false: /, "no: ");

/** A schema that null may stand for as well, without that. @param {any} schema @returns {any} */
function withoutNull(schema) {
  const others = (schema.anyOf ?? []).filter((/** @type {any} */ one) => one.type !== "null");
  if (others.length !== 1) return schema;
  const { anyOf, ...rest } = schema;
  return withoutNull({ ...rest, ...others[0] });
}

/** @param {string} name @param {any} schema @returns {Kind} */
function kindOf(name, schema) {
  if (schema.enum) return "choice";
  if (schema.type === "boolean") return "truth";
  if (schema.type === "number" || schema.type === "integer") return "number";
  if (schema.type === "array") return name === "sites" ? "sites" : "words";
  return (schema.maxLength ?? 0) >= LONG_TEXT ? "note" : "text";
}

/** In the order in which they are declared, but for what names a target. @param {Field[]} fields @returns {Section[]} */
function sections(fields) {
  const rank = (/** @type {Field} */ one) => (FIRST.includes(one.name) ? FIRST.indexOf(one.name) : FIRST.length);
  const ordered = [...fields].sort((one, other) => rank(one) - rank(other));
  const titles = [...new Set(ordered.map((one) => one.section))];
  return titles.map((title) => ({ title, fields: ordered.filter((one) => one.section === title) }));
}

/** @param {readonly Section[]} all @returns {Field[]} */
export const fieldsOf = (all) => all.flatMap((section) => section.fields);

/** By the names that the API knows. @param {readonly Field[]} fields @returns {Record<string, string>} */
export const labelsOf = (fields) => Object.fromEntries(fields.map((field) => [field.name, field.label]));

/** What is typed in a field for a stored value; empty where it is inherited. @param {Field} field @param {any} value */
export function typed(field, value) {
  if (field.kind === "words") return value ?? [];
  if (field.kind === "sites") return value ?? null;
  if (value === null || value === undefined) return "";
  return String(value);
}

/** Every field as it is typed for what is stored. @param {readonly Field[]} fields @param {Record<string, any>} stored */
export const allTyped = (fields, stored) => Object.fromEntries(fields.map((field) => [field.name, typed(field, stored[field.name])]));

/** The value of what was typed; undefined: inherited. What is no number is sent as it is: the server says what is wrong.
 * @param {Field} field @param {any} text */
export function value(field, text) {
  if (field.kind === "words") return text.length ? text : undefined;
  if (field.kind === "sites") return text ?? undefined;
  const trimmed = String(text ?? "").trim();
  if (!trimmed) return undefined;
  if (field.kind === "truth") return trimmed === "true";
  if (field.kind !== "number") return trimmed;
  const number = Number(trimmed.replace(",", "."));
  return Number.isFinite(number) ? number : trimmed;
}

/** Own options from all that was typed. @param {readonly Field[]} fields @param {Record<string, any>} typedIn */
export function own(fields, typedIn) {
  return Object.fromEntries(fields.map((field) => [field.name, value(field, typedIn[field.name])]).filter(([, found]) => found !== undefined));
}

/** What differs between own options as they were and as they are now; null: given back to the group.
 * @param {Record<string, any>} before @param {Record<string, any>} now @returns {Record<string, any>} */
export function changed(before, now) {
  const names = [...new Set([...Object.keys(before), ...Object.keys(now)])];
  return Object.fromEntries(names.filter((name) => JSON.stringify(before[name]) !== JSON.stringify(now[name])).map((name) => [name, now[name] ?? null]));
}

/** Who may set an option of a member of `group`, from the defaults down to its nearest group.
 * @param {Record<string, any>} defaults @param {readonly {path: string, options: Record<string, any>}[]} groups @param {string} group @returns {Level[]} */
export function levels(defaults, groups, group) {
  const parts = group.split("/").filter(Boolean);
  const known = new Map(groups.map((one) => [one.path, one.options]));
  const paths = ["", ...parts.map((_, place) => parts.slice(0, place + 1).join("/"))];
  return [{ from: DEFAULT, options: defaults }, ...paths.filter((path) => known.has(path)).map((path) => ({ from: path, options: known.get(path) ?? {} }))];
}

/** What is in force after all levels, and where each part of it comes from: several parts only of lists that add up.
 * @param {Field} field @param {readonly Level[]} all from the defaults down @returns {Origin[]} */
export function inForce({ name, inherited }, all) {
  if (inherited === "added") return added(name, all);
  const setters = inherited === "nearest" ? all : all.filter((level) => level.from === DEFAULT || level.from === OWN);
  const found = setters.filter((level) => level.options[name] !== undefined && level.options[name] !== null).pop() ?? setters.find((level) => name in level.options);
  return found ? [{ value: found.options[name], from: found.from }] : [];
}

/** @param {string} name @param {readonly Level[]} all @returns {Origin[]} */
function added(name, all) {
  /** @type {Origin[]} */
  let total = [];
  for (const { from, options } of all) {
    if (options[`replace_${name}`]) total = [];
    const known = total.flatMap((one) => one.value);
    const more = (options[name] ?? []).filter((/** @type {any} */ one) => !known.includes(one));
    if (more.length) total.push({ value: more, from });
  }
  return total;
}

/** The whole value of what is in force. @param {Field} field @param {readonly Origin[]} origins */
export const whole = (field, origins) => (field.inherited === "added" ? origins.flatMap((one) => one.value) : origins[0]?.value);

/** A value in words. @param {Field} field @param {any} found */
export function inWords(field, found) {
  if (field.kind === "truth") return found ? "yes" : "no";
  if (field.unset && !(Array.isArray(found) ? found.length : found)) return field.unset;
  if (Array.isArray(found)) return found.length ? found.join(", ") : "none";
  if (found === null || found === undefined || found === "") return "none";
  return `${found}${field.unit ? ` ${field.unit}` : ""}`;
}
