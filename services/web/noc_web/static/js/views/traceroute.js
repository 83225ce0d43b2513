// @ts-check
// The path to a target: followed now from a site of choice, as it was last known, or as it was before; and when it changed.

import { moment, ms, exact } from "../format.js";
import { useCommand, useStore } from "../hooks.js";
import { may } from "../me.js";
import { html, useState } from "../ui.js";
import { Trouble } from "./bits.js";

/** @typedef {import("../messages.d.ts").Trace} Trace */
/** @typedef {{answer: any, error: any}} Loaded */

const LATEST_CHANGES = 10;

/** @param {{id: string, sites: string[], known: Loaded, routes: Loaded, children?: any}} given the last traces and those stored, as the API has them */
export function Traceroute({ id, sites, known, routes, children }) {
  const online = useStore((state) => state.sites).filter((site) => site.online);
  const [site, setSite] = useState("");
  const [fresh, setFresh] = useState(/** @type {Record<string, any>} */ ({}));
  const choices = [...new Set([...sites, ...online.map((one) => one.id)])];
  const chosen = site || online.map((one) => one.id).find((one) => sites.includes(one)) || choices[0] || "";
  const { run, busy, asked, refusal, error } = useCommand(`/targets/${encodeURIComponent(id)}/trace`, (reply) =>
    setFresh((before) => ({ ...before, [reply.site]: reply.trace })),
  );
  const [at, setAt] = useState("");
  const stored = /** @type {Trace[]} */ ([...(routes.answer?.paths ?? []), ...(routes.answer?.before ?? [])]).filter((one) => one.site === chosen);
  const last = fresh[chosen] ?? known.answer?.traces?.[chosen];
  const trace = stored.find((one) => one.at === at) ?? last ?? stored[0];
  const changes = [...(routes.answer?.changes ?? [])].reverse().slice(0, LATEST_CHANGES);
  const show = (/** @type {string} */ from, /** @type {string} */ when) => (setSite(from), setAt(when));
  return html`
    <section class="panel" aria-label="Traceroute">
      <h2>Path</h2>
      <div class="tools">
        <label>from <select value=${chosen} onChange=${(/** @type {any} */ event) => setSite(event.currentTarget.value)} aria-label="Site" data-testid="trace-site">
          ${choices.map((one) => html`<option value=${one}>${one}</option>`)}
        </select></label>
        ${stored.length
          ? html`<label>as of <select value=${at} onChange=${(/** @type {any} */ event) => setAt(event.currentTarget.value)} aria-label="When" data-testid="trace-at">
              <option value="">now</option>
              ${stored.map((one) => html`<option value=${one.at}>${moment(one.at)}${one.reached ? "" : ", broke off"}</option>`)}
            </select></label>`
          : null}
        ${may("operator")
          ? html`<button data-testid="trace-button" disabled=${busy || !chosen} onClick=${() => (setAt(""), run({ site: chosen }))}>
              ${asked ? `Following from ${asked.site}…` : "Trace now"}
            </button>`
          : null}
        ${trace ? html`<small>${trace.address}, <time title=${exact(trace.at)}>${moment(trace.at)}</time>: ${trace.reached ? "reached" : "not reached"}</small>` : null}
      </div>
      <${Trouble} error=${error ?? known.error ?? routes.error} />
      ${refusal ? html`<p class="error" role="alert">${refusal}</p>` : null}
      ${trace ? html`<${Hops} trace=${trace} />` : html`<p class="empty">No path from ${chosen || "a site"} is known yet${may("operator") ? ": press “Trace now”" : ""}.</p>`}
      ${changes.length
        ? html`
            <h3>Route changes</h3>
            <ul class="route-list" data-testid="route-list">
              ${changes.map((/** @type {any} */ one) => html`
                <li key=${`${one.at} ${one.site}`}>
                  <time title=${exact(one.at)}>${moment(one.at)}</time> ${one.text}
                  <button class="quiet" onClick=${() => show(one.site, one.at)}>Show</button>
                </li>
              `)}
            </ul>
          `
        : null}
      ${children}
    </section>
  `;
}

/** Every router that answered at a step, each with its own times and its reason; a step without one is a row too.
 * @param {any} hop of a Trace; `routers` is missing from those of an older prober */
const routersOf = (hop) => (hop.routers?.length ? hop.routers : [{ address: hop.address, name: hop.name, rtts_ms: hop.rtts_ms }]).map((/** @type {any} */ one) => ({ ...one, ttl: hop.ttl }));

/** @param {{trace: Pick<import("../messages.d.ts").Trace, "hops"|"reached">}} given */
export const Hops = ({ trace }) => {
  const slowest = Math.max(1, ...trace.hops.flatMap(routersOf).flatMap((one) => one.rtts_ms));
  return html`
    <div class="scroll">
      <table class="list as-cards hops" data-testid="trace-hops" data-reached=${String(trace.reached)}>
        <thead>
          <tr><th class="is-number">Hop</th><th>Address</th><th>Name</th><th class="is-number">Best</th><th class="is-number">Worst</th><th class="wide-only">RTT</th></tr>
        </thead>
        <tbody>
          ${trace.hops.flatMap(routersOf).map(({ ttl, address, name, rtts_ms, reason }) => {
            const best = rtts_ms.length ? Math.min(...rtts_ms) : null;
            const worst = rtts_ms.length ? Math.max(...rtts_ms) : null;
            return html`
              <tr key=${`${ttl} ${address}`} class=${address ? "" : "is-silent"}>
                <td class="is-number">${ttl}</td>
                <td>${address ?? "no answer"}${reason ? html` <small class="wrong">${reason}</small>` : null}</td>
                <td>${name ?? ""}</td>
                <td class="is-number">${ms(best)}</td>
                <td class="is-number">${ms(worst)}</td>
                <td class="wide-only"><span class="bar-track"><span class="bar-fill" style=${{ width: `${(100 * (best ?? 0)) / slowest}%` }}></span></span></td>
              </tr>
            `;
          })}
        </tbody>
      </table>
    </div>
    ${trace.reached ? null : html`<p class="help">The last answer came from hop ${trace.hops.filter((hop) => hop.address).pop()?.ttl ?? "none"}; the address itself did not answer.</p>`}
  `;
};
