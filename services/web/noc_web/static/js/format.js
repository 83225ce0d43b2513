// @ts-check
// Values as people read them. Every time is in the viewer's own zone. Pure but for that.

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const DAY = new Intl.DateTimeFormat(undefined, { year: "numeric", month: "2-digit", day: "2-digit" });
const SHORT_DAY = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });
const NONE = "–";

/** @param {string|number|null|undefined} at */
const date = (at) => (at === null || at === undefined ? null : new Date(at));

/** @param {string|number|null|undefined} at */
export const clock = (at) => (date(at) ? CLOCK.format(/** @type {Date} */ (date(at))) : NONE);

/** The day without its year, for axes. @param {number} at */
export const day = (at) => SHORT_DAY.format(new Date(at));

/** The time, with the day before it unless it is today.
 * @param {string|number|null|undefined} at */
export function moment(at) {
  const when = date(at);
  if (!when) return NONE;
  const today = DAY.format(new Date());
  return DAY.format(when) === today ? CLOCK.format(when) : full(at);
}

/** Day and time, always both.
 * @param {string|number|null|undefined} at */
export const full = (at) => (date(at) ? `${DAY.format(/** @type {Date} */ (date(at)))} ${clock(at)}` : NONE);

/** Day and time with the zone's offset, for titles.
 * @param {string|number|null|undefined} at */
export const exact = (at) => (date(at) ? `${full(at)} ${offset(/** @type {Date} */ (date(at)))}` : "");

/** How far the viewer's zone is from UTC at a time. @param {Date} when */
function offset(when) {
  const minutes = -when.getTimezoneOffset();
  const [hours, rest] = [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60];
  return minutes ? `UTC${minutes < 0 ? "−" : "+"}${hours}${rest ? `:${String(rest).padStart(2, "0")}` : ""}` : "UTC";
}

/** The viewer's zone, as forms and the API have it. */
export const ownZone = () => new Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

/** The viewer's zone, in which every time of the page is. */
export function zone() {
  const name = ownZone();
  const now = offset(new Date());
  return name === "UTC" ? now : `${name} (${now})`;
}

const UNITS = /** @type {const} */ ([[86_400, "d"], [3_600, "h"], [60, "min"], [1, "s"]]);

/** The two largest units that count: 3 d 4 h, 12 s.
 * @param {number|null|undefined} seconds */
export function duration(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return NONE;
  let left = Math.max(0, Math.round(seconds));
  const parts = [];
  for (const [size, unit] of UNITS) {
    const count = Math.floor(left / size);
    left -= count * size;
    if (count || (unit === "s" && !parts.length)) parts.push(`${count} ${unit}`);
    else if (parts.length) break;
    if (parts.length === 2) break;
  }
  return parts.join(" ");
}

/** Three digits, counted after rounding: 9.996 is 10.0. @param {number|null|undefined} value in milliseconds */
export function ms(value) {
  if (value === null || value === undefined) return NONE;
  return `${value < 9.995 ? value.toFixed(2) : value < 99.95 ? value.toFixed(1) : Math.round(value)} ms`;
}

/** So many digits, cut where they would be more than the value: 99.9996 is no 100, and 0.0004 no 0. @param {number} value @param {number} digits */
function cut(value, digits) {
  const step = 10 ** -digits;
  if (value > 0 && value < step) return `< ${step.toFixed(digits)}`;
  const text = value.toFixed(digits);
  return Number(text) > value ? (Number(text) - step).toFixed(digits) : text;
}

/** A difference of two percentages, in percentage points: ±0 is only none at all. @param {number|null} value */
export function points(value) {
  if (value === null) return "";
  // What two sums of seconds differ by in floating point is no change.
  if (Math.abs(value) < 1e-9) return "±0.000";
  if (Math.abs(value) < 0.001) return value > 0 ? "< +0.001" : "> −0.001";
  return `${value > 0 ? "+" : "−"}${Math.abs(value).toFixed(3)}`;
}

/** Loss and coverage, where half a percent is a lot. Only nothing is 0, and only all is 100.
 * @param {number|null|undefined} value */
export function percent(value) {
  if (value === null || value === undefined) return NONE;
  if (Number.isInteger(value)) return `${value} %`;
  if (value < 0.1) return "< 0.1 %";
  if (value > 99.9) return "> 99.9 %";
  return `${value < 10 ? value.toFixed(1) : value < 99 ? Math.round(value) : cut(value, 1)} %`;
}

/** Uptime: never rounded up to a hundred that was not reached.
 * @param {number|null|undefined} value */
export function uptime(value) {
  if (value === null || value === undefined) return NONE;
  return `${value === 100 ? "100" : cut(value, 3)} %`;
}

/** @param {number} value @param {number} total @param {number} [digits] */
export const share = (value, total, digits = 1) => (total ? `${value && value !== total ? cut((100 * value) / total, digits) : value ? 100 : 0} %` : NONE);

/** A refusal begins with the name that the API knows; people read the label of the field. @param {string} name @param {string} label @param {string} sentence */
export const worded = (name, label, sentence) => (sentence.startsWith(`${name}:`) || sentence.startsWith(`${name}[`) ? `${label}${sentence.slice(name.length)}` : sentence);

/** @param {number} count @param {string} one @param {string} [many] */
export const counted = (count, one, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;

/** For an input of the type datetime-local.
 * @param {number} at in milliseconds */
export function local(at) {
  const shifted = new Date(at - new Date(at).getTimezoneOffset() * 60_000);
  return shifted.toISOString().slice(0, 19);
}

/** A size in the unit that gives it one to three digits before the point. @param {number} value */
export function bytes(value) {
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let power = 0;
  while (power < units.length - 1 && value >= 1000 ** (power + 1) * 0.9995) power += 1;
  const scaled = value / 1000 ** power;
  return `${power && scaled < 99.95 ? scaled.toFixed(1) : Math.round(scaled)} ${units[power]}`;
}

/** Names that have little room: longer ones are cut where it leaves most of them different, in the middle if that will do.
 * @param {readonly string[]} names @param {number} chars of room for each @returns {Record<string, string>} by name */
export function brief(names, chars) {
  const long = [...new Set(names)].filter((name) => name.length > chars);
  const middle = Math.ceil((chars - 1) / 2);
  /** @type {((name: string) => string)[]} */
  const cuts = Array.from({ length: chars }, (_, head) => head)
    .sort((one, other) => Math.abs(one - middle) - Math.abs(other - middle))
    .map((head) => (name) => `${name.slice(0, head)}…${name.slice(name.length - (chars - 1 - head))}`);
  const start = alike(long);
  cuts.push((name) => `…${name.slice(start, start + chars - 2)}…`);
  const kept = cuts.map((cut) => new Set(long.map(cut)).size);
  const best = cuts[kept.indexOf(Math.max(...kept))];
  return Object.fromEntries(names.map((name) => [name, name.length > chars ? best(name) : name]));
}

/** With how many letters all of them begin. @param {readonly string[]} names */
function alike(names) {
  let count = 0;
  while (names.length > 1 && names.every((name) => count < name.length && name[count] === names[0][count])) count += 1;
  return count;
}
