// @ts-check
// The open incidents, in short, beside the table.

import { useNow, useStore } from "../hooks.js";
import { subject } from "../incidentrows.js";
import { html } from "../ui.js";
import { Since } from "./state.js";

const MOST = 8;

export function OpenIncidents() {
  const incidents = useStore((state) => state.incidents);
  const rows = useStore((state) => state.rows);
  const allWell = useStore((state) => state.allWell);
  const now = useNow(5000);
  return html`
    <section class="panel" aria-label="Open incidents">
      <h2>Open incidents</h2>
      ${incidents.length
        ? html`<ul class="incident-list">
            ${incidents.slice(0, MOST).map(
              (one) => html`
                <li key=${one.id}>
                  <a href=${one.targets.length === 1 ? `/targets/${one.targets[0]}` : `/incidents/${one.id}`}>
                    ${subject(one, rows)}
                  </a>
                  <${Since} since=${one.opened_at} now=${now} />
                  <small>${one.cause}${one.acknowledged ? `; acknowledged by ${one.acknowledged.by}` : ""}</small>
                </li>
              `,
            )}
          </ul>`
        : html`<p class="empty">${allWell ? "None. All is well." : "None."}</p>`}
      ${incidents.length > MOST ? html`<p><a href="/incidents">and ${incidents.length - MOST} more</a></p>` : null}
    </section>
  `;
}
