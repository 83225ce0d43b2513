// @ts-check
// Maintenance: what runs, what comes and what is over, as a list and on a calendar.

import { api } from "../api.js";
import { clock, exact, full, moment } from "../format.js";
import { useAction, useEditing, useLoaded, useStore } from "../hooks.js";
import { DAY_NAMES, onDay, rule, things, weeksOf, WEEKDAYS } from "../maintenance.js";
import { may } from "../me.js";
import { setQuery } from "../router.js";
import { html, useState } from "../ui.js";
import { store } from "../wiring.js";
import { Removal, Trouble } from "./bits.js";
import { MaintenanceForm, SilenceButton } from "./silence.js";

const STATES = { running: "running", coming: "coming", past: "over" };
const MONTH = new Intl.DateTimeFormat(undefined, { month: "long", year: "numeric" });

/** @typedef {{maintenance: import("../maintenance.js").Maintenance, state: "running"|"coming"|"past", runs_since: string|null, runs_until: string|null, next: {start: string, end: string}|null}} Kept */

/** @param {{query: URLSearchParams}} given */
export default function MaintenancePage({ query }) {
  const isCalendar = query.get("show") === "calendar";
  const running = useStore((state) => state.maintenances);
  const [changes, setChanges] = useState(0);
  const { answer, error } = useLoaded("/maintenances", {}, running, changes);
  const changed = () => setChanges((before) => before + 1);
  return html`
    <section class="panel" aria-label="Maintenance">
      <div class="tools">
        <h1>Maintenance</h1>
        <div class="ranges" role="group" aria-label="As">
          <button aria-pressed=${!isCalendar} onClick=${() => setQuery({ show: null })}>List</button>
          <button aria-pressed=${isCalendar} onClick=${() => setQuery({ show: "calendar" })}>Calendar</button>
        </div>
        <span class="spring"></span>
        <${SilenceButton} label="Plan maintenance" choices=${[{ kind: "everything", name: "" }]} onSaved=${changed} />
      </div>
      <p class="help">While a window runs, what it covers is measured on and its incidents are shown, and nobody is mailed. What is still so when it ends is checked again and then mailed once.</p>
      <${Trouble} error=${error} />
      ${isCalendar ? html`<${Calendar} known=${answer?.maintenances ?? []} changes=${[running, changes]} />` : html`<${List} answer=${answer} error=${error} onChanged=${changed} />`}
    </section>
  `;
}

/** @param {{answer: {maintenances: Kept[]}|null, error: any, onChanged: () => void}} given */
function List({ answer, error, onChanged }) {
  const place = (/** @type {any} */ one) => `/maintenances/${encodeURIComponent(one.id)}`;
  const editing = useEditing((one) => api.delete(place(one)), onChanged);
  const ending = useAction(async (one) => {
    await api.post(`${place(one)}/end`);
    onChanged();
  });
  if (!answer) return error ? null : html`<p class="empty">Loading…</p>`;
  if (!answer.maintenances.length) return html`<p class="empty">None is planned. A target, a group, a site and an incident have a button of their own for it, too.</p>`;
  return html`
    <${Trouble} error=${ending.error} />
    <div class="scroll">
      <table class="list as-cards" data-testid="maintenances">
        <thead><tr><th>What</th><th>Status</th><th>When</th><th>Covers</th><th>By</th><th><span class="unseen">Actions</span></th></tr></thead>
        <tbody>
          ${answer.maintenances.map(
            (row) => html`
              <tr key=${row.maintenance.id} data-maintenance=${row.maintenance.id} data-state=${row.state}>
                <td class="what"><strong>${row.maintenance.title}</strong></td>
                <td data-label="Status"><span class=${`status ${row.state === "running" ? "is-muted" : row.state === "past" ? "is-over" : ""}`}>${STATES[row.state]}</span></td>
                <td data-label="When"><${When} row=${row} /></td>
                <td class="cause" data-label="Covers">${things(row.maintenance.covers)}</td>
                <td data-label="By"><span title=${exact(row.maintenance.at)}>${row.maintenance.by}</span></td>
                <td class="acts">
                  ${may("operator")
                    ? html`
                        ${row.state === "running" ? html`<button disabled=${ending.busy} aria-label=${`End ${row.maintenance.title} now`} onClick=${() => ending.run(row.maintenance)}>End now</button>` : null}
                        ${row.state === "past" ? null : html`<button aria-label=${`Edit ${row.maintenance.title}`} onClick=${() => editing.edit(row.maintenance)}>Edit</button>`}
                        <button class="danger" aria-label=${`Delete ${row.maintenance.title}`} onClick=${() => editing.askToRemove(row.maintenance)}>Delete</button>
                      `
                    : null}
                </td>
              </tr>
            `,
          )}
        </tbody>
      </table>
    </div>
    ${editing.editing ? html`<${MaintenanceForm} known=${editing.editing} title=${`Maintenance: ${editing.editing.title}`} onClose=${editing.close} onSaved=${editing.saved} />` : null}
    <${Removal} of=${editing} title=${(/** @type {any} */ one) => `Delete the maintenance ${one.title}?`}>
      <p>If it runs, it ends, and what is down is mailed once it was checked again. Reports about the past go on counting it.</p>
    <//>
  `;
}

/** @param {{row: Kept}} given */
function When({ row }) {
  const words = rule(row.maintenance);
  const { starts_at: starts, ends_at: ends } = row.maintenance;
  return html`
    ${row.state === "running" ? html`<div>${row.runs_until ? html`until <time title=${exact(row.runs_until)}>${moment(row.runs_until)}</time>` : "without an end"}</div>` : null}
    ${words ? html`<div>${words}</div>` : null}
    ${row.next && row.state !== "running" ? html`<div>next <time title=${exact(row.next.start)}>${full(row.next.start)}</time>, until ${clock(row.next.end)}</div>` : null}
    ${!words && row.state !== "coming" ? html`<small>${full(starts)} – ${ends ? full(ends) : ""}</small>` : null}
  `;
}

/** A month, by the viewer's own clock. @param {{known: Kept[], changes: any[]}} given */
function Calendar({ known, changes }) {
  const today = new Date(store.nowMs());
  const [month, setMonth] = useState({ year: today.getFullYear(), month: today.getMonth() });
  const move = (/** @type {number} */ by) => setMonth((before) => {
    const first = new Date(before.year, before.month + by, 1);
    return { year: first.getFullYear(), month: first.getMonth() };
  });
  const weeks = weeksOf(month.year, month.month);
  const from = /** @type {Date} */ (weeks[0]?.[0]);
  const to = new Date(from.getFullYear(), from.getMonth(), from.getDate() + 7 * weeks.length);
  const found = useLoaded("/maintenances/windows", { from: from.getTime(), to: to.getTime() }, ...changes);
  const titles = new Map(known.map((row) => [row.maintenance.id, row.maintenance.title]));
  const windows = found.answer?.windows ?? [];
  const name = MONTH.format(new Date(month.year, month.month, 1));
  return html`
    <div class="tools">
      <button class="quiet" aria-label="Month before" onClick=${() => move(-1)}>‹</button>
      <h2 aria-live="polite">${name}</h2>
      <button class="quiet" aria-label="Month after" onClick=${() => move(1)}>›</button>
    </div>
    <${Trouble} error=${found.error} />
    <table class="calendar" data-testid="calendar" aria-label=${name}>
      <thead><tr>${WEEKDAYS.map((day) => html`<th key=${day}><abbr title=${DAY_NAMES[day]}>${DAY_NAMES[day]?.slice(0, 2)}</abbr></th>`)}</tr></thead>
      <tbody>
        ${weeks.map(
          (week) => html`<tr key=${week[0]?.getTime()}>
            ${week.map((day) => {
              const runs = onDay(windows, day);
              const classes = [day.getMonth() === month.month ? "" : "is-other", day.toDateString() === today.toDateString() ? "is-today" : "", runs.length ? "" : "is-free"];
              return html`<td key=${day.getTime()} class=${classes.filter(Boolean).join(" ")}>
                <span class="day">${day.getDate()}<span class="month"> ${MONTH.format(day)}</span></span>
                ${runs.map((/** @type {any} */ one) => html`<div class="window" title=${`${titles.get(one.maintenance) ?? ""}: ${full(one.start)} – ${full(one.end)}`}><small>${hours(one, day)}</small> ${titles.get(one.maintenance) ?? one.maintenance}</div>`)}
              </td>`;
            })}
          </tr>`,
        )}
      </tbody>
    </table>
    ${found.answer && !windows.length ? html`<p class="empty">Nothing is planned in this month.</p>` : null}
  `;
}

/** From when to when it runs on that day. @param {{start: string, end: string}} one @param {Date} day */
function hours(one, day) {
  const [start, end] = [new Date(one.start), new Date(one.end)];
  const isFirst = start.getTime() >= day.getTime();
  const isLast = end.getTime() <= new Date(day.getFullYear(), day.getMonth(), day.getDate() + 1).getTime();
  if (!isFirst && !isLast) return "all day";
  return `${isFirst ? clock(one.start).slice(0, 5) : ""}–${isLast ? clock(one.end).slice(0, 5) : ""}`;
}

/** What runs now, beside the table of the overview; nothing where nothing does. */
export function RunningMaintenance() {
  const running = useStore((state) => state.maintenances);
  if (!running.length) return null;
  return html`
    <section class="panel" aria-label="Maintenance" data-testid="running-maintenance">
      <h2><a href="/maintenance">Maintenance</a></h2>
      <ul class="incident-list is-planned">
        ${running.map(
          (one) => html`<li key=${one.id}>
            <strong>${one.title}</strong>
            <small>${one.until ? html`until <time title=${exact(one.until)}>${moment(one.until)}</time>` : "without an end"}</small>
            <small>${things(one.covers)}</small>
          </li>`,
        )}
      </ul>
    </section>
  `;
}
