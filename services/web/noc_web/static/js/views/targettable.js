// @ts-check
// The live table of targets: sorted, filtered, and fluid with thousands of rows.

import { counted, duration, exact, ms, percent } from "../format.js";
import { useMedia, useNow, useStore } from "../hooks.js";
import { setQuery } from "../router.js";
import { age, rttRange, rttTitle } from "../rowfigures.js";
import { severity, word } from "../states.js";
import { filtered, firstDirection, sorted } from "../tablerows.js";
import { html, useEffect, useMemo, useRef, useState } from "../ui.js";
import { SilenceButton } from "./silence.js";
import { Badge, cellTitle, Shape } from "./state.js";
import { VirtualList } from "./virtuallist.js";

const COLUMNS = [
  ["state", "State"],
  ["since", "For"],
  ["name", "Name"],
  ["rtt", "RTT"],
  ["loss", "Loss"],
  ["sites", "Sites"],
  ["address", "Address"],
  ["group", "Group"],
  ["tags", "Tags"],
];
const SORTABLE = new Set(["state", "since", "name", "rtt", "loss", "address", "group"]);
const FEW_SITES = 4;
const ORDER_EVERY_MS = 1000;
/** What one window may cover. */
const MOST_SILENCED = 200;

/** @param {{query: URLSearchParams}} given */
export function TargetTable({ query }) {
  const rows = useStore((state) => state.rows);
  const sites = useStore((state) => state.sites);
  const narrow = useMedia("(max-width: 720px)");
  // Where they have no column, they are beside the group.
  const hasTags = !useMedia("(max-width: 1500px)");
  const now = useNow(1000);
  const column = SORTABLE.has(query.get("sort") ?? "") ? /** @type {string} */ (query.get("sort")) : "state";
  const direction = query.get("dir") ?? firstDirection(column);
  const filter = { text: query.get("q") ?? "", group: query.get("group") ?? "", state: query.get("state") ?? "" };
  const order = useOrder(rows, filter, column, direction);
  const shown = order.map((id) => rows.get(id)).filter(Boolean);
  const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
  const height = Math.round((narrow ? 5.2 : 2.25) * rem);
  const sort = (/** @type {string} */ name) => {
    const turned = direction === "asc" ? "desc" : "asc";
    const next = name === column ? turned : firstDirection(name);
    setQuery({ sort: name === "state" ? null : name, dir: next === firstDirection(name) ? null : next }, { replace: true });
  };
  if (!rows.size) return html`<${NoTargets} />`;
  const head = html`
    <div class="row grid-head" role="row" aria-rowindex="1">
      ${COLUMNS.map(
        ([name, text]) => html`
          <span
            key=${name}
            role="columnheader"
            class=${`c-${name}`}
            aria-sort=${name === column ? (direction === "asc" ? "ascending" : "descending") : SORTABLE.has(name) ? "none" : undefined}
          >
            ${SORTABLE.has(name) ? html`<button onClick=${() => sort(name)}>${text}<i aria-hidden="true">${name === column ? (direction === "asc" ? "▲" : "▼") : ""}</i></button>` : text}
          </span>
        `,
      )}
    </div>
  `;
  return html`
    <${VirtualList}
      rows=${shown}
      height=${height}
      columns=${COLUMNS.length}
      label="Targets"
      head=${head}
      withPage=${narrow}
      style=${{ "--sites": Math.max(1, sites.length) }}
      draw=${(/** @type {any} */ row, /** @type {number} */ place, /** @type {any} */ style) =>
        html`<${Row} key=${row.id} row=${row} place=${place} style=${style} now=${now} narrow=${narrow} hasTags=${hasTags} />`}
    />
    <div class="count">
      <span role="status">
        ${shown.length === rows.size ? counted(rows.size, "target") : `${shown.length} of ${counted(rows.size, "target")}`}
        ${shown.length === 0 && rows.size ? html`: <button class="link" onClick=${() => setQuery({ q: null, group: null, state: null })}>show all</button>` : null}
      </span>
      ${Object.values(filter).some(Boolean)
        ? html`<${SilenceButton}
            quiet
            covers=${shown.map((row) => ({ kind: "target", name: /** @type {any} */ (row).id }))}
            label="Silence these"
            name=${`Silence ${counted(shown.length, "target")} shown here`}
            disabled=${shown.length === 0 || shown.length > MOST_SILENCED}
            title=${shown.length > MOST_SILENCED ? `${MOST_SILENCED} at most; silence a group or a tag instead` : undefined}
          />`
        : null}
    </div>
  `;
}

/** The order of ids, renewed at most once a second while only figures change, so that rows stay where they are.
 * @param {ReadonlyMap<string, any>} rows @param {{text: string, group: string, state: string}} filter @param {string} column @param {string} direction
 * @returns {string[]} */
function useOrder(rows, filter, column, direction) {
  const wanted = JSON.stringify([filter, column, direction, rows.size]);
  const last = useRef({ rows, wanted: "", atMs: 0, order: /** @type {string[]} */ ([]) });
  const [, again] = useState(0);
  const isDue = last.current.wanted !== wanted || (last.current.rows !== rows && Date.now() - last.current.atMs >= ORDER_EVERY_MS);
  useMemo(() => {
    if (!isDue) return;
    const order = sorted(filtered(rows.values(), filter), column, direction).map((row) => row.id);
    last.current = { rows, wanted, atMs: Date.now(), order };
  }, [isDue, rows, wanted]);
  useEffect(() => {
    if (last.current.rows === rows) return undefined;
    const timer = setTimeout(() => again((count) => count + 1), ORDER_EVERY_MS);
    return () => clearTimeout(timer);
  }, [rows]);
  return last.current.order;
}

/** What needs no explanation. */
const WELL = new Set(["UP", "PAUSED", "MAINTENANCE"]);

/** @param {{row: import("../store.js").Row, place: number, style: Record<string, string>, now: number, narrow: boolean, hasTags: boolean}} given */
function Row({ row, place, style, now, narrow, hasTags }) {
  const lasting = row.since ? duration((now - Date.parse(row.since)) / 1000) : "–";
  const why = WELL.has(row.state) ? "" : row.reason;
  const old = age(row.sites[row.rtt_site ?? ""] ?? Object.values(row.sites)[0], row.interval_s, now);
  return html`
    <div
      class=${`row state-${row.state} ${place % 2 ? "is-odd" : ""}`}
      role="row"
      aria-rowindex=${place + 2}
      aria-label=${`${row.name}: ${word(row.state)}`}
      style=${style}
      data-row=${row.id}
      data-testid="target-row"
      data-target=${row.id}
      data-state=${row.state}
    >
      <span class="c-state" role="cell"><${Badge} state=${row.state} /></span>
      <span class="c-since" role="cell" title=${row.since ? `since ${exact(row.since)}` : row.reason}>${lasting}</span>
      <span class="c-name" role="cell">
        <a href=${`/targets/${encodeURIComponent(row.id)}`} title=${`${row.name}: ${row.reason}`}>${row.name}</a>
        ${row.critical ? html`<small class="mark" title="critical: mailed at once">critical</small>` : null}
        ${row.incident ? html`<small class="mark is-bad" title="part of an open incident">incident</small>` : null}
        ${why && !narrow ? html`<small class="why" title=${why}>${why}</small>` : null}
      </span>
      <span class=${`c-rtt ${old ? "is-old" : ""}`} role="cell" data-testid="rtt" title=${rttTitle(row, old)}>${narrow && row.loss_pct ? `${row.rtt_max_ms === null ? "" : `${rttRange(row)}, `}${percent(row.loss_pct)} lost` : rttRange(row)}${old ? html`<small> ${old} ago</small>` : null}</span>
      <span class=${`c-loss ${row.loss_pct ? "is-lossy" : ""} ${old ? "is-old" : ""}`} role="cell">${percent(row.loss_pct)}</span>
      <span class="c-sites" role="cell">
        ${inOrder(Object.entries(row.sites)).map(
          ([site, cell]) => html`
            <span key=${site} class="site-cell" title=${cellTitle(site, cell)} data-site=${site} data-state=${cell.state}>
              <${Shape} state=${cell.state} title=${cellTitle(site, cell)} /><em>${site} ${cell.rtt_ms === null ? "" : ms(cell.rtt_ms)}</em>
            </span>
          `,
        )}
      </span>
      <span class="c-address" role="cell" title=${row.address}>${row.address}</span>
      <span class="c-group" role="cell" title=${[row.group, ...row.tags].filter(Boolean).join(", ")}>${(narrow && why) || row.group || (row.tags.length ? "" : "–")}${hasTags ? null : html` <${Tags} of=${row} />`}</span>
      <span class="c-tags" role="cell" title=${row.tags.join(" ")}>${hasTags ? html`<${Tags} of=${row} />` : null}</span>
    </div>
  `;
}

/** @param {{of: import("../store.js").Row}} given */
const Tags = ({ of }) => of.tags.map((tag) => html`<span class="tag" key=${tag}>${tag}</span>`);

/** Where not all sites have room, those that see something bad come first.
 * @param {[string, import("../store.js").Cell][]} cells */
const inOrder = (cells) => (cells.length > FEW_SITES ? cells.sort(([, one], [, other]) => severity(one.state) - severity(other.state)) : cells);

const NoTargets = () => html`
  <div class="empty">
    <h2>No target yet</h2>
    <p>Add the first thing to ping with “Add target” above, or import a CSV or JSON file of them.</p>
  </div>
`;
