// @ts-check
// Which incidents are shown, and what they are called. Pure.

/** @typedef {import("./messages.d.ts").Incident} Incident */

export const SHOWN = /** @type {const} */ (["open", "past", "mine", "all"]);

/** How a target was called when it became part of an incident; it may have been renamed or deleted since.
 * @param {Incident} incident @param {string} id @param {ReadonlyMap<string, any>} rows */
export const called = (incident, id, rows) => incident.members?.find((one) => one.target === id)?.name || (rows.get(id)?.name ?? id);

/** What an incident is about, in words. @param {Incident} incident @param {ReadonlyMap<string, any>} rows */
export function subject(incident, rows) {
  const total = Math.max(incident.total_members ?? 0, incident.targets.length);
  return about(total ? called(incident, /** @type {string} */ (incident.targets[0]), rows) : null, total, incident.site);
}

/** `first`: what the first of its targets is called, null where it is about none. @param {string|null} first @param {number} total @param {string|null} site */
export function about(first, total, site) {
  if (first === null) return site ? `site ${site}` : "NOC itself";
  return total > 1 ? `${first} and ${total - 1} more` : first;
}

/** Whether somebody may say that they have it. @param {Incident} one */
export const isWaiting = (one) => !one.resolved_at && !one.acknowledged;

/** @param {readonly Incident[]} incidents @param {{show: string, me: string, text: string, group: string, site: string, kind: string, unacknowledged: boolean}} filter
 * @param {ReadonlyMap<string, any>} rows @returns {Incident[]} */
export function matching(incidents, { show, me, text, group, site, kind, unacknowledged }, rows) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return incidents.filter(
    (one) =>
      (show !== "past" || one.resolved_at) &&
      (show !== "mine" || one.acknowledged?.by === me) &&
      (!group || groupsOf(one, rows).some((path) => path === group || path.startsWith(`${group}/`))) &&
      (!site || one.site === site || one.sites.includes(site)) &&
      (!kind || one.kind === kind) &&
      (!unacknowledged || !one.acknowledged) &&
      (!words.length || hasAll(one, words, rows)),
  );
}

/** Those that its targets were in. @param {Incident} one @param {ReadonlyMap<string, any>} rows @returns {string[]} */
const groupsOf = (one, rows) => (one.members.length ? one.members.map((member) => member.group) : one.targets.map((id) => rows.get(id)?.group ?? ""));

/** @param {Incident} one @param {readonly string[]} words @param {ReadonlyMap<string, any>} rows */
function hasAll(one, words, rows) {
  const members = one.members.map(({ target, name, address, group }) => `${target} ${name} ${address} ${group}`);
  const said = [one.id, one.kind, subject(one, rows), ...one.targets, ...members, one.site, ...one.sites, one.cause, one.acknowledged?.by, one.acknowledged?.comment, ...(one.comments ?? []).map(({ by, text }) => `${by} ${text}`)];
  const all = said.filter(Boolean).join("\n").toLowerCase();
  return words.every((word) => all.includes(word));
}
