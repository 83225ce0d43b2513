// @ts-check
// The first page: tiles, the table of all targets, and beside it how sites and services are.

import { address } from "../api.js";
import { useTargets } from "../hooks.js";
import { may } from "../me.js";
import { navigate, setQuery } from "../router.js";
import { groups } from "../tablerows.js";
import { html, useState } from "../ui.js";
import { withChosen } from "./bits.js";
import { Distribution } from "./distribution.js";
import { ImportDialog } from "./importtargets.js";
import { Kpis } from "./kpis.js";
import { RunningMaintenance } from "./maintenance.js";
import { OpenIncidents } from "./openincidents.js";
import { RecentChanges } from "./recentchanges.js";
import { SitesHealth } from "./siteshealth.js";
import { TargetForm } from "./targetform.js";
import { TargetTable } from "./targettable.js";

/** @param {{query: URLSearchParams}} given */
export default function Overview({ query }) {
  const state = (query.get("state") ?? "").toUpperCase();
  return html`
    <h1 class="unseen">Overview</h1>
    <${Kpis} chosen=${state} onChoose=${(/** @type {string} */ chosen) => setQuery({ state: chosen || null })} />
    <div class="overview">
      <section class="panel table-panel" aria-label="Targets">
        <${Tools} query=${query} />
        <${TargetTable} query=${query} />
      </section>
      <aside class="side" tabindex="0">
        <${Distribution} />
        <${RunningMaintenance} />
        <${SitesHealth} />
        <${OpenIncidents} />
        <${RecentChanges} />
      </aside>
    </div>
  `;
}

/** @param {{query: URLSearchParams}} given */
function Tools({ query }) {
  const paths = useTargets((rows) => groups(rows.values()));
  const [shown, setShown] = useState("");
  const close = () => setShown("");
  const chosen = query.get("group") ?? "";
  return html`
    <div class="tools">
      <input
        type="search"
        class="filter"
        placeholder="Filter by name, address, group, tag"
        aria-label="Filter"
        value=${query.get("q") ?? ""}
        onInput=${(/** @type {any} */ event) => setQuery({ q: event.currentTarget.value }, { replace: true })}
        onChange=${(/** @type {any} */ event) => setQuery({ q: event.currentTarget.value }, { replace: true })}
        data-testid="filter"
      />
      <select aria-label="Group" value=${chosen} onChange=${(/** @type {any} */ event) => setQuery({ group: event.currentTarget.value })} data-testid="group-filter">
        <option value="">All groups</option>
        ${withChosen(paths, chosen).map((path) => html`<option value=${path}>${path}</option>`)}
      </select>
      <span class="spring"></span>
      <details class="menu">
        <summary class="button quiet">Import / export</summary>
        <div>
          ${may("operator") ? html`<button class="quiet" onClick=${() => setShown("import")} data-testid="import-targets">Import…</button>` : null}
          <a class="button quiet" href=${address("/targets/export", { format: "csv" })} download>Export as CSV</a>
          <a class="button quiet" href=${address("/targets/export", { format: "json" })} download>Export as JSON</a>
        </div>
      </details>
      ${may("operator") ? html`<button class="primary" data-testid="add-target" onClick=${() => setShown("add")}>Add target</button>` : null}
    </div>
    ${shown === "add" ? html`<${TargetForm} onClose=${close} onSaved=${(/** @type {any} */ saved) => (close(), navigate(`/targets/${saved.id}`))} />` : null}
    ${shown === "import" ? html`<${ImportDialog} onClose=${close} />` : null}
  `;
}
