// @ts-check
// Targets that stand on the way to one, as traces show them: each becomes its parent by one click.

import { api } from "../api.js";
import { useAction } from "../hooks.js";
import { may } from "../me.js";
import { html } from "../ui.js";
import { Trouble } from "./bits.js";

/** @typedef {{parent: string, name: string, sites: Record<string, number>}} Suggested */

/** @param {{id: string, parents: readonly string[], found: {answer: any, error: any}, onChanged: () => void}} given `parents`: its own, as they are; `found`: what the API suggests */
export function SuggestedParents({ id, parents, found, onChanged }) {
  const { run, busy, error } = useAction(async (/** @type {string} */ parent) => {
    await api.patch(`/targets/${encodeURIComponent(id)}`, { parents: [...parents, parent] });
    onChanged();
  });
  if (found.error) return html`<${Trouble} error=${found.error} />`;
  const suggested = /** @type {Suggested[]} */ (found.answer?.suggested ?? []);
  if (!suggested.length) return null;
  return html`
    <h3>On the way, and not a parent</h3>
    <ul class="route-list" data-testid="suggested-parents">
      ${suggested.map((one) => html`
        <li key=${one.parent}>
          <a href=${`/targets/${encodeURIComponent(one.parent)}`}>${one.name}</a>
          <small> ${Object.entries(one.sites).map(([site, ttl]) => `hop ${ttl} from ${site}`).join(", ")}</small>
          ${may("operator") ? html` <button class="quiet" disabled=${busy} data-testid=${`take-${one.parent}`} onClick=${() => run(one.parent)}>Make it a parent</button>` : null}
        </li>
      `)}
    </ul>
    <${Trouble} error=${error} />
  `;
}
