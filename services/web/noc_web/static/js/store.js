// @ts-check
// What the page knows. `reduce` is pure: the next state from the present one and something that happened.

/**
 * @typedef {import("./live.d.ts").SiteCell} Cell
 * @typedef {import("./live.d.ts").TargetRow} Row
 * @typedef {import("./live.d.ts").SiteRow} SiteRow
 * @typedef {"connecting"|"live"|"lost"} Connection
 * @typedef {{connection: Connection, heardAt: number|null, boot: string|null, revision: number, at: string|null, catalog: number,
 *   skewMs: number, kpis: Record<string, number>|null, allWell: boolean, nobodyTold: boolean, rows: ReadonlyMap<string, Row>, sites: readonly SiteRow[],
 *   incidents: readonly import("./messages.d.ts").Incident[], trouble: readonly string[],
 *   services: Record<string, boolean>, maintenances: readonly import("./live.d.ts").RunningMaintenance[], changes: readonly import("./live.d.ts").RecentChange[]|null, noted: Record<string, string>, refreshing: boolean, refreshedAt: string|null, refreshFailed: boolean, refusal: string, isUnreached: boolean}} State
 * @typedef {{kind: string, [name: string]: any}} Happening
 */

/** @type {State} */
export const INITIAL = {
  connection: "connecting",
  heardAt: null,
  boot: null,
  revision: -1,
  at: null,
  // Another number when a target has come, gone, or is called or grouped otherwise: how it is changes far more often.
  catalog: 0,
  skewMs: 0,
  kpis: null,
  allWell: false,
  nobodyTold: false,
  rows: new Map(),
  sites: [],
  incidents: [],
  trouble: [],
  services: {},
  maintenances: [],
  changes: null,
  noted: {},
  refreshing: false,
  refreshedAt: null,
  refreshFailed: false,
  refusal: "",
  isUnreached: false,
};

/** @param {State} state @param {Happening} happening @returns {State} */
export function reduce(state, happening) {
  switch (happening.kind) {
    case "snapshot":
      return heard(snapshot(state, happening.said), happening);
    case "delta":
      return heard(delta(state, happening.said), happening);
    case "tick":
      return heard(state, happening);
    case "connection":
      return state.connection === happening.connection ? state : { ...state, connection: happening.connection };
    case "refused":
      return state.refusal === happening.sentence ? state : { ...state, refusal: happening.sentence, isUnreached: false };
    case "unreached":
      return state.isUnreached ? state : { ...state, refusal: "", isUnreached: true };
    case "accepted":
      return state.refusal || state.isUnreached ? { ...state, refusal: "", isUnreached: false } : state;
    case "refresh-asked":
      return { ...state, refreshing: true, refreshFailed: false };
    case "refresh-failed":
      return state.refreshing ? { ...state, refreshing: false, refreshFailed: true } : state;
    default:
      return state;
  }
}

/** Whether a delta does not follow what is known, so that something was missed.
 * @param {State} state @param {{revision: number}} said */
export const isGap = (state, said) => state.boot !== null && said.revision > state.revision + 1;

/** @param {State} state @param {Happening} happening */
function heard(state, { said, nowMs }) {
  // Before the first snapshot there is nothing that could be live.
  const connection = /** @type {Connection} */ (state.boot === null ? "connecting" : "live");
  const skewMs = said?.at ? nowMs - Date.parse(said.at) : state.skewMs;
  return { ...state, heardAt: nowMs, connection, skewMs: Math.abs(skewMs) > 2000 ? skewMs : 0 };
}

/** @param {State} state @param {any} said */
function snapshot(state, said) {
  return {
    ...state,
    boot: said.boot,
    revision: said.revision,
    at: said.at,
    kpis: said.kpis,
    allWell: said.all_well,
    nobodyTold: said.nobody_told,
    rows: new Map(said.targets.map((/** @type {Row} */ row) => [row.id, row])),
    catalog: state.catalog + 1,
    sites: said.sites,
    incidents: said.incidents,
    trouble: said.trouble ?? [],
    services: said.services ?? {},
    maintenances: said.maintenances ?? [],
    changes: said.changes ?? null,
    noted: said.noted ?? {},
    refreshing: false,
    refreshFailed: false,
    refreshedAt: state.refreshing ? said.at : (state.refreshedAt ?? said.at),
  };
}

/** @param {State} state @param {any} said */
function delta(state, said) {
  if (state.boot === null || said.revision !== state.revision + 1) return state;
  const next = { ...state, revision: said.revision, at: said.at, kpis: said.kpis, allWell: said.all_well, nobodyTold: said.nobody_told };
  if (said.targets.length || said.removed.length) {
    const rows = new Map(state.rows);
    for (const row of said.targets) rows.set(row.id, row);
    for (const id of said.removed) rows.delete(id);
    next.rows = rows;
    if (said.removed.length || said.targets.some((/** @type {Row} */ row) => !isListedAlike(row, state.rows.get(row.id)))) next.catalog = state.catalog + 1;
  }
  if (said.sites.length || said.removed_sites.length) {
    next.sites = merged(state.sites, said.sites, said.removed_sites).sort((one, other) => (one.id < other.id ? -1 : 1));
  }
  if (said.incidents.length || said.removed_incidents.length) {
    next.incidents = merged(state.incidents, said.incidents, said.removed_incidents).sort(newestFirst);
  }
  if (said.trouble) next.trouble = said.trouble;
  if (said.services) next.services = said.services;
  if (said.maintenances) next.maintenances = said.maintenances;
  if (said.changes) next.changes = said.changes;
  if (said.noted) next.noted = said.noted;
  return next;
}

/** @param {Row} row @param {Row|undefined} before */
const isListedAlike = (row, before) => before !== undefined && row.name === before.name && row.address === before.address && row.group === before.group && row.tags.join() === before.tags.join();

/** What is known with what changed in place of it, and without what is gone.
 * @template {{id: string}} T @param {readonly T[]} known @param {T[]} changed @param {string[]} removed @returns {T[]} */
function merged(known, changed, removed) {
  const all = new Map(known.map((one) => [one.id, one]));
  for (const one of changed) all.set(one.id, one);
  for (const id of removed) all.delete(id);
  return [...all.values()];
}

/** @param {{opened_at: string}} one @param {{opened_at: string}} other */
const newestFirst = (one, other) => (one.opened_at < other.opened_at ? 1 : one.opened_at > other.opened_at ? -1 : 0);

/** The state with those who want to know of its changes. */
export class Store {
  constructor() {
    this.state = INITIAL;
    /** @type {Set<() => void>} */
    this.listeners = new Set();
  }

  /** @param {Happening} happening */
  happen(happening) {
    const next = reduce(this.state, happening);
    if (next === this.state) return;
    this.state = next;
    for (const listener of [...this.listeners]) listener();
  }

  /** @param {() => void} listener @returns {() => void} that ends it */
  subscribe(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Now, by the server's clock, in milliseconds. */
  nowMs() {
    return Date.now() - this.state.skewMs;
  }
}
