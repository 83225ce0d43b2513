// @ts-check
// Calendars of reports: which hours count, which days do not, and towards which goal.

import { api, refuseTaken } from "../api.js";
import { ownZone, uptime } from "../format.js";
import { useAction, useEditing, useLoaded } from "../hooks.js";
import { html, useState } from "../ui.js";
import { Dialog, Field, Removal, Trouble } from "./bits.js";

const NEW = { isNew: true, name: "", zone: ownZone(), hours: "", holidays: [], goal_pct: null };

export function Calendars() {
  const { answer, error, again } = useLoaded("/calendars");
  const editing = useEditing((one) => api.delete(`/calendars/${encodeURIComponent(one.name)}`), again);
  const calendars = answer?.calendars ?? [];
  return html`
    <p class="help">A report that names a calendar counts only its hours, by the clock of its time zone, and shows what is left of its goal's error budget.</p>
    <p><button class="primary" data-testid="add-calendar" onClick=${() => editing.edit(NEW)}>Add a calendar</button></p>
    <${Trouble} error=${error} />
    ${calendars.length
      ? html`<div class="scroll">
          <table class="list as-cards" data-testid="calendars">
            <thead><tr><th>Name</th><th>Hours</th><th>Time zone</th><th class="is-number">Holidays</th><th class="is-number">Goal</th><th><span class="unseen">Actions</span></th></tr></thead>
            <tbody>
              ${calendars.map(
                (/** @type {any} */ one) => html`
                  <tr key=${one.name}>
                    <td class="what"><a href=${`/reports?calendar=${one.name}`}>${one.name}</a></td>
                    <td data-label="Hours">${one.hours || "all"}</td>
                    <td data-label="Time zone">${one.zone}</td>
                    <td data-label="Holidays" class="is-number" title=${one.holidays.join(", ")}>${one.holidays.length}</td>
                    <td data-label="Goal" class="is-number">${one.goal_pct === null ? "of each target" : uptime(one.goal_pct)}</td>
                    <td class="acts">
                      <button aria-label=${`Edit ${one.name}`} onClick=${() => editing.edit(one)}>Edit</button>
                      <button class="danger" aria-label=${`Delete ${one.name}`} onClick=${() => editing.askToRemove(one)}>Delete</button>
                    </td>
                  </tr>
                `,
              )}
            </tbody>
          </table>
        </div>`
      : error ? null : html`<p class="empty">${answer ? "No calendar yet." : "Loading…"}</p>`}
    ${editing.editing ? html`<${CalendarForm} calendar=${editing.editing} onClose=${editing.close} onSaved=${editing.saved} />` : null}
    <${Removal} of=${editing} title=${(/** @type {any} */ one) => `Delete the calendar ${one.name}?`}><p>Reports that name it are refused from then on.</p><//>
  `;
}

const FIELDS = ["calendar", "zone", "hours", "holidays", "goal_pct"];

/** @param {{calendar: any, onClose: () => void, onSaved: () => void}} given */
function CalendarForm({ calendar, onClose, onSaved }) {
  const [text, setText] = useState({ name: calendar.name, zone: calendar.zone, hours: calendar.hours, holidays: calendar.holidays.join(" "), goal: calendar.goal_pct === null ? "" : String(calendar.goal_pct) });
  const { run, busy, error } = useAction(async () => {
    const body = { zone: text.zone.trim(), hours: text.hours.trim(), holidays: text.holidays.split(/[\s,;]+/).filter(Boolean), goal_pct: text.goal.trim() ? Number(text.goal.replace(",", ".")) : null };
    const name = text.name.trim();
    if (calendar.isNew) refuseTaken("calendar", "calendar", name, (await api.get("/calendars")).calendars.map((/** @type {any} */ one) => one.name));
    await api.put(`/calendars/${encodeURIComponent(name)}`, body);
    onSaved();
  });
  const input = (/** @type {keyof typeof text} */ name, /** @type {string} */ placeholder = "", isFixed = false) => (/** @type {any} */ given) =>
    html`<input ...${given} value=${text[name]} placeholder=${placeholder} disabled=${isFixed} autocomplete="off" onInput=${(/** @type {any} */ event) => setText((before) => ({ ...before, [name]: event.target.value }))} />`;
  return html`
    <${Dialog} title=${calendar.isNew ? "Add a calendar" : `Calendar ${calendar.name}`} onClose=${onClose} testid="calendar-form">
      <form class="dialog-form" noValidate autocomplete="off" onSubmit=${(/** @type {any} */ event) => (event.preventDefault(), run())}>
        <div class="dialog-body">
          <${Trouble} error=${error} fields=${FIELDS} />
          <${Field} name="calendar" label="Name" error=${error}>${input("name", "office-hours", !calendar.isNew)}<//>
          <${Field} name="hours" label="Hours that count" error=${error}>${input("hours", "all, or Mon-Fri 08:00-18:00, Sat 09:00-12:00")}<//>
          <${Field} name="zone" label="Time zone" error=${error}>${input("zone", "Europe/Berlin")}<//>
          <${Field} name="holidays" label="Days that do not count" error=${error}>${input("holidays", "2026-12-25 2026-12-26")}<//>
          <${Field} name="goal_pct" label="Uptime goal in percent" error=${error}>${input("goal", "that of each target")}<//>
        </div>
        <footer><button type="button" class="quiet" onClick=${onClose}>Cancel</button><button class="primary" disabled=${busy || !text.name.trim()}>Save</button></footer>
      </form>
    <//>
  `;
}
