// @ts-check
// Targets that stand on the way to one, as traces show them: each becomes its parent by one click.

import { api } from "../api.js";
import { useAction } from "../hooks.js";
import { may } from "../me.js";
import { html } from "../ui.js";
import { Trouble } from "./bits.js";

/** @typedef {{parent: string, name: string, sites: Record<string, number>, changes: Record<string, string[]>}} Suggested */

/** @param {{id: string, found: {answer: any, error: any}, onChanged: () => void}} given `found`: what the API suggests */
export function SuggestedParents({ id, found, onChanged }) {
  const { run, busy, error } = useAction(async (/** @type {Record<string, string[]>} */ changes) => {
    await api.patch(`/targets/${encodeURIComponent(id)}`, changes);
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
          ${may("operator") ? html` <button class="quiet" disabled=${busy} data-testid=${`take-${one.parent}`} onClick=${() => run(one.changes)}>${"site_parents" in one.changes ? `Make it a parent from ${Object.keys(one.sites).join(", ")}` : "Make it a parent"}</button>` : null}
        </li>
      `)}
    </ul>
    <${Trouble} error=${error} />
  `;
}
