// @ts-check
// The tiles: how many targets are in which state. Pressing one filters the table.

import { share } from "../format.js";
import { useStore } from "../hooks.js";
import { MEANING, TILE_STATES, word } from "../states.js";
import { html } from "../ui.js";
import { Shape } from "./state.js";

/** @param {{chosen: string, onChoose: (state: string) => void}} given */
export function Kpis({ chosen, onChoose }) {
  const kpis = useStore((state) => state.kpis);
  return html`
    <section class="kpis" aria-label="Targets by state">
      <button class="kpi" data-testid="kpi-total" aria-pressed=${chosen === ""} onClick=${() => onChoose("")} title="All targets">
        <span class="kpi-word">Total</span>
        <strong>${kpis ? kpis.total : "–"}</strong>
        <small>${kpis?.total === 1 ? "target" : "targets"}</small>
      </button>
      ${TILE_STATES.map((state) => {
        const name = state.toLowerCase();
        const count = kpis?.[name];
        return html`
          <button
            key=${state}
            class=${`kpi state-${state} ${count ? "" : "is-zero"}`}
            data-testid=${`kpi-${name}`}
            aria-pressed=${chosen === state}
            onClick=${() => onChoose(chosen === state ? "" : state)}
            title=${`${word(state)}: ${MEANING[state]}`}
          >
            <span class="kpi-word"><${Shape} state=${state} />${word(state)}</span>
            <strong>${count ?? "–"}</strong>
            <small>${kpis ? share(count ?? 0, kpis.total) : ""}</small>
          </button>
        `;
      })}
    </section>
  `;
}
