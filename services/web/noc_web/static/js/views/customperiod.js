// @ts-check
// Two times to choose a period of one's own. What is typed stays, also where the shown period moves on; a new `key` forgets it.

import { local } from "../format.js";
import { between } from "../period.js";
import { html, useState } from "../ui.js";

/** @param {{from: number, to: number, onChoose: (period: {from: number, to: number}) => void}} given */
export function CustomPeriod({ from, to, onChoose }) {
  const [typedStart, setStart] = useState(/** @type {string|null} */ (null));
  const [typedEnd, setEnd] = useState(/** @type {string|null} */ (null));
  const start = typedStart ?? local(from);
  const end = typedEnd ?? local(to);
  const period = between(start, end);
  return html`
    <form class="custom-period" onSubmit=${(/** @type {any} */ event) => (event.preventDefault(), period && onChoose(period))}>
      <label>from <input type="datetime-local" step="1" name="from" value=${start} onInput=${(/** @type {any} */ event) => setStart(event.currentTarget.value)} /></label>
      <label>to <input type="datetime-local" step="1" name="to" value=${end} onInput=${(/** @type {any} */ event) => setEnd(event.currentTarget.value)} /></label>
      <button class="quiet" disabled=${!period} title=${period ? undefined : "“from” must be before “to”"}>Show</button>
    </form>
  `;
}
