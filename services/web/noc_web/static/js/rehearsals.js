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

/** Of the options that decide what is sent: why what others would have brought is not known. @type {Record<string, string>} */
const NOT_MEASURED = {
  address: "what another address would have answered was not measured",
  family: "what the other addresses of a name would have answered was not measured",
  interval_s: "at other times than these nobody looked",
  packets: "no more echo requests were sent, and which of them would have been left out is not known",
  packet_gap_ms: "echo requests were not sent closer together or further apart",
  timeout_ms: "what came later than the timeout that was in force is not kept as an answer",
  size_bytes: "requests of another size were not sent",
  ttl: "requests with another TTL were not sent",
};

/** What an estimate is of, and how sure it is, in sentences. @param {any} estimate @param {(at: string) => string} told tells a time */
export function estimated({ target, from, cycles, recorded, before, after, assumed }, told) {
  const times = (/** @type {number} */ count) => counted(count, "time");
  return [
    `Estimated from the ${cycles.toLocaleString("en")} cycles of ${target} that are kept since ${told(from)}, judged once more by the rules of the prober; both columns begin then.`,
    `Its sites called it DOWN ${times(recorded)}; with today's options it would have been ${times(before)}, with these ${times(after)}.`,
    ...(assumed ? [`${assumed} of the ${after} may not have come: single re-checks between two cycles are not kept, and these are taken as unanswered for as long as they can have been.`] : []),
  ];
}

/** What the figures do not say, in sentences. @param {any} result @param {string} from @param {(at: string) => string} told tells a time */
export function limits(result, from, told) {
  const { not_played: options, not_measured: never, estimate, unasked: sites, recorded_from: first } = result;
  const others = options.filter((/** @type {string} */ one) => !never.includes(one));
  return [
    ...(others.length
      ? [`Not counted${estimate ? ` of targets other than ${estimate.target}` : ""}: ${others.join(", ")}. They decide what a site makes of its checks; recorded is what it made of them with the options that were in force.`]
      : []),
    ...never.map((/** @type {string} */ one) => `Not counted: ${one}; ${NOT_MEASURED[one] ?? "what it would have changed was not measured"}.`),
    ...(sites.length ? [`Nobody knows what ${sites.join(", ")} would have seen: nothing is recorded from there.`] : []),
    ...(first === null
      ? ["Nothing is recorded of this time."]
      : Date.parse(first) - Date.parse(from) > 3_600_000
        ? [`Recorded only from ${told(first)} on.`]
        : []),
    ...(result.before.group_wait_s === result.after.group_wait_s
      ? []
      : [`Gathered for ${result.after.group_wait_s} s, today for ${result.before.group_wait_s} s: that is NOC_GROUP_WAIT_S of the alerter, and is not saved with this form.`]),
    ...(result.is_of_all ? [] : [`Played with ${counted(result.targets, "target")}: those that share a group or parents with what changes.`]),
    ...(result.is_mail_set_up ? [] : ["No mail server is set up, so that nobody is mailed at all now."]),
  ];
}
