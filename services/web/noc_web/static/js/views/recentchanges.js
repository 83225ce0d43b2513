// @ts-check
// What has changed last, also of what is over, in short beside the table.

import { duration, exact, moment } from "../format.js";
import { useStore } from "../hooks.js";
import { about } from "../incidentrows.js";
import { word } from "../states.js";
import { html } from "../ui.js";
import { Shape } from "./state.js";

/** @typedef {import("../live.d.ts").RecentChange} Change */

const MOST = 8;
/** @type {Record<string, string>} */
const STATES = { "target-down": "DOWN", "mass-outage": "DOWN", "target-partial": "PARTIAL", "target-degraded": "DEGRADED" };

export function RecentChanges() {
  const changes = useStore((state) => state.changes);
  return html`
    <section class="panel" aria-label="Recent changes">
      <h2>Recent changes</h2>
      ${changes?.length
        ? html`<ul class="incident-list is-recent" data-testid="recent-changes">${changes.slice(0, MOST).map((one) => html`<${Line} key=${`${one.incident} ${one.what} ${one.target}`} change=${one} />`)}</ul>
            <p><a href="/incidents?show=all">All incidents</a></p>`
        : html`<p class="empty" data-testid="no-changes">${changes ? "No incident in the last 7 days." : "Not known yet: the history is being asked."}</p>`}
    </section>
  `;
}

/** @param {{change: Change}} given */
function Line({ change }) {
  const state = change.state ?? STATES[change.kind];
  const subject = change.target ? about(change.name, change.total, null) : about(null, 0, change.name);
  const isOver = change.what === "ended" || change.what === "left";
  return html`
    <li class=${isOver ? "is-over" : `state-${state ?? "DOWN"}`} data-what=${change.what}>
      <a href=${`/incidents/${encodeURIComponent(change.incident)}`}>${subject}</a>
      <time class="since" dateTime=${change.at} title=${exact(change.at)}>${moment(change.at)}</time>
      <small>${isOver ? html`<span class="status is-over">over</span> ${lasted(change, state)}` : state ? html`<span class="state"><${Shape} state=${state} />${word(state)}</span>: ${change.cause}` : change.cause}</small>
    </li>
  `;
}

/** @param {Change} change @param {string|undefined} state */
const lasted = ({ what, lasted_s, total }, state) =>
  `${state && total === 1 ? `was ${word(state)} for` : "after"} ${duration(lasted_s)}${what === "left" ? "; others for longer" : ""}`;
