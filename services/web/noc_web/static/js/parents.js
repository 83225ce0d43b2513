// @ts-check
// Options that name parents: groups of alternatives like core-1|core-2, from one site like paris:core-1|core-2. Pure.

/** @typedef {{site: string, ids: string[]}} Group `site`: "" for all of them */

const NONE = "-";
/** Of thousands a list of suggestions shows nobody more. */
const MOST = 200;
export const PARENTS = ["parents", "parent_groups", "site_parents"];

/** What one of these options says, group by group. @param {string} name @param {readonly string[]} value @returns {Group[]} */
export function groupsIn(name, value) {
  if (name === "parents") return value.length ? [{ site: "", ids: [...value] }] : [];
  return value.map((entry) => {
    const colon = entry.indexOf(":");
    const group = entry.slice(colon + 1);
    return { site: entry.slice(0, Math.max(colon, 0)), ids: group === NONE ? [] : group.split("|") };
  });
}

/** How what is being typed into one of these options can go on. @param {string} name @param {string} text
 * @param {readonly string[]} ids of targets @param {readonly string[]} sites @returns {string[]} */
export function completions(name, text, ids, sites) {
  const colon = text.indexOf(":");
  if (name === "site_parents" && colon < 0) return sites.map((site) => `${site}:`).filter((one) => one.startsWith(text));
  const head = text.slice(0, Math.max(colon, text.lastIndexOf("|")) + 1);
  const chosen = head.slice(colon + 1).split("|");
  const known = ids.filter((id) => !chosen.includes(id)).map((id) => head + id);
  const all = name === "site_parents" && head.endsWith(":") ? [head + NONE, ...known] : known;
  return all.filter((one) => one.startsWith(text)).slice(0, MOST);
}
