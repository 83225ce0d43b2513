// @ts-check
// A state as people see it: a shape, a colour and a word.

import { duration, exact, ms, percent } from "../format.js";
import { MEANING, SHAPES, word } from "../states.js";
import { html } from "../ui.js";

/** @param {{state: string, title?: string}} given */
export const Shape = ({ state, title }) => html`
  <svg class=${`shape state-${state}`} viewBox="0 0 12 12" role=${title ? "img" : undefined} aria-label=${title} aria-hidden=${title ? undefined : "true"}>
    <path fill-rule="evenodd" d=${SHAPES[state] ?? SHAPES.UNKNOWN} />
  </svg>
`;

/** @param {{state: string}} given */
export const Badge = ({ state }) => html`
  <span class=${`state state-${state}`} title=${MEANING[state]}><${Shape} state=${state} />${word(state)}</span>
`;

/** @param {{since: string|null, now: number}} given */
export const Since = ({ since, now }) =>
  since ? html`<time class="since" dateTime=${since} title=${`since ${exact(since)}`}>${duration((now - Date.parse(since)) / 1000)}</time>` : null;

/** @param {string} site @param {import("../store.js").Cell} cell */
export const cellTitle = (site, cell) =>
  [`${site}: ${word(cell.state)}`, cell.reason, cell.rtt_ms === null ? "" : ms(cell.rtt_ms), cell.loss_pct ? `loss ${percent(cell.loss_pct)}` : ""]
    .filter(Boolean)
    .join(", ");
