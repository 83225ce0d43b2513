// @ts-check
// Words for who is told of what. Pure.

/** What a route is about, as a sentence's part. @param {any} route */
export function whenOf(route) {
  const parts = [];
  if (route.severities.length) parts.push(either(route.severities));
  if (route.kinds.length) parts.push(either(route.kinds.map((/** @type {string} */ one) => one.replaceAll("-", " "))));
  if (route.groups.length) parts.push(`in ${either(route.groups.map((/** @type {string} */ one) => one || "all targets"))}`);
  if (route.tags.length) parts.push(`with the tag ${either(route.tags)}`);
  if (route.hours) parts.push(`${route.hours} (${route.zone})`);
  const what = parts.length ? parts.join(", ") : "every incident";
  const later = route.after_min ? `; after ${route.after_min} min unacknowledged` : "";
  return `${what}${later}${route.remind_min ? `; again every ${route.remind_min} min` : ""}`;
}

/** @param {readonly string[]} words */
export const either = (words) => (words.length < 2 ? (words[0] ?? "") : `${words.slice(0, -1).join(", ")} or ${words[words.length - 1]}`);

/** What keeps a route off. New codes may come. @type {Record<string, string>} */
const KEPT_OFF = {
  matches: "matches",
  "other-kind": "no: for other kinds of incidents",
  "other-severity": "no: for another severity",
  "other-hours": "no: at other hours",
  "other-group": "no: for other groups",
  "other-tags": "no: for other tags",
  later: "not yet: only once it has been open and unacknowledged for longer",
};

/** @param {string} code */
export const matchOf = (code) => KEPT_OFF[code] ?? code.replaceAll("-", " ");

const LONGEST_ID = 63;

/** An id made of a name, as the server makes them. @param {string} text */
export const slug = (text) =>
  text
    .normalize("NFKD")
    .replace(/[\u0300-\u036f]/g, "")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, LONGEST_ID)
    .replace(/-+$/, "");

/** An id made of a name that nothing has yet: ops, ops-2, ops-3.
 * @param {string} name @param {string} otherwise where the name gives none @param {readonly string[]} taken */
export function freeId(name, otherwise, taken) {
  const id = slug(name) || otherwise;
  let free = id;
  for (let number = 2; taken.includes(free); number += 1) {
    const end = `-${number}`;
    free = `${id.slice(0, LONGEST_ID - end.length).replace(/-+$/, "")}${end}`;
  }
  return free;
}
