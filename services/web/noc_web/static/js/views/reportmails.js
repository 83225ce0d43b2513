// @ts-check
// Reports by mail: what each is of, how often it comes, and who gets it.

import { api, refuseTaken } from "../api.js";
import { counted, exact, moment, ownZone } from "../format.js";
import { useAction, useEditing, useLoaded, useTargets } from "../hooks.js";
import { groups, tags } from "../tablerows.js";
import { html, useState } from "../ui.js";
import { Field, FormDialog, Removal, TextField, Trouble, withChosen } from "./bits.js";
import { PROFILES } from "./reports.js";

const EVERY = /** @type {const} */ ([
  ["day", "daily"],
  ["week", "weekly, on Monday"],
  ["month", "monthly, on the 1st"],
]);
const NEW = { isNew: true, name: "", every: "month", title: "", hour: 7, zone: ownZone(), group: "", profile: "standard", calendar: "", tag: "", recipients: [] };

/** Addresses and contacts with the zones of those who have one of their own: anna@example.org Europe/Paris. @param {{address: string, zone: string}[]} recipients */
const asLines = (recipients) => recipients.map(({ address, zone }) => `${address} ${zone}`.trim()).join("\n");

/** @param {string} text */
const fromLines = (text) =>
  text.split("\n").map((line) => line.trim().split(/\s+/)).filter(([address]) => address).map(([address, zone = ""]) => ({ address, zone }));

export function ReportMails() {
  const { answer, error, again } = useLoaded("/report-mails");
  const editing = useEditing((one) => api.delete(`/report-mails/${one.name}`), again);
  const [sent, setSent] = useState("");
  const sending = useAction(async (/** @type {string} */ name) => {
    await api.post(`/report-mails/${name}/send`, {});
    setSent(name);
  });
  const reports = answer?.report_mails ?? [];
  return html`
    <p class="help">A report of the last whole day, week or month, by the clock of each recipient: a contact’s own. It waits where mail is down, and comes once.</p>
    <p><button class="primary" data-testid="add-report-mail" onClick=${() => editing.edit(NEW)}>Add a report</button></p>
    <${Trouble} error=${error ?? sending.error} />
    ${sent ? html`<p class="good" role="status">The report ${sent} is on its way.</p>` : null}
    ${reports.length
      ? html`<div class="scroll">
          <table class="list as-cards" data-testid="report-mails">
            <thead><tr><th>Name</th><th>Comes</th><th>Of</th><th>To</th><th>Next</th><th><span class="unseen">Actions</span></th></tr></thead>
            <tbody>
              ${reports.map(
                (/** @type {any} */ one) => html`
                  <tr key=${one.name}>
                    <td class="what">${one.name}${one.title ? html` <small>${one.title}</small>` : null}</td>
                    <td data-label="Comes">${EVERY.find(([name]) => name === one.every)?.[1]}, ${one.hour}:00</td>
                    <td data-label="Of">${[one.group || "all targets", one.tag, one.calendar].filter(Boolean).join(", ")}</td>
                    <td data-label="To" title=${asLines(one.recipients)}>${one.recipients.length === 1 ? one.recipients[0].address : counted(one.recipients.length, "recipient")}</td>
                    <td data-label="Next"><time title=${exact(one.next_at)}>${moment(one.next_at)}</time>${one.waiting ? html` <small class="wrong">${one.waiting} waiting for the alerter</small>` : null}</td>
                    <td class="acts">
                      <button disabled=${sending.busy} aria-label=${`Send now: ${one.name}`} onClick=${() => sending.run(one.name)}>Send now</button>
                      <button aria-label=${`Edit ${one.name}`} onClick=${() => editing.edit(one)}>Edit</button>
                      <button class="danger" aria-label=${`Delete ${one.name}`} onClick=${() => editing.askToRemove(one)}>Delete</button>
                    </td>
                  </tr>
                `,
              )}
            </tbody>
          </table>
        </div>`
      : error ? null : html`<p class="empty">${answer ? "No report is mailed yet." : "Loading…"}</p>`}
    ${editing.editing ? html`<${ReportForm} report=${editing.editing} onClose=${editing.close} onSaved=${editing.saved} />` : null}
    <${Removal} of=${editing} title=${(/** @type {any} */ one) => `Delete the report ${one.name}?`}><p>It is mailed to nobody any more.</p><//>
  `;
}

const FIELDS = ["report", "title", "every", "hour", "zone", "group", "tag", "profile", "calendar", "recipients"];

/** @param {{report: any, onClose: () => void, onSaved: () => void}} given */
function ReportForm({ report, onClose, onSaved }) {
  const paths = useTargets((rows) => groups(rows.values()));
  const names = useTargets((rows) => tags(rows.values()));
  const calendars = useLoaded("/calendars").answer?.calendars ?? [];
  const [typed, setTyped] = useState({ ...report, report: report.name, hour: String(report.hour), recipients: asLines(report.recipients) });
  const action = useAction(async () => {
    const { every, title, zone, group, tag, profile, calendar } = typed;
    const name = typed.report.trim();
    if (report.isNew) refuseTaken("report", "report", name, (await api.get("/report-mails")).report_mails.map((/** @type {any} */ one) => one.name));
    await api.put(`/report-mails/${encodeURIComponent(name)}`, { every, title: title.trim(), zone: zone.trim(), group, tag, profile, calendar, hour: Number(typed.hour), recipients: fromLines(typed.recipients) });
    onSaved();
  });
  const put = (/** @type {string} */ name) => (/** @type {string} */ said) => setTyped((/** @type {any} */ before) => ({ ...before, [name]: said }));
  const text = (/** @type {string} */ name, /** @type {string} */ label, /** @type {string} */ placeholder, isFixed = false) => html`
    <${TextField} name=${name} label=${label} error=${action.error} value=${typed[name]} onText=${put(name)} placeholder=${placeholder} disabled=${isFixed} />
  `;
  const select = (/** @type {string} */ name, /** @type {string} */ label, /** @type {readonly (readonly string[])[]} */ choices) => html`
    <${Field} name=${name} label=${label} error=${action.error}>
      ${(/** @type {any} */ given) => html`<select ...${given} value=${typed[name]} onChange=${(/** @type {any} */ event) => put(name)(event.currentTarget.value)}>${choices.map(([value, words]) => html`<option value=${value}>${words ?? value}</option>`)}</select>`}
    <//>
  `;
  const all = (/** @type {string} */ words, /** @type {readonly string[]} */ values, /** @type {string} */ own) => [["", words], ...withChosen(values, own).map((one) => [one])];
  return html`
    <${FormDialog} title=${report.isNew ? "Add a report by mail" : `Report ${report.name}`} action=${action} fields=${FIELDS} isComplete=${Boolean(typed.report.trim() && typed.recipients.trim())} onClose=${onClose} testid="report-mail-form">
      ${text("report", "Name", "board", !report.isNew)}
      ${text("title", "Title", "that of the printed report")}
      <${Field} name="recipients" label="Recipients, one a line: mail addresses or ids of contacts, each with a time zone where it differs" error=${action.error}>
        ${(/** @type {any} */ given) => html`<textarea ...${given} rows="3" value=${typed.recipients} placeholder="anna@example.org Europe/Paris" onInput=${(/** @type {any} */ event) => put("recipients")(event.currentTarget.value)}></textarea>`}
      <//>
      ${select("every", "Comes", EVERY)}
      ${select("hour", "Hour", [...Array(24).keys()].map((hour) => [String(hour), `${hour}:00`]))}
      ${text("zone", "Time zone", "Europe/Berlin")}
      ${select("group", "Group", all("All targets", paths, report.group))}
      ${report.tag || names.length ? select("tag", "Tag", all("Any", names, report.tag)) : null}
      ${select("profile", "Counts as downtime", PROFILES)}
      ${select("calendar", "Calendar", all("none", calendars.map((/** @type {any} */ one) => one.name), report.calendar))}
    <//>
  `;
}
