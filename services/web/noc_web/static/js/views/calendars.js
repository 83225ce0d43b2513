// @ts-check
// Calendars of reports: which hours count, which days do not, and towards which goal.

import { api, refuseTaken } from "../api.js";
import { ownZone, uptime } from "../format.js";
import { useAction, useEditing, useLoaded } from "../hooks.js";
import { html, useState } from "../ui.js";
import { FormDialog, Removal, TextField, Trouble } from "./bits.js";

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

/** @param {{calendar: any, onClose: () => void, onSaved: () => void}} given */
function CalendarForm({ calendar, onClose, onSaved }) {
  const [typed, setTyped] = useState({ calendar: calendar.name, zone: calendar.zone, hours: calendar.hours, holidays: calendar.holidays.join(" "), goal_pct: calendar.goal_pct === null ? "" : String(calendar.goal_pct) });
  const action = useAction(async () => {
    const body = { zone: typed.zone.trim(), hours: typed.hours.trim(), holidays: typed.holidays.split(/[\s,;]+/).filter(Boolean), goal_pct: typed.goal_pct.trim() ? Number(typed.goal_pct.replace(",", ".")) : null };
    const name = typed.calendar.trim();
    if (calendar.isNew) refuseTaken("calendar", "calendar", name, (await api.get("/calendars")).calendars.map((/** @type {any} */ one) => one.name));
    await api.put(`/calendars/${encodeURIComponent(name)}`, body);
    onSaved();
  });
  const text = (/** @type {keyof typeof typed} */ name, /** @type {string} */ label, /** @type {string} */ placeholder, isFixed = false) => html`
    <${TextField} name=${name} label=${label} error=${action.error} value=${typed[name]} onText=${(/** @type {string} */ said) => setTyped((before) => ({ ...before, [name]: said }))} placeholder=${placeholder} disabled=${isFixed} />
  `;
  return html`
    <${FormDialog} title=${calendar.isNew ? "Add a calendar" : `Calendar ${calendar.name}`} action=${action} fields=${Object.keys(typed)} isComplete=${Boolean(typed.calendar.trim())} onClose=${onClose} testid="calendar-form">
      ${text("calendar", "Name", "office-hours", !calendar.isNew)}
      ${text("hours", "Hours that count", "all, or Mon-Fri 08:00-18:00, Sat 09:00-12:00")}
      ${text("zone", "Time zone", "Europe/Berlin")}
      ${text("holidays", "Days that do not count", "2026-12-25 2026-12-26")}
      ${text("goal_pct", "Uptime goal in percent", "that of each target")}
    <//>
  `;
}
