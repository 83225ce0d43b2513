// @ts-check
// How much room the history takes, and how long its disk will do.

import { bytes, counted } from "../format.js";
import { useLoaded } from "../hooks.js";
import { html } from "../ui.js";
import { Trouble } from "./bits.js";

export function HistoryRoom() {
  const { answer, error } = useLoaded("/history/room");
  const room = answer?.room;
  return html`
    <${Trouble} error=${error} />
    ${answer && !room && html`<p>The history is in a database of its own server, which alone knows how much room there is.</p>`}
    ${room?.is_tight && html`<div class="banner is-warning" role="status">The disk is ${Math.floor(room.used_pct)} % full. Give it more room, or keep less history (keep_days in NOC_HISTORY_URL).</div>`}
    ${room &&
    html`<dl class="options-list" data-testid="history-room">
      <div><dt>Size of the history</dt><dd>${bytes(room.size_bytes)}</dd></div>
      <div><dt>Added in a day</dt><dd>${bytes(room.growth_bytes_a_day)}</dd></div>
      <div><dt>Free on its disk</dt><dd>${bytes(room.free_bytes)} of ${bytes(room.disk_bytes)}</dd></div>
      <div><dt>The disk will be full</dt><dd>${room.days_left === null ? "not within ten years" : `in ${counted(room.days_left, "day")}`}</dd></div>
    </dl>`}
  `;
}
