// @ts-check
// The page of one target: how it is now, how it was, the way to it.

import { api } from "../api.js";
import { useDeclared } from "../declared.js";
import { counted, exact, moment, ms, percent } from "../format.js";
import { useAction, useCommand, useLoaded, useNow, useStore } from "../hooks.js";
import { live } from "../wiring.js";
import { may } from "../me.js";
import { navigate } from "../router.js";
import { age, answered } from "../rowfigures.js";
import { MEANING, word } from "../states.js";
import { groups } from "../tablerows.js";
import { html, useEffect, useState } from "../ui.js";
import { Confirm, HistoryToo, Trouble } from "./bits.js";
import { IncidentTable } from "./incidents.js";
import { OptionsList } from "./optionslist.js";
import { SilenceButton } from "./silence.js";
import { Badge, Shape, Since } from "./state.js";
import { SuggestedParents } from "./suggestedparents.js";
import { TargetForm } from "./targetform.js";
import { History } from "./targethistory.js";
import { Traceroute } from "./traceroute.js";

/** @param {{id: string, query: URLSearchParams}} given */
export default function TargetPage({ id, query }) {
  const row = useStore((state) => state.rows.get(id));
  const [isDrawn, setDrawn] = useState(false);
  const [changes, setChanges] = useState(0);
  // A target that was just added is not there at once, and the server knows it no sooner.
  const isThere = row !== undefined;
  useEffect(() => {
    if (!isThere) return undefined;
    live.watch(id);
    return () => live.watch(null);
  }, [id, isThere]);
  if (!row) return html`<div class="empty"><h1>There is no target ${id}</h1><p>It may have been deleted. <a href="/">To the overview</a></p></div>`;
  return html`
    <${Head} row=${row} onChanged=${() => setChanges((before) => before + 1)} />
    <${History} id=${id} query=${query} onDrawn=${() => setDrawn(true)} />
    <${Below} id=${id} sites=${Object.keys(row.sites)} changes=${changes} isDrawn=${isDrawn} onChanged=${() => setChanges((before) => before + 1)} />
  `;
}

/** What is below the history. It waits for that and for all of its own: drawn one by one, each would push the next ones about.
 * @param {{id: string, sites: string[], changes: number, isDrawn: boolean, onChanged: () => void}} given `changes`: counts edits made on this page */
function Below({ id, sites, changes, isDrawn, onChanged }) {
  const path = `/targets/${encodeURIComponent(id)}`;
  const open = useStore((state) => state.incidents);
  const traces = useLoaded(`${path}/traces`);
  const routes = useLoaded(`${path}/routes`);
  const suggested = useLoaded(`${path}/suggested-parents`, {}, changes);
  const incidents = useLoaded("/incidents", { target: id }, open);
  const own = useLoaded(path, {}, changes);
  const stored = useLoaded("/groups", {}, changes);
  const declared = useDeclared();
  const isReady = isDrawn && [traces.answer ?? traces.error, routes.answer ?? routes.error, suggested.answer ?? suggested.error, incidents.answer ?? incidents.error, own.answer ?? own.error, stored.answer ?? stored.error, declared.options ?? declared.error].every(Boolean);
  if (!isReady) return isDrawn ? html`<p class="empty">Loading…</p>` : null;
  return html`
    <div class="columns">
      <${Traceroute} id=${id} sites=${sites} known=${traces} routes=${routes}>
        <${SuggestedParents} id=${id} found=${suggested} onChanged=${onChanged} />
      <//>
      <${Recent} found=${incidents} />
      <${OptionsList} own=${own.answer} groups=${stored.answer?.groups} options=${declared.options} error=${own.error ?? stored.error ?? declared.error} />
    </div>
  `;
}

/** @param {{row: import("../store.js").Row, onChanged: () => void}} given */
function Head({ row, onChanged }) {
  const now = useNow(1000);
  const [shown, setShown] = useState("");
  const close = () => setShown("");
  const [isHistoryToo, setHistoryToo] = useState(false);
  const removal = useAction(async () => {
    await api.delete(`/targets/${encodeURIComponent(row.id)}`, { history: isHistoryToo ? "delete" : null });
    navigate("/");
  });
  const pausing = useAction(async () => {
    await api.patch(`/targets/${encodeURIComponent(row.id)}`, { paused: !row.paused });
    onChanged();
  });
  return html`
    <section class=${`panel target-head state-${row.state}`} data-testid="target-head" data-state=${row.state}>
      <div class="target-title">
        <div class="big-state" title=${MEANING[row.state]}>
          <strong><${Shape} state=${row.state} />${word(row.state)}</strong>
          ${row.since ? html`<small>for <${Since} since=${row.since} now=${now} /></small>` : null}
        </div>
        <div class="target-words">
          <h1>${row.name}</h1>
          <p>
            <code>${row.address}</code> ${row.group ? html`<a href=${`/?group=${encodeURIComponent(row.group)}`}>${row.group}</a>` : null}
            ${row.tags.map((tag) => html`<span class="tag" key=${tag}>${tag}</span>`)} ${row.critical ? html`<small class="mark">critical</small>` : null}
          </p>
          <p>${row.reason}${row.maintenance_until ? html` (<a href="/maintenance">until <time title=${exact(row.maintenance_until)}>${moment(row.maintenance_until)}</time></a>)` : null}</p>
        </div>
        <div class="target-acts">
          <${CheckNow} id=${row.id} />
          ${may("operator")
            ? html`
                <button disabled=${pausing.busy} onClick=${pausing.run}>${row.paused ? "Resume" : "Pause"}</button>
                <${SilenceButton} choices=${silenced(row)} />
                <button data-testid="edit-target" onClick=${() => setShown("edit")}>Edit</button>
                <button class="danger" data-testid="delete-target" onClick=${() => (setHistoryToo(false), setShown("delete"))}>Delete</button>
              `
            : null}
        </div>
      </div>
      <${Trouble} error=${pausing.error} />
      <div class="scroll">
        <table class="list as-cards per-site">
          <thead>
            <tr><th>Site</th><th>State</th><th>For</th><th class="is-number">RTT</th><th class="is-number">Loss</th><th>Why</th></tr>
          </thead>
          <tbody>
            ${Object.entries(row.sites).map(
              ([site, cell]) => html`
                <tr key=${site} data-site=${site} data-state=${cell.state}>
                  <td>${site}</td>
                  <td><${Badge} state=${cell.state} /></td>
                  <td><${Since} since=${cell.since} now=${now} /></td>
                  <td class=${`is-number ${age(cell, row.interval_s, now) ? "is-old" : ""}`} data-label="RTT">${ms(cell.rtt_ms)}<${Age} cell=${cell} row=${row} now=${now} /></td>
                  <td class=${`is-number ${cell.loss_pct ? "is-lossy" : ""}`} data-label="Loss">${percent(cell.loss_pct)}</td>
                  <td class="cause">${cell.reason}</td>
                </tr>
              `,
            )}
          </tbody>
        </table>
      </div>
    </section>
    ${shown === "edit" ? html`<${TargetForm} id=${row.id} onClose=${close} onSaved=${() => (close(), onChanged())} />` : null}
    ${shown === "delete"
      ? html`<${Confirm} title=${`Delete ${row.name}?`} verb="Delete" busy=${removal.busy} error=${removal.error} onYes=${removal.run} onClose=${close}>
          <p>It is not pinged any more and leaves the table.</p>
          <${HistoryToo} isChosen=${isHistoryToo} onChange=${setHistoryToo} />
        <//>`
      : null}
  `;
}

/** What one may want to silence from a target: itself, its groups, the innermost first, its tags. @param {import("../store.js").Row} row */
const silenced = (row) => [
  { kind: /** @type {const} */ ("target"), name: row.id },
  ...groups([row]).reverse().map((name) => ({ kind: /** @type {const} */ ("group"), name })),
  ...row.tags.map((name) => ({ kind: /** @type {const} */ ("tag"), name })),
];

/** How old a site's figures are, where they are old. @param {{cell: import("../store.js").Cell, row: import("../store.js").Row, now: number}} given */
function Age({ cell, row, now }) {
  const old = age(cell, row.interval_s, now);
  return old ? html`<small> ${old} ago</small>` : null;
}

/** @param {{id: string}} given */
function CheckNow({ id }) {
  const [said, setSaid] = useState("");
  const { run, busy, asked, refusal, error } = useCommand(`/targets/${encodeURIComponent(id)}/check`, ({ site, result }) => {
    if (!result) return;
    setSaid(`${site}: ${result.invalid ?? answered(result.received, result.sent, result.rtts_ms)}`);
  });
  if (!may("operator")) return null;
  return html`
    <span class="check-now">
      <small role="status">${error?.message || refusal || (asked ? "asked…" : said)}</small>
      <button data-testid="check-now" disabled=${busy} onClick=${() => run({})}>Check now</button>
    </span>
  `;
}

/** @param {{found: {answer: any, error: any, again: () => void}}} given */
function Recent({ found }) {
  const incidents = found.answer?.incidents ?? [];
  return html`
    <section class="panel" aria-label="Incidents">
      <h2>Incidents of the last 30 days</h2>
      <${Trouble} error=${found.error} />
      ${incidents.length
        ? html`<${IncidentTable} incidents=${incidents} onChanged=${found.again} brief />`
        : found.answer
          ? html`<p class="empty">None.</p>`
          : null}
      ${incidents.length ? html`<small class="help">${counted(incidents.length, "incident")}</small>` : null}
    </section>
  `;
}
