// @ts-check
// Tokens for machines, for administrators; the secret is shown once.

import { api } from "../api.js";
import { moment, exact } from "../format.js";
import { useAction, useEditing, useLoaded } from "../hooks.js";
import { html, useState } from "../ui.js";
import { Removal, Trouble } from "./bits.js";
import { ROLES } from "./users.js";

/** @type {Record<string, string>} */
const LABELS = { name: "Name of the token", role: "Role", days: "How long it counts", areas: "What it may reach" };
const DAYS = [["7", "7 days"], ["30", "30 days"], ["90", "90 days"], ["365", "a year"], ["", "until deleted"]];

export function Tokens() {
  const { answer, error, again } = useLoaded("/tokens");
  const [name, setName] = useState("");
  const [role, setRole] = useState("viewer");
  const [days, setDays] = useState("90");
  const [areas, setAreas] = useState("");
  const [made, setMade] = useState(/** @type {any} */ (null));
  const creation = useAction(async () => {
    const bound = areas.split(/[\s,]+/).filter(Boolean);
    setMade(await api.post("/tokens", { name: name.trim(), role, days: days ? Number(days) : null, areas: bound }));
    setName("");
    again();
  });
  const editing = useEditing((token) => api.delete(`/tokens/${encodeURIComponent(token.name)}`), again);
  const tokens = answer?.tokens ?? [];
  return html`
    <p class="help">A program sends its token as <code>Authorization: Bearer …</code> and may do what the token's role may, within the first words of the API's paths that it is bound to, until it expires.</p>
    <form class="tools" onSubmit=${(/** @type {any} */ event) => (event.preventDefault(), creation.run())}>
      <input name="token-name" aria-label=${LABELS.name} placeholder="what it is for" value=${name} onInput=${(/** @type {any} */ event) => setName(event.currentTarget.value)} />
      <select aria-label=${LABELS.role} value=${role} onChange=${(/** @type {any} */ event) => setRole(event.currentTarget.value)}>${ROLES.map((one) => html`<option value=${one}>${one}</option>`)}</select>
      <select aria-label=${LABELS.days} value=${days} onChange=${(/** @type {any} */ event) => setDays(event.currentTarget.value)}>${DAYS.map(([value, label]) => html`<option value=${value}>${label}</option>`)}</select>
      <input name="token-areas" aria-label=${LABELS.areas} placeholder="areas (blank: all)" title="first words of the API's paths, such as reports or metrics" value=${areas} onInput=${(/** @type {any} */ event) => setAreas(event.currentTarget.value)} />
      <button class="primary" disabled=${creation.busy || !name.trim()}>Create a token</button>
    </form>
    <${Trouble} error=${creation.error ?? error} labels=${LABELS} />
    ${made
      ? html`<div class="once" role="status"><p>The token <strong>${made.name}</strong>. Copy it now: it is not shown again.</p><code data-testid="new-token">${made.token}</code></div>`
      : null}
    ${tokens.length
      ? html`<div class="scroll">
          <table class="list as-cards">
            <thead><tr><th>Name</th><th>Role</th><th>Starts with</th><th>Created</th><th>Last used</th><th>Expires</th><th>Reaches</th><th><span class="unseen">Actions</span></th></tr></thead>
            <tbody>
              ${tokens.map(
                (/** @type {any} */ token) => html`
                  <tr key=${token.name}>
                    <td class="what">${token.name}</td>
                    <td data-label="Role">${token.role}</td>
                    <td data-label="Starts with"><code>${token.begins_with}…</code></td>
                    <td data-label="Created"><time title=${exact(token.created_at)}>${moment(token.created_at)}</time></td>
                    <td data-label="Last used">${token.used_at ? html`<time title=${exact(token.used_at)}>${moment(token.used_at)}</time>` : "never"}</td>
                    <td data-label="Expires">${token.expires_at ? html`<time title=${exact(token.expires_at)}>${Date.parse(token.expires_at) < Date.now() ? "expired" : moment(token.expires_at)}</time>` : "never"}</td>
                    <td data-label="Reaches">${token.areas.join(", ") || "all"}</td>
                    <td class="acts"><button class="danger" aria-label=${`Delete ${token.name}`} onClick=${() => editing.askToRemove(token)}>Delete</button></td>
                  </tr>
                `,
              )}
            </tbody>
          </table>
        </div>`
      : error ? null : html`<p class="empty">${answer ? "No token yet." : "Loading…"}</p>`}
    <${Removal} of=${editing} title=${(/** @type {any} */ token) => `Delete the token ${token.name}?`}><p>Whoever uses it is refused from now on.</p><//>
  `;
}
