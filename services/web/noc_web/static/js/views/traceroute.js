// @ts-check
// The path to a target: followed now from a site of choice, or as it was last known.

import { moment, ms, exact } from "../format.js";
import { useCommand, useStore } from "../hooks.js";
import { may } from "../me.js";
import { html, useState } from "../ui.js";
import { Trouble } from "./bits.js";

/** @param {{id: string, sites: string[], known: {answer: any, error: any}}} given `known`: the last traces, as the API has them */
export function Traceroute({ id, sites, known }) {
  const online = useStore((state) => state.sites).filter((site) => site.online);
  const [site, setSite] = useState("");
  const [fresh, setFresh] = useState(/** @type {Record<string, any>} */ ({}));
  const choices = [...new Set([...sites, ...online.map((one) => one.id)])];
  const chosen = site || online.map((one) => one.id).find((one) => sites.includes(one)) || choices[0] || "";
  const { run, busy, asked, refusal, error } = useCommand(`/targets/${encodeURIComponent(id)}/trace`, (reply) =>
    setFresh((before) => ({ ...before, [reply.site]: reply.trace })),
  );
  const trace = fresh[chosen] ?? known.answer?.traces?.[chosen];
  return html`
    <section class="panel" aria-label="Traceroute">
      <h2>Path</h2>
      <div class="tools">
        <label>from <select value=${chosen} onChange=${(/** @type {any} */ event) => setSite(event.currentTarget.value)} aria-label="Site" data-testid="trace-site">
          ${choices.map((one) => html`<option value=${one}>${one}</option>`)}
        </select></label>
        ${may("operator")
          ? html`<button data-testid="trace-button" disabled=${busy || !chosen} onClick=${() => run({ site: chosen })}>
              ${asked ? `Following from ${asked.site}…` : "Trace now"}
            </button>`
          : null}
        ${trace ? html`<small>${trace.address}, <time title=${exact(trace.at)}>${moment(trace.at)}</time>: ${trace.reached ? "reached" : "not reached"}</small>` : null}
      </div>
      <${Trouble} error=${error ?? known.error} />
      ${refusal ? html`<p class="error" role="alert">${refusal}</p>` : null}
      ${trace ? html`<${Hops} trace=${trace} />` : html`<p class="empty">No path from ${chosen || "a site"} is known yet${may("operator") ? ": press “Trace now”" : ""}.</p>`}
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
