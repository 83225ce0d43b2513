// @ts-check
// Sites: what they are called, their anchors, and how their probers are.

import { api } from "../api.js";
import { moment, utc } from "../format.js";
import { useAction, useStore } from "../hooks.js";
import { may } from "../me.js";
import { html, useState } from "../ui.js";
import { Chips, Confirm, Dialog, Trouble } from "./bits.js";
import { presence } from "./siteshealth.js";

export function Sites() {
  const sites = useStore((state) => state.sites);
  const [editing, setEditing] = useState(/** @type {any} */ (null));
  const [removing, setRemoving] = useState(/** @type {any} */ (null));
  const removal = useAction(async () => {
    await api.delete(`/sites/${encodeURIComponent(removing.id)}`);
    setRemoving(null);
  });
  return html`
    <p class="help">A site appears by itself when a prober announces itself. Anchors are addresses that answer whenever the site has a network: while none answers, the site is isolated and has no vote.</p>
    ${may("operator") ? html`<p><button class="primary" onClick=${() => setEditing({ isNew: true, id: "", label: "", location: "", anchors: [], expected: true })}>Set up a site</button></p>` : null}
    ${sites.length
      ? html`<div class="scroll">
          <table class="list">
            <thead>
              <tr><th>Site</th><th>Prober</th><th>Since</th><th class="is-number">Targets</th><th class="is-number">Echoes/s</th><th class="is-number">Late</th><th class="is-number">Dropped</th><th class="is-number">Journal</th><th>Anchors</th><th>Version</th><th></th></tr>
            </thead>
            <tbody>
              ${sites.map((site) => {
                const [text, state] = presence(site);
                return html`
                  <tr key=${site.id}>
                    <td><strong>${site.label}</strong><br /><small>${[site.label === site.id ? "" : site.id, site.location, site.configured ? "" : "announced itself, not set up"].filter(Boolean).join(", ")}</small></td>
                    <td class=${`state-${state}`}><span class="state">${text}</span></td>
                    <td><time title=${utc(site.since)}>${moment(site.since)}</time></td>
                    <td class="is-number">${site.targets}</td>
                    <td class="is-number">${site.echoes_per_s.toFixed(1)}</td>
                    <td class="is-number">${site.lateness_ms.toFixed(1)} ms</td>
                    <td class="is-number">${site.drops}</td>
                    <td class="is-number">${site.journal_depth}</td>
                    <td>${site.anchors.join(", ") || "–"}</td>
                    <td>${site.version || "–"}</td>
                    <td class="acts">
                      ${may("operator")
                        ? html`<button onClick=${() => setEditing(site)}>Edit</button>${site.configured ? html`<button class="danger" onClick=${() => setRemoving(site)}>Delete</button>` : null}`
                        : null}
                    </td>
                  </tr>
                `;
              })}
            </tbody>
          </table>
        </div>`
      : html`<p class="empty">No site yet. Start a prober with <code>noc prober</code> at a place you want to ping from: it appears here.</p>`}
    ${editing ? html`<${SiteForm} site=${editing} onClose=${() => setEditing(null)} />` : null}
    ${removing
      ? html`<${Confirm} title=${`Delete the site ${removing.id}?`} verb="Delete" busy=${removal.busy} error=${removal.error} onYes=${removal.run} onClose=${() => setRemoving(null)}>
          <p>Its history stays. While its prober is online it stays in the list, without label and anchors.</p>
        <//>`
      : null}
  `;
}

/** @param {{site: any, onClose: () => void}} given */
function SiteForm({ site, onClose }) {
  const [typedIn, setTypedIn] = useState({ id: site.id, label: site.label, location: site.location, anchors: site.anchors, expected: site.expected });
  const set = (/** @type {string} */ name) => (/** @type {any} */ value) => setTypedIn((before) => ({ ...before, [name]: value }));
  const { run, busy, error } = useAction(async () => {
    const body = { ...typedIn, label: typedIn.label.trim() || typedIn.id.trim(), id: typedIn.id.trim() };
    if (site.isNew) await api.post("/sites", body);
    else await api.put(`/sites/${encodeURIComponent(site.id)}`, body);
    onClose();
  });
  const text = (/** @type {"id"|"label"|"location"} */ name, /** @type {string} */ label, /** @type {boolean} */ fixed = false) => html`
    <label class=${`field ${error?.of?.(name).length ? "is-wrong" : ""}`}>${label}<input name=${name} value=${typedIn[name]} disabled=${fixed} aria-invalid=${error?.of?.(name).length ? true : undefined} onInput=${(/** @type {any} */ event) => set(name)(event.currentTarget.value)} /></label>
    ${(error?.of?.(name) ?? []).map((/** @type {string} */ sentence) => html`<small class="wrong" role="alert">${sentence}</small>`)}
  `;
  return html`
    <${Dialog} title=${site.isNew ? "Set up a site" : `Site ${site.id}`} onClose=${onClose}>
      <form class="dialog-form" noValidate onSubmit=${(/** @type {any} */ event) => (event.preventDefault(), run())}>
        <div class="dialog-body">
          <${Trouble} error=${error} fields=${["id", "label", "location", "anchors", "expected"]} />
          ${text("id", "Id", !site.isNew)} ${text("label", "Label")} ${text("location", "Location")}
          <div class="field"><label for="site-anchors">Anchors</label><${Chips} id="site-anchors" values=${typedIn.anchors} onChange=${set("anchors")} placeholder="addresses; empty: found by itself" wrong=${error?.of?.("anchors").length > 0} /></div>
          ${(error?.of?.("anchors") ?? []).map((/** @type {string} */ sentence) => html`<small class="wrong" id="site-anchors-wrong" role="alert">${sentence}</small>`)}
          <label class="check"><input type="checkbox" checked=${typedIn.expected} onChange=${(/** @type {any} */ event) => set("expected")(event.currentTarget.checked)} />its silence is an incident</label>
        </div>
        <footer><button type="button" class="quiet" onClick=${onClose}>Cancel</button><button class="primary" disabled=${busy || !typedIn.id.trim()}>Save</button></footer>
      </form>
    <//>
  `;
}
