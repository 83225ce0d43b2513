// @ts-check
// What a rehearsal found, made ready for a table: today beside the proposed settings.

import { counted, duration } from "./format.js";

/** @typedef {{label: string, before: string, after: string, change: string}} Line */

/** Seconds of these are shown, where there are any. */
const BAD = /** @type {const} */ (["DOWN", "UNREACHABLE", "PARTIAL", "DEGRADED"]);

/** @param {any} result @returns {Line[]} */
export function lines({ before, after }) {
  return [
    counts("Incidents", before.incidents, after.incidents),
    ...(before.untold || after.untold ? [counts("of which nobody is told", before.untold, after.untold)] : []),
    counts("Notices in all", before.notices, after.notices),
    ...recipients(before, after),
    ...BAD.filter((state) => before.seconds[state] || after.seconds[state]).map((state) => lasting(state, before.seconds[state], after.seconds[state])),
  ];
}

/** @param {any} before @param {any} after */
function recipients(before, after) {
  const [was, is] = [before, after].map((side) => new Map(side.recipients.map((/** @type {any} */ one) => [one.to, one])));
  return [...new Set([...is.keys(), ...was.keys()])].map((to) => {
    const name = (is.get(to) ?? was.get(to)).name;
    return counts(`to ${name && name !== to ? `${name} (${to})` : to}`, was.get(to)?.notices ?? 0, is.get(to)?.notices ?? 0);
  });
}

/** @param {string} label @param {number} before @param {number} after @returns {Line} */
const counts = (label, before, after) => ({ label, before: String(before), after: String(after), change: signed(after - before, String) });

/** @param {string} state @param {number} before @param {number} after @returns {Line} */
const lasting = (state, before, after) => ({ label: `Time ${state}`, before: duration(before), after: duration(after), change: signed(after - before, duration) });

/** @param {number} value @param {(value: number) => string} shown */
const signed = (value, shown) => (value ? `${value > 0 ? "+" : "−"}${shown(Math.abs(value))}` : "same");

/** What the figures do not say, in sentences. @param {any} result @param {string} from @param {(at: string) => string} told tells a time */
export function limits(result, from, told) {
  const { not_played: options, unasked: sites, recorded_from: first } = result;
  return [
    ...(options.length
      ? [`Not counted here: ${options.join(", ")}. They decide what a site sees; recorded is what it saw with the options that were in force.`]
      : []),
    ...(sites.length ? [`Nobody knows what ${sites.join(", ")} would have seen: nothing is recorded from there.`] : []),
    ...(first === null
      ? ["Nothing is recorded of this time."]
      : Date.parse(first) - Date.parse(from) > 3_600_000
        ? [`Recorded only from ${told(first)} on.`]
        : []),
    ...(result.is_of_all ? [] : [`Played with ${counted(result.targets, "target")}: those that share a group or parents with what changes.`]),
    ...(result.is_mail_set_up ? [] : ["No mail server is set up, so that nobody is mailed at all now."]),
  ];
}
