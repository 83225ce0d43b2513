// @ts-check
// The options of targets and groups as form fields, and how they are read from what was typed. Pure.

/** @typedef {{name: string, label: string, kind: "text"|"number"|"choice"|"truth"|"words"|"sites"|"note", unit?: string, help?: string,
 *   choices?: readonly string[], group?: boolean, required?: boolean}} Field */

/** `group`: a group can set it for its members.
 * @type {readonly {title: string, fields: readonly Field[]}[]} */
export const SECTIONS = [
  {
    title: "What",
    fields: [
      { name: "address", label: "Address", kind: "text", required: true, help: "IPv4, IPv6 or host name" },
      { name: "name", label: "Name", kind: "text", help: "empty: the address" },
      { name: "id", label: "Id", kind: "text", help: "empty: made from the name; stays for good" },
      { name: "group", label: "Group", kind: "text", help: "a path like core/routers" },
      { name: "tags", label: "Tags", kind: "words", group: true },
      { name: "paused", label: "Paused", kind: "truth", group: true, help: "not pinged, not judged" },
    ],
  },
  {
    title: "How it is pinged",
    fields: [
      { name: "interval_s", label: "Interval", kind: "number", unit: "s", group: true },
      { name: "packets", label: "Packets", kind: "number", group: true, help: "echo requests in a cycle" },
      { name: "packet_gap_ms", label: "Packet gap", kind: "number", unit: "ms", group: true },
      { name: "timeout_ms", label: "Timeout", kind: "number", unit: "ms", group: true },
      { name: "size_bytes", label: "Size", kind: "number", unit: "bytes", group: true },
      { name: "ttl", label: "TTL", kind: "number", group: true, help: "empty: the system's" },
      { name: "family", label: "Family", kind: "choice", choices: ["auto", "4", "6", "both"], group: true },
      { name: "sites", label: "Sites", kind: "sites", group: true, help: "those that ping it" },
    ],
  },
  {
    title: "How it is judged",
    fields: [
      { name: "down_after", label: "Down after", kind: "number", unit: "checks", group: true },
      { name: "up_after", label: "Up after", kind: "number", unit: "checks", group: true },
      { name: "degraded_loss_pct", label: "Degraded from loss", kind: "number", unit: "%", group: true },
      { name: "degraded_rtt_ms", label: "Degraded from RTT", kind: "number", unit: "ms", group: true },
      { name: "policy", label: "Policy", kind: "text", group: true, choices: ["majority", "any", "all", "1", "2", "3"], help: "how many sites must say DOWN" },
      { name: "parents", label: "Parents", kind: "words", help: "targets on the way to it; all down: unreachable" },
    ],
  },
  {
    title: "Who is told",
    fields: [
      { name: "critical", label: "Critical", kind: "truth", group: true, help: "mailed at once" },
      { name: "contacts", label: "Contacts", kind: "words", group: true, help: "mail addresses" },
      { name: "note", label: "Note", kind: "note" },
    ],
  },
];

export const FIELDS = SECTIONS.flatMap((section) => section.fields);

/** The sections of what a group can set. */
export const GROUP_SECTIONS = SECTIONS.map(({ title, fields }) => ({ title, fields: fields.filter((field) => field.group) }));

/** What is typed in a field for a stored value; empty where it is inherited. @param {Field} field @param {any} value */
export function typed(field, value) {
  if (field.kind === "words") return value ?? [];
  if (field.kind === "sites") return value ?? null;
  if (value === null || value === undefined) return "";
  return String(value);
}

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

/** What a member of `group` inherits, the nearest group winning.
 * @param {Record<string, any>} defaults @param {readonly {path: string, options: Record<string, any>}[]} groups @param {string} group */
export function inherited(defaults, groups, group) {
  const path = group.split("/").filter(Boolean);
  const known = new Map(groups.map((one) => [one.path, one.options]));
  let found = { ...defaults, ...(known.get("") ?? {}) };
  for (let length = 1; length <= path.length; length += 1) found = { ...found, ...(known.get(path.slice(0, length).join("/")) ?? {}) };
  return found;
}

/** An inherited value in words. @param {Field} field @param {any} found */
export function inWords(field, found) {
  if (field.kind === "truth") return found ? "yes" : "no";
  if (field.kind === "sites") return found?.length ? found.join(", ") : "all sites";
  if (Array.isArray(found)) return found.length ? found.join(", ") : "none";
  return found === null || found === undefined || found === "" ? "none" : String(found);
}
