// @ts-check
// Maintenance windows in words, as a form has them, and on the days of a month. Pure, but for the viewer's own time zone.

import { local } from "./format.js";

/**
 * @typedef {import("./messages.d.ts").Covered} Covered
 * @typedef {import("./messages.d.ts").Maintenance} Maintenance
 * @typedef {{title: string, covers: Covered[], how: string, minutes: string, starts: string, ends: string, fromTime: string, toTime: string,
 *   weekdays: string[], weeks: number[], days: string, zone: string, lastDay: string}} Typed
 * @typedef {{maintenance: string, start: string, end: string}} Window
 */

export const WEEKDAYS = /** @type {const} */ (["mon", "tue", "wed", "thu", "fri", "sat", "sun"]);
/** @type {Record<string, string>} */
export const DAY_NAMES = { mon: "Monday", tue: "Tuesday", wed: "Wednesday", thu: "Thursday", fri: "Friday", sat: "Saturday", sun: "Sunday" };
/** @type {readonly (readonly [number, string])[]} */
export const WEEKS = [[1, "first"], [2, "second"], [3, "third"], [4, "fourth"], [5, "fifth"], [-1, "last"]];
export const KINDS = ["target", "group", "tag", "site", "incident", "everything"];
export const LENGTHS = /** @type {const} */ ([["30", "30 min"], ["60", "1 h"], ["120", "2 h"], ["240", "4 h"], ["480", "8 h"], ["1440", "24 h"], ["10080", "7 d"]]);

/** What it covers, in words. @param {Covered} one */
export const thing = (one) => (one.kind === "everything" ? "everything" : `${one.kind} ${one.name}`);

/** @param {readonly Covered[]} covers */
export const things = (covers) => covers.map(thing).join(", ");

/** When one that repeats runs, in words; "" where it does not. @param {Maintenance} one */
export function rule(one) {
  if (one.repeats === "once") return "";
  const days = one.weekdays.map((day) => DAY_NAMES[day]).join(", ");
  const hours = `${one.from_time}–${one.to_time}`;
  if (one.repeats === "weekly") return `every ${one.weekdays.length === 7 ? "day" : days} ${hours} (${one.zone})`;
  const weeks = WEEKS.filter(([week]) => one.weeks.includes(week)).map(([, name]) => name);
  const on = weeks.length ? `${weeks.join(" and ")} ${days}` : one.days.map(dayOf).join(", ");
  return `every month on the ${on} ${hours} (${one.zone})`;
}

/** @param {number} day */
const dayOf = (day) => (day === -1 ? "last day" : `${day}.`);

/** A form that silences for an hour. @param {Covered[]} covers @param {number} nowMs @param {string} zone @returns {Typed} */
export function blank(covers, nowMs, zone) {
  return {
    title: "", covers, how: "for", minutes: "60", starts: minute(nowMs), ends: minute(nowMs + 3_600_000), fromTime: "02:00", toTime: "04:00",
    weekdays: ["sun"], weeks: [], days: "", zone, lastDay: "",
  };
}

/** A form with what there is. @param {Maintenance} one @param {number} nowMs @param {string} zone @returns {Typed} */
export function typedOf(one, nowMs, zone) {
  const before = blank(one.covers, nowMs, zone);
  const shared = { ...before, title: one.title };
  if (one.repeats === "once") return { ...shared, how: "period", starts: minute(Date.parse(one.starts_at)), ends: one.ends_at ? minute(Date.parse(one.ends_at)) : before.ends };
  return {
    ...shared, how: one.repeats, zone: one.zone, fromTime: one.from_time ?? "", toTime: one.to_time ?? "", weekdays: [...one.weekdays], weeks: [...one.weeks],
    days: one.days.map((day) => (day === -1 ? "last" : String(day))).join(", "), lastDay: one.ends_at ? minute(Date.parse(one.ends_at)) : "",
  };
}

/** What is sent for what was typed. @param {Typed} typed */
export function body(typed) {
  const shared = { title: typed.title.trim() || "Maintenance", covers: typed.covers.map((one) => (one.kind === "everything" ? { kind: one.kind } : { kind: one.kind, name: one.name.trim() })) };
  if (typed.how === "for") return { ...shared, minutes: Number(typed.minutes) };
  if (typed.how === "until") return { ...shared, zone: typed.zone, ends_at: iso(typed.ends) };
  if (typed.how === "period") return { ...shared, zone: typed.zone, starts_at: iso(typed.starts), ends_at: iso(typed.ends) };
  const repeating = { ...shared, repeats: typed.how, zone: typed.zone.trim(), from_time: typed.fromTime, to_time: typed.toTime, ...(typed.lastDay ? { ends_at: iso(typed.lastDay) } : {}) };
  if (typed.how === "weekly") return { ...repeating, weekdays: typed.weekdays };
  return typed.weeks.length ? { ...repeating, weekdays: typed.weekdays, weeks: typed.weeks } : { ...repeating, days: days(typed.days) };
}

/** Days of the month as typed: numbers, or "last". What is neither goes as it is, so that the server can name it. @param {string} text */
const days = (text) =>
  text
    .split(/[\s,;]+/)
    .filter(Boolean)
    .map((word) => (word === "last" ? -1 : /^\d+$/.test(word) ? Number(word) : word));

/** @param {string} typed a local day and time */
const iso = (typed) => {
  const at = new Date(typed);
  return Number.isNaN(at.getTime()) ? typed : at.toISOString();
};

/** For an input of days and minutes. @param {number} atMs */
const minute = (atMs) => local(atMs).slice(0, -":00".length);

/** The weeks that a month touches, Monday first, each day at its local midnight. @param {number} year @param {number} month 0 is January @returns {Date[][]} */
export function weeksOf(year, month) {
  const first = new Date(year, month, 1);
  const start = 1 - ((first.getDay() + 6) % 7);
  const rows = Math.ceil((1 - start + new Date(year, month + 1, 0).getDate()) / 7);
  return Array.from({ length: rows }, (_, row) => Array.from({ length: 7 }, (_day, column) => new Date(year, month, start + 7 * row + column)));
}

/** What runs on a day. @param {readonly Window[]} windows @param {Date} day */
export function onDay(windows, day) {
  const start = day.getTime();
  const end = new Date(day.getFullYear(), day.getMonth(), day.getDate() + 1).getTime();
  return windows.filter((one) => Date.parse(one.start) < end && Date.parse(one.end) > start);
}
