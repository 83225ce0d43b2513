// @ts-check
// From the API's rows to what the chart draws: columns with honest gaps. Pure.

/** @typedef {number|null} Ms */
/** A row of the history: at_ms, rtt_min_ms, rtt_mean_ms, rtt_max_ms, loss_pct, cycles, invalid, then the percentiles 5, 25, 50, 75 and 95, blind_pct
 * @typedef {[number, Ms, Ms, Ms, number|null, number, number, Ms, Ms, Ms, Ms, Ms, number]} Point
 * @typedef {[number[], Ms[], Ms[], Ms[], Ms[], Ms[]]} Columns seconds, then a column for each percentile */
export const MEDIAN = 9;
export const P95 = 11;
const PERCENTS = [5, 25, 50, 75, 95];
const FIRST_PERCENTILE = 7;

/** Rows further apart than so many usual steps have silence between them. */
const GAP_STEPS = 2.5;
const NEIGHBOURS = 5;

/** @param {number[]} numbers */
function median(numbers) {
  const ordered = [...numbers].sort((one, other) => one - other);
  return ordered[Math.floor(ordered.length / 2)] ?? 0;
}

/** How long each row lasts, in milliseconds: until the next, but where silence follows only as long as rows last thereabouts.
 * An interval may have been changed within the period, so only the neighbours tell what is usual.
 * @param {readonly Point[]} points @returns {{ms: number, isGap: boolean}[]} */
export function spans(points) {
  const distances = points.slice(1).map((point, place) => point[0] - points[place][0]);
  const found = distances.map((distance, place) => {
    const before = median(distances.slice(Math.max(0, place - NEIGHBOURS), place));
    const after = median(distances.slice(place + 1, place + 1 + NEIGHBOURS));
    const usual = Math.max(before, after) || distance;
    return distance > GAP_STEPS * usual ? { ms: usual, isGap: true } : { ms: distance, isGap: false };
  });
  return [...found, { ms: median(distances.slice(-NEIGHBOURS)), isGap: false }].slice(0, points.length);
}

/** What uPlot draws for one site: an unanswered cycle is null, and so is a silence. @param {readonly Point[]} points @returns {Columns} */
export function columns(points) {
  const lasting = spans(points);
  /** @type {Columns} */
  const found = [[], [], [], [], [], []];
  const add = (/** @type {number} */ at, /** @type {Ms[]} */ rtts) => {
    found[0].push(at / 1000);
    rtts.forEach((rtt, place) => found[/** @type {1} */ (place + 1)].push(rtt));
  };
  points.forEach((point, place) => {
    add(point[0], /** @type {Ms[]} */ (point.slice(FIRST_PERCENTILE, FIRST_PERCENTILE + PERCENTS.length)));
    if (lasting[place].isGap) add(point[0] + lasting[place].ms, PERCENTS.map(() => null));
  });
  return found;
}

/** A cycle that was just heard, as a row. @param {import("./messages.d.ts").ProbeResult} result @returns {Point} */
export function point(result) {
  const rtts = result.rtts_ms;
  const at = Date.parse(result.at);
  if (result.invalid !== null) return [at, null, null, null, null, 0, 1, null, null, null, null, null, 0];
  const loss = result.sent ? (100 * (result.sent - result.received)) / result.sent : null;
  if (!rtts.length) return [at, null, null, null, loss, 1, 0, null, null, null, null, null, 0];
  const mean = rtts.reduce((sum, rtt) => sum + rtt, 0) / rtts.length;
  const ordered = [...rtts].sort((one, other) => one - other);
  const [p5, p25, p50, p75, p95] = PERCENTS.map((percent) => ordered[Math.floor((percent * (ordered.length - 1)) / 100)]);
  return [at, ordered[0], mean, ordered[ordered.length - 1], loss, 1, 0, p5, p25, p50, p75, p95, 0];
}

/** Sites with the cycles added that are newer than all of theirs; neither argument is changed.
 * @param {Record<string, Point[]>} sites @param {readonly [string, Point][]} heard in the order of their arrival
 * @param {number} [widthMs] how long each row of `sites` lasts: what began within the last one is in it @returns {Record<string, Point[]>} */
export function appended(sites, heard, widthMs = 1) {
  /** @type {Record<string, Point[]>} */
  const added = {};
  for (const [site, news] of heard) {
    const known = added[site] ?? sites[site] ?? [];
    const lasts = added[site] ? 1 : widthMs;
    if (known.length && known[known.length - 1][0] + lasts > news[0]) continue;
    added[site] ??= [...known];
    added[site].push(news);
  }
  return { ...sites, ...added };
}

/** By how much the 95th percentile of a row exceeds its median. @param {Point} point @returns {Ms} */
export const jitter = (point) => (point[P95] === null || point[MEDIAN] === null ? null : Math.max(0, /** @type {number} */ (point[P95]) - /** @type {number} */ (point[MEDIAN])));

/** What a lane of jitter reaches up to: the greatest, unless a few stand out far above all others. @param {readonly (readonly Point[])[]} sites */
export function jitterTop(sites) {
  const found = sites.flatMap((points) => points.map(jitter).filter((one) => one !== null)).sort((one, other) => Number(one) - Number(other));
  const most = Number(found[found.length - 1] ?? 0);
  const usual = Number(found[Math.floor(0.98 * (found.length - 1))] ?? 0);
  return most > 3 * usual && usual > 0 ? 1.5 * usual : most;
}

/** Classes of loss, as SmokePing has them; each is drawn higher than the one before.
 * @type {readonly {from: number, colour: string, label: string}[]} */
export const LOSS_CLASSES = [
  { from: 100, colour: "--loss-all", label: "all lost" },
  { from: 50, colour: "--loss-5", label: "from 50 %" },
  { from: 20, colour: "--loss-4", label: "from 20 %" },
  { from: 5, colour: "--loss-3", label: "from 5 %" },
  { from: 0.0001, colour: "--loss-2", label: "below 5 %" },
];

/** The class of a loss; undefined: none was lost. @param {number} loss */
export const lossClass = (loss) => LOSS_CLASSES.find((one) => loss >= one.from);

/** A site's figures over all its rows. Mean and loss are those of all echoes, however long the rows are.
 * @param {readonly Point[]} points @returns {{min: Ms, mean: Ms, max: Ms, loss: number|null, cycles: number}} */
export function totals(points) {
  let [min, max, sum, answered, lost, valid, cycles] = [Infinity, -Infinity, 0, 0, 0, 0, 0];
  for (const [, low, mean, high, loss, count, invalid] of points) {
    cycles += count;
    if (loss === null) continue;
    const counted = Math.max(count - invalid, 0) || count || 1;
    valid += counted;
    lost += counted * loss;
    if (low === null || mean === null || high === null) continue;
    const received = counted * (1 - loss / 100);
    [min, max, sum, answered] = [Math.min(min, low), Math.max(max, high), sum + received * mean, answered + received];
  }
  const has = answered > 0;
  return { min: has ? min : null, mean: has ? sum / answered : null, max: has ? max : null, loss: valid ? lost / valid : null, cycles };
}

const COLUMNS = ["at", "min_ms", "mean_ms", "max_ms", "loss_pct", "cycles", "invalid", "p5_ms", "p25_ms", "p50_ms", "p75_ms", "p95_ms", "blind_pct"];

/** Of which no spreadsheet may make a formula. */
const FORMULA = /^[=+\-@\t\r\n']/;

/** @param {string} text */
function cell(text) {
  const guarded = FORMULA.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(guarded) ? `"${guarded.replaceAll('"', '""')}"` : guarded;
}

/** All that a chart shows, as a table. @param {Record<string, readonly Point[]>} sites by the names of the lines */
export function asCsv(sites) {
  const lines = Object.entries(sites).flatMap(([site, points]) => points.map(([at, ...rest]) => [cell(site), new Date(at).toISOString(), ...rest.map((one) => one ?? "")].join(",")));
  return `${["site", ...COLUMNS].join(",")}\n${lines.join("\n")}\n`;
}

/** The row nearest to a time, no further than a few steps. @param {readonly Point[]} points @param {number} at in milliseconds @returns {Point|null} */
export function nearest(points, at) {
  if (!points.length) return null;
  let low = 0;
  let high = points.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (points[middle][0] < at) low = middle + 1;
    else high = middle;
  }
  const place = low > 0 && at - points[low - 1][0] < points[low][0] - at ? low - 1 : low;
  const [lasts] = spans(points.slice(Math.max(0, place - NEIGHBOURS), place + NEIGHBOURS)).slice(Math.min(place, NEIGHBOURS));
  return Math.abs(points[place][0] - at) <= GAP_STEPS * (lasts?.ms || 60_000) ? points[place] : null;
}
