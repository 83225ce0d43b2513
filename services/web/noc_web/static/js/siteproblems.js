// @ts-check
// What is wrong with a site, for banners, lists and tables: in one word, a state's colour, and a sentence. Pure.

import { duration, percent } from "./format.js";

/** @typedef {import("./live.d.ts").SiteRow} SiteRow */

/** How a site is, in a word and a state's colour. @param {SiteRow} site @returns {[string, string]} */
export function presence(site) {
  if (site.disabled) return ["disabled", "PAUSED"];
  if (!site.online) return ["offline", "DOWN"];
  if (site.isolated) return ["isolated", "UNKNOWN"];
  if (site.overloaded) return ["overloaded", "UNKNOWN"];
  return ["online", "UP"];
}

/** Whether it casts no vote now. @param {SiteRow} site */
export const isBlind = (site) => site.disabled || !site.online || site.isolated || site.overloaded;

/** Why it is blind. @param {SiteRow} site */
export function whyBlind(site) {
  if (site.disabled) return "it is disabled: its key lets nobody in";
  if (!site.online) return "its prober is offline";
  if (site.isolated) return "isolated: none of its anchors answers";
  return `overloaded: it could measure ${percent(site.coverage_pct)} of the last minute's cycles`;
}

/** Which release of the prober lags behind the server, or is ahead of it; "" where none does. @param {SiteRow} site */
export function lag(site) {
  const behind = site.versions_behind;
  if (!behind) return "";
  const releases = Math.abs(behind) === 1 ? "one version" : `${Math.abs(behind)} versions`;
  return `${releases} ${behind > 0 ? "behind" : "ahead"}`;
}

/** What else is wrong, in sentences; none of it takes its vote. @param {SiteRow} site @returns {string[]} */
export function mistakes(site) {
  const found = [];
  if (site.hosts.length > 1) found.push(`Two probers use the site name ${site.id}: on ${site.hosts.join(" and ")}. Stop one of them, or give it a name of its own.`);
  if (site.clock_wrong && site.clock_ahead_ms !== null) {
    const off = duration(Math.abs(site.clock_ahead_ms) / 1000);
    found.push(`The clock of ${site.label} is ${off} ${site.clock_ahead_ms > 0 ? "ahead" : "behind"}. Set it right: times from there are wrong until then.`);
  }
  if (site.versions_behind !== null && Math.abs(site.versions_behind) > 1) {
    found.push(`The prober of ${site.label} is ${lag(site)}: only one version apart is sure to work. Update ${site.versions_behind > 0 ? "that prober" : "this server"}.`);
  }
  return found;
}
