// @ts-check
// What each state is called, how bad it is, and which shape stands for it beside its colour.

/** @typedef {import("./messages.d.ts").VerdictState} VerdictState */

/** Worst first: the order of tables, tiles and bars.
 * @type {readonly VerdictState[]} */
export const STATES = ["DOWN", "PARTIAL", "DEGRADED", "UNREACHABLE", "UNKNOWN", "UP", "MAINTENANCE", "PAUSED"];

/** The order of tiles and bars. All are always there: a tile that came with its first target would move the others.
 * @type {readonly VerdictState[]} */
export const TILE_STATES = ["UP", "DEGRADED", "PARTIAL", "DOWN", "UNREACHABLE", "UNKNOWN", "MAINTENANCE", "PAUSED"];

/** @type {Record<string, number>} */
const SEVERITY = Object.fromEntries(STATES.map((state, place) => [state, place]));

/** @param {string} state 0 is the worst */
export const severity = (state) => SEVERITY[state] ?? STATES.length;

/** @param {string} state */
export const word = (state) => state.charAt(0) + state.slice(1).toLowerCase();

/** Which states a time was spent in, as far as it is shown: half a second is the first that is no 0 s.
 * @param {Record<string, number>} seconds by state @returns {VerdictState[]} */
export const spent = (seconds) => STATES.filter((state) => (seconds[state] ?? 0) >= 0.5);

/** What a state means, for whoever asks by hovering.
 * @type {Record<string, string>} */
export const MEANING = {
  UP: "answers, from every site that sees it",
  DEGRADED: "answers, with loss or round-trip times above its limits",
  PARTIAL: "does not answer some of the sites",
  DOWN: "does not answer",
  UNREACHABLE: "does not answer because the way to it is down",
  UNKNOWN: "no site can see it now: this is not counted as down",
  MAINTENANCE: "in a maintenance window: measured, not reported",
  PAUSED: "paused by a person: not pinged",
};

/** Paths in a box of 12 × 12; every state has its own outline.
 * @type {Record<string, string>} */
export const SHAPES = {
  UP: "M6 1a5 5 0 1 1 0 10A5 5 0 1 1 6 1Z",
  DEGRADED: "M6 1 11.5 11H.5Z",
  PARTIAL: "M6 1a5 5 0 1 1 0 10A5 5 0 1 1 6 1ZM6 2.6v6.8a3.4 3.4 0 0 0 0-6.8Z",
  DOWN: "M1 1h10v10H1ZM3.9 3 3 3.9 5.1 6 3 8.1l.9.9L6 6.9 8.1 9l.9-.9L6.9 6 9 3.9 8.1 3 6 5.1Z",
  UNREACHABLE: "M6 0 12 6 6 12 0 6ZM6 3.2 3.2 6 6 8.8 8.8 6Z",
  UNKNOWN: "M6 1a5 5 0 1 1 0 10A5 5 0 1 1 6 1ZM6 2.8a3.2 3.2 0 1 0 0 6.4A3.2 3.2 0 1 0 6 2.8Z",
  MAINTENANCE: "M3.2 1h5.6L11.6 6 8.8 11H3.2L.4 6Z",
  PAUSED: "M2 1h3v10H2ZM7 1h3v10H7Z",
};
