// @ts-check
// How far packets came during an incident: from a site that fails and one that does not, beside the last whole path.

import { exact, moment } from "../format.js";
import { useLoaded } from "../hooks.js";
import { html } from "../ui.js";
import { Trouble } from "./bits.js";

/** @typedef {import("../messages.d.ts").Trace} Trace */
/** @typedef {{site: string, broken: Trace|null, good: Trace|null, text: string|null}} SitePaths */

/** Where no path broke off there is nothing to show. @param {{path: string}} given of the incident in the API */
export function IncidentPaths({ path }) {
  const { answer, error } = useLoaded(`${path}/paths`);
  if (error) return html`<section class="panel" aria-label="Paths"><h2>Paths</h2><${Trouble} error=${error} /></section>`;
  const sites = /** @type {SitePaths[]} */ (answer?.sites ?? []);
  const failing = sites.filter((one) => one.broken);
  if (!failing.length) return null;
  const seeing = sites.find((one) => !one.broken && one.good);
  const columns = [
    ...heads(failing[0].broken, "broke off"),
    ...heads(failing[0].good, "last whole path"),
    ...(seeing ? heads(seeing.good, "reaches it") : []),
  ];
  const hops = Array.from({ length: Math.max(...columns.map(({ trace }) => trace.hops.length)) }, (_, place) => place);
  return html`
    <section class="panel" aria-label="Paths">
      <h2>Paths to ${answer.target}</h2>
      <ul class="route-list" data-testid="broken-paths">${failing.map((one) => html`<li key=${one.site}>${one.text}</li>`)}</ul>
      <div class="scroll">
        <table class="list" data-testid="incident-paths">
          <thead>
            <tr><th class="is-number">Hop</th>${columns.map(({ trace, what }) => html`<th>${trace.site}: ${what}<br /><small><time title=${exact(trace.at)}>${moment(trace.at)}</time></small></th>`)}</tr>
          </thead>
          <tbody>
            ${hops.map((place) => html`
              <tr key=${place}><td class="is-number">${place + 1}</td>${columns.map(({ trace }) => html`<td>${routers(trace.hops[place])}</td>`)}</tr>
            `)}
          </tbody>
        </table>
      </div>
    </section>
  `;
}

/** @param {Trace|null} trace @param {string} what */
const heads = (trace, what) => (trace ? [{ trace, what }] : []);

/** @param {import("../messages.d.ts").Hop|undefined} hop undefined: the path ended before */
function routers(hop) {
  if (!hop) return "";
  const found = hop.routers?.length ? hop.routers : hop.address ? [{ address: hop.address, name: hop.name }] : [];
  return found.length ? found.map((one) => one.name ?? one.address).join(", ") : "no answer";
}
