// @ts-check
// Any address, tried from a site before it is a target: a few echo requests, or the path to it.

import { useCommand, useStore } from "../hooks.js";
import { answered } from "../rowfigures.js";
import { html, useState } from "../ui.js";
import { Trouble } from "./bits.js";
import { Hops } from "./traceroute.js";

/** @typedef {import("../messages.d.ts").Reply} Reply */

/** On the page of sites: with a field for the address. */
export function AddressPanel() {
  const [address, setAddress] = useState("");
  return html`
    <section aria-label="Test from here" data-testid="address-test">
      <h2>Test from here</h2>
      <${AddressTest} address=${address.trim()}>
        <label class="filter">address <input value=${address} onInput=${(/** @type {any} */ event) => setAddress(event.currentTarget.value)} placeholder="host name or IP address, target or not" autocomplete="off" spellcheck="false" /></label>
      <//>
    </section>
  `;
}

/** The site, what to do, and what came of it. @param {{address: string, children?: any}} given */
export function AddressTest({ address, children }) {
  const online = useStore((state) => state.sites).filter((site) => site.online);
  const [site, setSite] = useState("");
  const [found, setFound] = useState(/** @type {Reply|null} */ (null));
  const [verb, setVerb] = useState(/** @type {"ping"|"trace"} */ ("ping"));
  const chosen = online.some((one) => one.id === site) ? site : (online[0]?.id ?? "");
  const path = `/sites/${encodeURIComponent(chosen)}`;
  const commands = { ping: useCommand(`${path}/ping`, setFound), trace: useCommand(`${path}/trace`, setFound) };
  const { asked, refusal, error } = commands[verb];
  const busy = commands.ping.busy || commands.trace.busy;
  const button = (/** @type {"ping"|"trace"} */ one, /** @type {string} */ label) => html`
    <button type="button" disabled=${busy || !chosen || !address} data-testid=${`${one}-address`} onClick=${() => (setVerb(one), setFound(null), commands[one].run({ address }))}>${label}</button>
  `;
  return html`
    <div class="address-test">
      <div class="tools">
        ${children}
        <label>from <select value=${chosen} disabled=${!chosen} aria-label="Site to test from" onChange=${(/** @type {any} */ event) => setSite(event.currentTarget.value)}>
          ${online.length ? online.map((one) => html`<option key=${one.id} value=${one.id}>${one.label}</option>`) : html`<option value="">no site is online</option>`}
        </select></label>
        ${button("ping", "Ping")} ${button("trace", "Trace")}
        <small role="status">${asked && !found ? `asked ${asked.site}…` : found?.ping ? pinged(found) : ""}</small>
      </div>
      <${Trouble} error=${error} labels=${{ address: "Address" }} />
      ${refusal ? html`<p class="error" role="alert">${refusal}</p>` : null}
      ${found?.ping?.errors.map((sentence) => html`<p class="help" key=${sentence}>${sentence}</p>`)}
      ${found?.address_trace ? html`<p class="help">${found.site} to ${found.address_trace.address}: ${found.address_trace.reached ? "reached" : "not reached"}</p><${Hops} trace=${found.address_trace} />` : null}
    </div>
  `;
}

/** @param {Reply} reply */
function pinged({ site, ping, done }) {
  if (!ping) return "";
  const so = done ? "" : ` (${ping.planned} will be sent)`;
  return `${site} to ${ping.address}: ${ping.invalid ?? `${answered(ping.rtts_ms.length, ping.sent, ping.rtts_ms)}${so}`}`;
}
