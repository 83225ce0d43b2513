// @ts-check
// Who changed what, when, for administrators.

import { full, exact } from "../format.js";
import { useLoaded } from "../hooks.js";
import { html, useState } from "../ui.js";
import { Trouble } from "./bits.js";

/** Of a longer change so much is shown until it is opened. */
const BRIEF = 160;

export function Audit() {
  const { answer, error, again, busy } = useLoaded("/audit", { most: 500 });
  const [text, setText] = useState("");
  const wanted = text.toLowerCase();
  const entries = (answer?.audit ?? []).filter((/** @type {any} */ one) => !wanted || JSON.stringify(one).toLowerCase().includes(wanted));
  return html`
    <div class="tools">
      <input type="search" placeholder="Filter" aria-label="Filter the audit" value=${text} onInput=${(/** @type {any} */ event) => setText(event.currentTarget.value)} />
      <button class="quiet" disabled=${busy} onClick=${again}>Reload</button>
    </div>
    <${Trouble} error=${error} />
    ${entries.length
      ? html`<div class="scroll">
          <table class="list as-cards">
            <thead><tr><th>When</th><th>Who</th><th>From</th><th>What</th><th>Of</th><th>Change</th></tr></thead>
            <tbody>
              ${entries.map(
                (/** @type {any} */ one) => html`
                  <tr key=${one.at + one.act + one.subject}>
                    <td><time title=${exact(one.at)}>${full(one.at)}</time></td>
                    <td>${one.who}</td>
                    <td>${one.origin || "–"}</td>
                    <td>${one.act}</td>
                    <td>${one.subject}</td>
                    <td class="detail"><${Change} text=${change(one)} /></td>
                  </tr>
                `,
              )}
            </tbody>
          </table>
        </div>`
      : html`<p class="empty">${answer ? "Nothing found." : "Loading…"}</p>`}
  `;
}

/** @param {{text: string}} given */
function Change({ text }) {
  if (text.length <= BRIEF) return html`<code>${text}</code>`;
  return html`<details><summary><code>${text.slice(0, BRIEF)}…</code></summary><code>${text.slice(BRIEF)}</code></details>`;
}

/** What became of what; the details where nothing is compared. @param {any} entry */
function change({ before, after, detail }) {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  const said = (/** @type {any} */ value) => (value === undefined ? "–" : JSON.stringify(value));
  const isNew = !Object.keys(before).length;
  const one = (/** @type {string} */ name) => (isNew ? `${name}: ${said(after[name])}` : `${name}: ${said(before[name])} → ${said(after[name])}`);
  if (names.length) return names.map(one).join(", ");
  return Object.keys(detail ?? {}).length ? JSON.stringify(detail) : "";
}
