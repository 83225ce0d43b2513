// @ts-check
// The sites and how their probers are, in short.

import { counted, percent } from "../format.js";
import { useStore } from "../hooks.js";
import { presence } from "../siteproblems.js";
import { html } from "../ui.js";

export function SitesHealth() {
  const sites = useStore((state) => state.sites);
  const services = useStore((state) => state.services);
  const known = Object.entries(services);
  return html`
    <section class="panel" aria-label="Sites" data-testid="sites">
      <h2>Sites</h2>
      ${sites.length
        ? html`<ul class="sites">
            ${sites.map((site) => {
              const [text, state] = presence(site);
              return html`
                <li key=${site.id} class=${`state-${state}`} data-site=${site.id} data-presence=${text}>
                  <span class="site-name" title=${site.location}>${site.label}</span>
                  <span class="state">${text}</span>
                  <small>${site.online ? figures(site).join(", ") : "its prober sends nothing"}</small>
                </li>
              `;
            })}
          </ul>`
        : html`<p class="empty">No prober has been seen yet. Start one with <code>noc prober</code> at each place you want to ping from.</p>`}
      ${known.length
        ? html`<p class="services">
            ${known.map(([name, online]) => html`<span key=${name} class=${online ? "is-well" : "is-bad"}>${name}: ${online ? "running" : "not running"}</span>`)}
          </p>`
        : null}
    </section>
  `;
}

/** @param {import("../store.js").SiteRow} site */
const figures = (site) =>
  [
    counted(site.targets, "target"),
    `${Math.round(site.echoes_per_s)} echoes/s`,
    `late ${site.lateness_ms.toFixed(1)} ms`,
    typeof site.coverage_pct === "number" && site.coverage_pct < 100 ? `coverage ${percent(site.coverage_pct)}` : "",
    site.drops ? `${site.drops} dropped` : "",
    site.journal_depth > 100 ? `${site.journal_depth} not stored yet` : "",
  ].filter(Boolean);
