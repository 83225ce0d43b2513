// @ts-check
// The form of a maintenance window, and the button that opens it for what it stands beside.

import { api } from "../api.js";
import { ownZone, worded } from "../format.js";
import { blank, body, DAY_NAMES, KINDS, LENGTHS, thing, typedOf, WEEKDAYS, WEEKS } from "../maintenance.js";
import { useAction, useStore, useTargets } from "../hooks.js";
import { may } from "../me.js";
import { groups } from "../tablerows.js";
import { html, useMemo, useState } from "../ui.js";
import { store } from "../wiring.js";
import { Dialog, Field, TextField, Trouble } from "./bits.js";

const FIELDS = ["title", "covers", "minutes", "starts_at", "ends_at", "zone", "from_time", "to_time", "weekdays", "weeks", "days"];
const HOW = [["for", "from now for"], ["until", "from now until"], ["period", "once, from … to"], ["weekly", "every week"], ["monthly", "every month"]];

/** Opens the form for one of some things; the first is meant unless another is chosen.
 * @param {{choices?: import("../maintenance.js").Covered[], covers?: import("../maintenance.js").Covered[], label?: string, name?: string, quiet?: boolean, disabled?: boolean, title?: string, onSaved?: () => void}} given `name`: for who does not see what it stands beside; `covers`: all of these are meant */
export function SilenceButton({ choices, covers, label = "Silence", name, quiet = false, disabled = false, title, onSaved = () => undefined }) {
  const [shown, setShown] = useState(false);
  if (!may("operator")) return null;
  return html`
    <button class=${quiet ? "quiet" : ""} data-testid="silence" aria-label=${name} title=${title} disabled=${disabled} onClick=${() => setShown(true)}>${label}</button>
    ${shown ? html`<${MaintenanceForm} choices=${choices} covers=${covers} title=${label} onClose=${() => setShown(false)} onSaved=${() => (setShown(false), onSaved())} />` : null}
  `;
}

/** @param {{known?: import("../maintenance.js").Maintenance, choices?: import("../maintenance.js").Covered[], covers?: import("../maintenance.js").Covered[], title: string, onClose: () => void, onSaved: () => void}} given */
export function MaintenanceForm({ known, choices = [{ kind: "everything", name: "" }], covers = choices.slice(0, 1), title, onClose, onSaved }) {
  const [typed, setTyped] = useState(known ? typedOf(known, store.nowMs(), ownZone()) : blank(covers, store.nowMs(), ownZone()));
  const set = (/** @type {string} */ name) => (/** @type {any} */ value) => setTyped((before) => ({ ...before, [name]: value }));
  const { run, busy, error } = useAction(async () => {
    if (known) await api.put(`/maintenances/${encodeURIComponent(known.id)}`, body(typed));
    else await api.post("/maintenances", body(typed));
    onSaved();
  });
  const input = (/** @type {string} */ name, /** @type {string} */ field, /** @type {string} */ label, /** @type {Record<string, any>} */ more = {}) =>
    html`<${TextField} name=${field} label=${label} error=${error} value=${/** @type {any} */ (typed)[name]} onText=${set(name)} ...${more} />`;
  const repeats = typed.how === "weekly" || typed.how === "monthly";
  const when = known ? HOW.filter(([how]) => how !== "for" && how !== "until") : HOW;
  return html`
    <${Dialog} title=${title} onClose=${onClose} testid="maintenance-form">
      <form class="dialog-form" noValidate onSubmit=${(/** @type {any} */ event) => (event.preventDefault(), run())}>
        <div class="dialog-body">
          <p class="help">It is measured on, and incidents open and are shown; nobody is mailed before the window is over and it is still so.</p>
          <${Trouble} error=${error} fields=${FIELDS} />
          ${input("title", "title", "What is done, or why", { maxlength: 120, placeholder: "Maintenance" })}
          <${CoversField} covers=${typed.covers} choices=${choices} error=${error} onChange=${set("covers")} />
          <fieldset class="field when">
            <legend>When</legend>
            <div class="ranges" role="group" aria-label="When">
              ${when.map(([how, words]) => html`<button type="button" key=${how} aria-pressed=${typed.how === how} data-how=${how} onClick=${() => set("how")(how)}>${words}</button>`)}
            </div>
          </fieldset>
          ${typed.how === "for"
            ? html`<${Field} name="minutes" label="For" error=${error}>
                ${(/** @type {any} */ given) => html`<select ...${given} value=${typed.minutes} onChange=${(/** @type {any} */ event) => set("minutes")(event.currentTarget.value)}>${LENGTHS.map(([minutes, words]) => html`<option value=${minutes}>${words}</option>`)}</select>`}
              <//>`
            : null}
          <div class="in-a-row">
            ${typed.how === "period" ? input("starts", "starts_at", "From", { type: "datetime-local" }) : null}
            ${typed.how === "period" || typed.how === "until" ? input("ends", "ends_at", typed.how === "until" ? "Until" : "To", { type: "datetime-local" }) : null}
            ${repeats ? html`${input("fromTime", "from_time", "From", { type: "time" })} ${input("toTime", "to_time", "To", { type: "time" })} ${input("zone", "zone", "Time zone")}` : null}
          </div>
          ${repeats
            ? html`
                ${typed.how === "monthly" ? html`<${Several} name="weeks" legend="In which weeks; none: by the days of the month" all=${WEEKS} chosen=${typed.weeks} error=${error} onChange=${set("weeks")} />` : null}
                ${typed.how === "weekly" || typed.weeks.length
                  ? html`<${Several} name="weekdays" legend="On" all=${WEEKDAYS.map((one) => [one, DAY_NAMES[one]])} chosen=${typed.weekdays} error=${error} onChange=${set("weekdays")} />`
                  : input("days", "days", "On the days of the month", { placeholder: "1, 15, last" })}
                ${input("lastDay", "ends_at", "Not after (leave blank for no end)", { type: "datetime-local" })}
                <p class="help">By the wall clock of that zone; a time that is not after the start is on the next day. On a night whose clocks change, the hour that is skipped is missing, and one that comes twice counts twice.</p>
              `
            : null}
        </div>
        <footer><button type="button" class="quiet" onClick=${onClose}>Cancel</button><button class="primary" disabled=${busy} data-testid="save-maintenance">${known ? "Save" : "Silence"}</button></footer>
      </form>
    <//>
  `;
}

/** Some of a few, each a box. @param {{name: string, legend: string, all: any[], chosen: any[], error: any, onChange: (chosen: any[]) => void}} given */
function Several({ name, legend, all, chosen, error, onChange }) {
  const wrong = error?.of?.(name) ?? [];
  const turn = (/** @type {any} */ one) => onChange(all.map(([value]) => value).filter((value) => (value === one ? !chosen.includes(value) : chosen.includes(value))));
  return html`
    <fieldset class=${`field several ${wrong.length ? "is-wrong" : ""}`}>
      <legend>${legend}</legend>
      <div class="choices">${all.map(([value, words]) => html`<label class="check" key=${value}><input type="checkbox" name=${name} checked=${chosen.includes(value)} onChange=${() => turn(value)} />${words}</label>`)}</div>
      ${wrong.map((/** @type {string} */ sentence) => html`<small class="wrong" role="alert">${worded(name, legend, sentence)}</small>`)}
    </fieldset>
  `;
}

/** @typedef {import("../maintenance.js").Covered} Covered */

/** What is covered: one thing per line. @param {{covers: Covered[], choices: Covered[], error: any, onChange: (covers: Covered[]) => void}} given */
function CoversField({ covers, choices, error, onChange }) {
  const names = useTargets(namesOf);
  const sites = useStore((state) => state.sites.map((site) => site.id).join(" "));
  const incidents = useStore((state) => state.incidents.map((one) => one.id).join(" "));
  const suggestions = useMemo(() => {
    const all = { ...names, site: sites.split(" ").filter(Boolean), incident: incidents.split(" ").filter(Boolean) };
    return Object.entries(all).map(([kind, few]) => html`<datalist id=${`names-${kind}`} key=${kind}>${few.map((name) => html`<option value=${name} />`)}</datalist>`);
  }, [names, sites, incidents]);
  const put = (/** @type {number} */ place, /** @type {Partial<Covered>} */ change) => onChange(covers.map((one, at) => (at === place ? { ...one, ...change } : one)));
  const wrong = error?.of?.("covers") ?? [];
  const chosen = covers.length === 1 ? thing(/** @type {Covered} */ (covers[0])) : "";
  return html`
    <fieldset class=${`field covers ${wrong.length ? "is-wrong" : ""}`}>
      <legend>What</legend>
      ${choices.length > 1
        ? html`<div class="ranges" role="group" aria-label="What">
            ${choices.map((one) => html`<button type="button" key=${thing(one)} aria-pressed=${thing(one) === chosen} onClick=${() => onChange([one])}>${thing(one)}</button>`)}
          </div>`
        : null}
      ${covers.map(
        (one, place) => html`
          <div class="covered" key=${place}>
            <select aria-label="Kind" value=${one.kind} onChange=${(/** @type {any} */ event) => put(place, { kind: event.currentTarget.value, name: "" })}>${KINDS.map((kind) => html`<option value=${kind}>${kind}</option>`)}</select>
            ${one.kind === "everything"
              ? null
              : html`<input aria-label=${`Which ${one.kind}`} list=${`names-${one.kind}`} value=${one.name} aria-invalid=${wrong.length ? true : undefined} onInput=${(/** @type {any} */ event) => put(place, { name: event.currentTarget.value })} />`}
            ${covers.length > 1 ? html`<button type="button" class="quiet" aria-label=${`Remove ${thing(one)}`} onClick=${() => onChange(covers.filter((_, at) => at !== place))}>×</button>` : null}
          </div>
        `,
      )}
      <button type="button" class="quiet" onClick=${() => onChange([...covers, { kind: "target", name: "" }])}>Add another</button>
      ${wrong.map((/** @type {string} */ sentence) => html`<small class="wrong" role="alert">${worded("covers", "What", sentence)}</small>`)}
      ${suggestions}
    </fieldset>
  `;
}

/** @param {ReadonlyMap<string, any>} rows @returns {Record<string, string[]>} */
function namesOf(rows) {
  const all = [...rows.values()];
  return {
    target: [...rows.keys()].sort(),
    group: groups(all),
    tag: [...new Set(all.flatMap((row) => row.tags))].sort(),
  };
}
