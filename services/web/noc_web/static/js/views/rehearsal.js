// @ts-check
// What the settings in a form would have done over the last days, before they are saved.

import { api, encoded } from "../api.js";
import { counted, duration, exact, full, moment } from "../format.js";
import { estimated, limits, lines } from "../rehearsals.js";
import { html, useEffect, useState } from "../ui.js";
import { Dialog, Trouble } from "./bits.js";

const DAYS = [1, 7, 30];
const AROUND_MS = 600_000;
/** @type {Record<string, string>} */
const KINDS = { "target-down": "DOWN", "mass-outage": "many DOWN", "target-partial": "PARTIAL", "target-degraded": "DEGRADED", "target-unresolvable": "no address" };

const GATHERED = "Gather what goes down together for";

/** @param {{path: string, body: any, title: string, labels: Record<string, string>, onClose: () => void}} given `path`, of the API, below rehearsals; `labels`: of the form's fields */
export function Rehearsal({ path, body, title, labels, onClose }) {
  const [days, setDays] = useState(30);
  const [estimate, setEstimate] = useState("");
  const [wait, setWait] = useState("");
  const { answer, error, progress } = useRehearsal(path, body, days, estimate, wait);
  return html`
    <${Dialog} title=${title} onClose=${onClose} wide testid="rehearsal">
      <div class="dialog-body rehearsal">
        <div class="ranges" role="group" aria-label="Over how many days">
          ${DAYS.map((one) => html`<button type="button" aria-pressed=${one === days} onClick=${() => setDays(one)}>${counted(one, "day")}</button>`)}
        </div>
        <label class="estimable">
          <span>${GATHERED}</span>
          <input name="group_wait_s" type="number" min="0" max="300" inputmode="numeric" placeholder="as today" value=${wait} onChange=${(/** @type {any} */ event) => setWait(event.target.value.trim())} /> s
        </label>
        <${Trouble} error=${error} labels=${{ ...labels, group_wait_s: GATHERED }} />
        ${answer
          ? html`<${Result} answer=${answer} ofOne=${path.startsWith("targets/")} chosen=${estimate} onChoose=${setEstimate} />`
          : error
            ? null
            : html`<p class="empty">Playing what was recorded… <progress max="100" value=${progress} aria-label="How much is calculated"></progress></p>`}
      </div>
      <footer><small class="help">Nothing is changed by this.</small><span class="spring"></span><button type="button" class="quiet" onClick=${onClose}>Back</button></footer>
    <//>
  `;
}

/** Asked for until it is there. @param {string} path @param {any} body @param {number} days @param {string} estimate of which target, beside the form's own @param {string} wait for how many seconds what goes down together is gathered; "": as today */
function useRehearsal(path, body, days, estimate, wait) {
  const [found, setFound] = useState({ answer: /** @type {any} */ (null), error: /** @type {any} */ (null), progress: 0 });
  useEffect(() => {
    const stop = new AbortController();
    const ask = async () => {
      let answer = await api.post(`/rehearsals/${path}?days=${days}&wait_s=1${estimate ? `&estimate=${encoded(estimate)}` : ""}${wait ? `&group_wait_s=${encoded(wait)}` : ""}`, body);
      while (answer.progress_pct < 100 && !stop.signal.aborted) {
        const { id, progress_pct: progress } = answer;
        setFound((before) => ({ ...before, progress }));
        answer = await api.get(`/rehearsals/${encoded(id)}`, { wait_s: 1 }, stop.signal);
      }
      if (!stop.signal.aborted) setFound({ answer, error: null, progress: 100 });
    };
    setFound({ answer: null, error: null, progress: 0 });
    ask().catch((error) => stop.signal.aborted || setFound({ answer: null, error, progress: 0 }));
    return () => stop.abort();
  }, [path, JSON.stringify(body), days, estimate, wait]);
  return found;
}

/** @param {{answer: any, ofOne: boolean, chosen: string, onChoose: (target: string) => void}} given `ofOne`: it is of one target, which is estimated anyhow */
function Result({ answer: { from, to, result }, ofOne, chosen, onChoose }) {
  const today = result.estimate ? "Today (estimate)" : "Today";
  const these = result.estimate ? "With these (estimate)" : "With these";
  return html`
    <p class="help">
      What the sites recorded from <time title=${exact(from)}>${full(from)}</time> to <time title=${exact(to)}>${full(to)}</time>, judged once more with today's settings and with these:
      ${result.changed_count ? ` options of ${counted(result.changed_count, "target")} would change` : " no option of any target would change"}.
    </p>
    ${ofOne ? null : html`<${Estimable} names=${result.estimable} chosen=${chosen} onChoose=${onChoose} />`}
    ${result.estimate ? html`<div class="estimate" data-testid="estimate"><strong>Estimate</strong>${estimated(result.estimate, full).map((sentence) => html`<p key=${sentence}>${sentence}</p>`)}</div>` : null}
    ${(ofOne || chosen) && result.estimable.length && !result.estimate ? html`<p class="estimate" data-testid="no-estimate">No cycle of ${chosen || result.estimable[0]} is kept of this time, so that nothing can be estimated.</p>` : null}
    <div class="scroll">
      <table class="list as-cards" data-testid="rehearsed">
        <thead><tr><th><span class="unseen">Figure</span></th><th class="is-number">${today}</th><th class="is-number">${these}</th><th class="is-number">Change</th></tr></thead>
        <tbody>
          ${lines(result).map(
            (line) => html`<tr key=${line.label}><th scope="row" class="what">${line.label}</th><td class="is-number" data-label=${today}>${line.before}</td><td class="is-number" data-label=${these}>${line.after}</td><td class="is-number" data-label="Change">${line.change}</td></tr>`,
          )}
        </tbody>
      </table>
    </div>
    <${Changed} title="Incidents that would appear" found=${result.appear} testid="appear" />
    <${Changed} title="Incidents that would vanish" found=${result.vanish} testid="vanish" />
    <ul class="help">${[...limits(result, from, full), ALWAYS].map((sentence) => html`<li key=${sentence}>${sentence}</li>`)}</ul>
  `;
}

/** Which of several targets is estimated. @param {{names: string[], chosen: string, onChoose: (target: string) => void}} given */
function Estimable({ names, chosen, onChoose }) {
  if (!names.length) return null;
  return html`
    <label class="estimable">
      <span>Estimate from the kept cycles of</span>
      <select data-testid="estimable" value=${chosen} onChange=${(/** @type {any} */ event) => onChoose(event.target.value)}>
        <option value="">no target</option>
        ${names.map((one) => html`<option key=${one} value=${one}>${one}</option>`)}
      </select>
    </label>
  `;
}

const ALWAYS = "Without what people did (acknowledging, snoozing), incidents about sites, and what became of a notice on its way.";

/** @param {{title: string, found: any, testid: string}} given */
function Changed({ title, found, testid }) {
  if (!found.count) return null;
  return html`
    <h3>${title} (${found.count}${found.first.length < found.count ? `, the last ${found.first.length} shown` : ""})</h3>
    <div class="scroll">
      <table class="list as-cards" data-testid=${testid}>
        <thead><tr><th>Since</th><th class="is-number">Lasted</th><th>What</th><th>Cause</th><th>Who is told</th></tr></thead>
        <tbody>
          ${found.first.map(
            (/** @type {any} */ one, /** @type {number} */ place) => html`
              <tr key=${place}>
                <td data-label="Since">${one.targets.length ? html`<a href=${around(one)} target="_blank" rel="noopener" aria-label=${`${one.targets[0]} around ${exact(one.opened_at)}, in a new tab`}><${When} at=${one.opened_at} /></a>` : html`<${When} at=${one.opened_at} />`}</td>
                <td data-label="Lasted" class="is-number">${one.resolved_at ? duration((Date.parse(one.resolved_at) - Date.parse(one.opened_at)) / 1000) : "ongoing"}</td>
                <td class="what">${KINDS[one.kind] ?? one.kind} ${one.targets.slice(0, 3).join(", ")}${one.members > 3 ? ` and ${one.members - 3} more` : ""}</td>
                <td class="cause">${one.cause}</td>
                <td data-label="Told">${one.notices ? `${one.recipients.join(", ")} (${counted(one.notices, "notice")})` : "nobody"}</td>
              </tr>
            `,
          )}
        </tbody>
      </table>
    </div>
  `;
}

/** @param {{at: string}} given */
const When = ({ at }) => html`<time title=${exact(at)}>${moment(at)}</time>`;

/** The chart of what it is about, around its time. @param {any} one */
function around(one) {
  const from = Date.parse(one.opened_at);
  const to = one.resolved_at ? Date.parse(one.resolved_at) : Date.now();
  const margin = Math.max(AROUND_MS, (to - from) / 2);
  return `/targets/${encodeURIComponent(one.targets[0])}?from=${from - margin}&to=${Math.min(Date.now(), to + margin)}`;
}
