// @ts-check
// Sites: what they are called, their anchors, and how their probers are.

import { api } from "../api.js";
import { exact, moment, percent } from "../format.js";
import { useAction, useEditing, useStore } from "../hooks.js";
import { may } from "../me.js";
import { html, useState } from "../ui.js";
import { Chips, Field, FormDialog, HistoryToo, Removal, TextField } from "./bits.js";
import { AddressPanel } from "./addresstest.js";
import { SilenceButton } from "./silence.js";
import { SiteKeys } from "./sitekeys.js";
import { lag, presence } from "../siteproblems.js";

export function Sites() {
  const sites = useStore((state) => state.sites);
  const [isHistoryToo, setHistoryToo] = useState(false);
  const editing = useEditing((site) => api.delete(`/sites/${encodeURIComponent(site.id)}`, { history: isHistoryToo ? "delete" : null }));
  return html`
    <p class="help">A site appears by itself when a prober announces itself. Anchors are addresses that answer whenever the site has a network: while none answers, the site is isolated and casts no vote.</p>
    ${may("operator") ? html`<p><button class="primary" onClick=${() => editing.edit({ isNew: true, id: "", label: "", location: "", anchors: [], expected: true })}>Set up a site</button></p>` : null}
    ${sites.length
      ? html`<div class="scroll">
          <table class="list as-cards of-sites">
            <thead>
              <tr><th>Site</th><th>Prober</th><th>Since</th><th>Address</th><th class="is-number">Coverage</th><th class="is-number">Clock</th><th class="is-number">Targets</th><th class="is-number">Echoes/s</th><th class="is-number">Late</th><th class="is-number">Dropped</th><th class="is-number">Journal</th><th>Anchors</th><th><span class="unseen">Actions</span></th></tr>
            </thead>
            <tbody>
              ${sites.map((site) => {
                const [text, state] = presence(site);
                return html`
                  <tr key=${site.id}>
                    <td class="what"><strong>${site.label}</strong><br /><small>${[site.label === site.id ? "" : site.id, site.location, site.configured ? "" : "announced itself, not set up"].filter(Boolean).join(", ")}</small>${site.hosts.length > 1 ? html`<br /><small class="is-lossy">runs twice: stop one of them</small>` : null}</td>
                    <td class=${`state-${state}`}><span class="state">${text}</span>${version(site)}</td>
                    <td data-label="Since">${site.online || !site.seen_at ? html`<time title=${exact(site.since)}>${moment(site.since)}</time>` : html`<span>last seen <time title=${exact(site.seen_at)}>${moment(site.seen_at)}</time></span>`}</td>
                    <td data-label="Address">${[...site.hosts, site.address].filter(Boolean).join(", ") || "–"}</td>
                    <td data-label="Coverage" class="is-number">${percent(site.coverage_pct)}</td>
                    <td data-label="Clock" class=${`is-number ${site.clock_wrong ? "is-lossy" : ""}`}>${typeof site.clock_ahead_ms === "number" ? `${site.clock_ahead_ms > 0 ? "+" : ""}${(site.clock_ahead_ms / 1000).toFixed(1)} s` : "–"}</td>
                    <td data-label="Targets" class="is-number">${site.targets}</td>
                    <td data-label="Echoes/s" class="is-number">${site.echoes_per_s.toFixed(1)}</td>
                    <td data-label="Late" class="is-number">${site.lateness_ms.toFixed(1)} ms</td>
                    <td data-label="Dropped" class="is-number">${site.drops}</td>
                    <td data-label="Journal" class="is-number">${site.journal_depth}</td>
                    <td data-label="Anchors">${site.anchors.join(", ") || "–"}</td>
                    <td class="acts">
                      ${may("operator")
                        ? html`<${SilenceButton} name=${`Silence ${site.id}`} choices=${[{ kind: "site", name: site.id }]} /><button aria-label=${`Edit ${site.id}`} onClick=${() => editing.edit(site)}>Edit</button>${site.configured ? html`<button class="danger" aria-label=${`Delete ${site.id}`} onClick=${() => (setHistoryToo(false), editing.askToRemove(site))}>Delete</button>` : null}`
                        : null}
                    </td>
                  </tr>
                `;
              })}
            </tbody>
          </table>
        </div>`
      : html`<p class="empty">No site yet. Start a prober with <code>noc prober</code> at a place you want to ping from: it appears here.</p>`}
    ${may("operator") ? html`<${AddressPanel} /><${SiteKeys} />` : null}
    ${editing.editing ? html`<${SiteForm} site=${editing.editing} onClose=${editing.close} />` : null}
    <${Removal} of=${editing} title=${(/** @type {any} */ site) => `Delete the site ${site.id}?`}>
      <p>Its key is worth nothing any more. A prober that connects without one stays in the list, without label and anchors.</p>
      <${HistoryToo} isChosen=${isHistoryToo} onChange=${setHistoryToo} />
    <//>
  `;
}

/** Of its prober; one that is more than one version apart may not work. @param {import("../store.js").SiteRow} site */
function version(site) {
  if (!site.version) return null;
  const isFar = Math.abs(site.versions_behind ?? 0) > 1;
  return html`<small class="version">${site.version}${lag(site) ? html`, <span class=${isFar ? "is-lossy" : undefined}>${lag(site)}</span>` : null}</small>`;
}

const FIELDS = ["id", "label", "location", "anchors", "expected"];

/** @param {{site: any, onClose: () => void}} given */
function SiteForm({ site, onClose }) {
  const [typedIn, setTypedIn] = useState({ id: site.id, label: site.label, location: site.location, anchors: site.anchors, expected: site.expected });
  const set = (/** @type {string} */ name) => (/** @type {any} */ value) => setTypedIn((before) => ({ ...before, [name]: value }));
  const action = useAction(async () => {
    const body = { ...typedIn, label: typedIn.label.trim() || typedIn.id.trim(), id: typedIn.id.trim() };
    if (site.isNew) await api.post("/sites", body);
    else await api.put(`/sites/${encodeURIComponent(site.id)}`, body);
    onClose();
  });
  const text = (/** @type {"id"|"label"|"location"} */ name, /** @type {string} */ label, isFixed = false) =>
    html`<${TextField} name=${name} label=${label} error=${action.error} value=${typedIn[name]} onText=${set(name)} disabled=${isFixed} />`;
  return html`
    <${FormDialog} title=${site.isNew ? "Set up a site" : `Site ${site.id}`} action=${action} fields=${FIELDS} isComplete=${Boolean(typedIn.id.trim())} onClose=${onClose}>
      ${text("id", "Id", !site.isNew)} ${text("label", "Label")} ${text("location", "Location")}
      <${Field} name="anchors" label="Anchors" error=${action.error}>
        ${(/** @type {any} */ given) => html`<${Chips} ...${given} values=${typedIn.anchors} onChange=${set("anchors")} placeholder="addresses; leave blank to use the gateways that answer" />`}
      <//>
      <label class="check"><input type="checkbox" checked=${typedIn.expected} onChange=${(/** @type {any} */ event) => set("expected")(event.currentTarget.checked)} />open an incident when this site goes silent</label>
    <//>
  `;
}
