// @ts-check
// How the states are distributed: a bar for each, with count and percentage.

import { share } from "../format.js";
import { useStore } from "../hooks.js";
import { TILE_STATES, word } from "../states.js";
import { html } from "../ui.js";
import { Shape } from "./state.js";

export function Distribution() {
  const kpis = useStore((state) => state.kpis);
  if (!kpis) return null;
  const largest = Math.max(1, ...TILE_STATES.map((state) => kpis[state.toLowerCase()]));
  return html`
    <section class="panel" aria-label="Status distribution" data-testid="distribution">
      <h2>Status distribution</h2>
      <div class="bars" role="list">
        ${TILE_STATES.map((state) => {
          const count = kpis[state.toLowerCase()];
          return html`
            <div class=${`bar state-${state}`} role="listitem" key=${state}>
              <span class="bar-word"><${Shape} state=${state} />${word(state)}</span>
              <span class="bar-track"><span class="bar-fill" style=${{ width: `${(100 * count) / largest}%` }}></span></span>
              <span class="bar-count">${count}</span>
              <span class="bar-share">${share(count, kpis.total)}</span>
            </div>
          `;
        })}
      </div>
    </section>
  `;
}
