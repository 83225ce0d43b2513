// @ts-check
// The people who may log in, for administrators.

import { api } from "../api.js";
import { exact, moment } from "../format.js";
import { useAction, useEditing, useLoaded } from "../hooks.js";
import { me } from "../me.js";
import { html, useState } from "../ui.js";
import { Field, FormDialog, Removal, TextField, Trouble } from "./bits.js";

export const ROLES = ["viewer", "operator", "admin"];

export function Users() {
  const { answer, error, again } = useLoaded("/users");
  const editing = useEditing((user) => api.delete(`/users/${encodeURIComponent(user.name)}`), again);
  return html`
    <p class="help">Viewers see everything; operators also change targets, groups and sites, check, trace and acknowledge; administrators also manage users and tokens.</p>
    <p><button class="primary" onClick=${() => editing.edit({ isNew: true, name: "", role: "viewer" })}>Add a user</button></p>
    <${Trouble} error=${error} />
    ${answer ? html`<div class="scroll">
      <table class="list as-cards">
        <thead><tr><th>Name</th><th>Role</th><th>Since</th><th><span class="unseen">Actions</span></th></tr></thead>
        <tbody>
          ${answer.users.map(
            (/** @type {any} */ user) => html`
              <tr key=${user.name}>
                <td class="what">${user.name}${user.name === me.name ? html` <small>(you)</small>` : null}</td>
                <td data-label="Role">${user.role}</td>
                <td data-label="Since"><time title=${exact(user.created_at)}>${moment(user.created_at)}</time></td>
                <td class="acts">
                  <button aria-label=${`Edit ${user.name}`} onClick=${() => editing.edit(user)}>Edit</button>
                  ${user.name === me.name ? null : html`<button class="danger" aria-label=${`Delete ${user.name}`} onClick=${() => editing.askToRemove(user)}>Delete</button>`}
                </td>
              </tr>
            `,
          )}
        </tbody>
      </table>
    </div>` : error ? null : html`<p class="empty">Loading…</p>`}
    ${editing.editing ? html`<${UserForm} user=${editing.editing} onClose=${editing.close} onSaved=${editing.saved} />` : null}
    <${Removal} of=${editing} title=${(/** @type {any} */ user) => `Delete the user ${user.name}?`}><p>Their sessions end at once.</p><//>
  `;
}

/** @param {{user: any, onClose: () => void, onSaved: () => void}} given */
function UserForm({ user, onClose, onSaved }) {
  const [name, setName] = useState(user.name);
  const [role, setRole] = useState(user.role);
  const [password, setPassword] = useState("");
  const action = useAction(async () => {
    if (user.isNew) await api.post("/users", { name: name.trim(), role, password });
    else await api.put(`/users/${encodeURIComponent(user.name)}`, { role, password: password || null });
    onSaved();
  });
  const { error } = action;
  return html`
    <${FormDialog} title=${user.isNew ? "Add a user" : `User ${user.name}`} action=${action} fields=${["name", "role", "password"]} isComplete=${Boolean(name.trim() && (!user.isNew || password))} onClose=${onClose}>
      <${TextField} name="name" label="Name" error=${error} value=${name} onText=${setName} disabled=${!user.isNew} autocomplete="off" />
      <${Field} name="role" label="Role" error=${error}>
        ${(/** @type {any} */ given) => html`<select ...${given} value=${role} onChange=${(/** @type {any} */ event) => setRole(event.currentTarget.value)}>${ROLES.map((one) => html`<option value=${one}>${one}</option>`)}</select>`}
      <//>
      <${TextField} name="password" label=${user.isNew ? "Password" : "New password (leave blank to keep)"} error=${error} value=${password} onText=${setPassword} type="password" autocomplete="new-password" />
    <//>
  `;
}
