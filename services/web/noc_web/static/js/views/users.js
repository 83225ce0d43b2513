// @ts-check
// The people who may log in, for administrators.

import { api } from "../api.js";
import { moment, utc } from "../format.js";
import { useAction, useLoaded } from "../hooks.js";
import { me } from "../me.js";
import { html, useState } from "../ui.js";
import { Confirm, Dialog, Trouble } from "./bits.js";

export const ROLES = ["viewer", "operator", "admin"];

export function Users() {
  const { answer, error, again } = useLoaded("/users");
  const [editing, setEditing] = useState(/** @type {any} */ (null));
  const [removing, setRemoving] = useState(/** @type {any} */ (null));
  const removal = useAction(async () => {
    await api.delete(`/users/${encodeURIComponent(removing.name)}`);
    setRemoving(null);
    again();
  });
  return html`
    <p class="help">Viewers see everything; operators also change targets, groups and sites, check, trace and acknowledge; administrators also keep users and tokens.</p>
    <p><button class="primary" onClick=${() => setEditing({ isNew: true, name: "", role: "viewer" })}>Add a user</button></p>
    <${Trouble} error=${error} />
    <div class="scroll">
      <table class="list">
        <thead><tr><th>Name</th><th>Role</th><th>Since</th><th></th></tr></thead>
        <tbody>
          ${(answer?.users ?? []).map(
            (/** @type {any} */ user) => html`
              <tr key=${user.name}>
                <td>${user.name}${user.name === me.name ? html` <small>(you)</small>` : null}</td>
                <td>${user.role}</td>
                <td><time title=${utc(user.created_at)}>${moment(user.created_at)}</time></td>
                <td class="acts"><button onClick=${() => setEditing(user)}>Edit</button>${user.name === me.name ? null : html`<button class="danger" onClick=${() => setRemoving(user)}>Delete</button>`}</td>
              </tr>
            `,
          )}
        </tbody>
      </table>
    </div>
    ${editing ? html`<${UserForm} user=${editing} onClose=${() => setEditing(null)} onSaved=${() => (setEditing(null), again())} />` : null}
    ${removing
      ? html`<${Confirm} title=${`Delete the user ${removing.name}?`} verb="Delete" busy=${removal.busy} error=${removal.error} onYes=${removal.run} onClose=${() => setRemoving(null)}>
          <p>Their sessions end at once.</p>
        <//>`
      : null}
  `;
}

/** @param {{user: any, onClose: () => void, onSaved: () => void}} given */
function UserForm({ user, onClose, onSaved }) {
  const [name, setName] = useState(user.name);
  const [role, setRole] = useState(user.role);
  const [password, setPassword] = useState("");
  const { run, busy, error } = useAction(async () => {
    if (user.isNew) await api.post("/users", { name: name.trim(), role, password });
    else await api.put(`/users/${encodeURIComponent(user.name)}`, { role, password: password || null });
    onSaved();
  });
  const wrong = (/** @type {string} */ field) => (error?.of?.(field) ?? []).map((/** @type {string} */ sentence) => html`<small class="wrong" role="alert">${sentence}</small>`);
  return html`
    <${Dialog} title=${user.isNew ? "Add a user" : `User ${user.name}`} onClose=${onClose}>
      <form class="dialog-form" noValidate autocomplete="off" onSubmit=${(/** @type {any} */ event) => (event.preventDefault(), run())}>
        <div class="dialog-body">
          <${Trouble} error=${error} fields=${["name", "role", "password"]} />
          <label class="field">Name<input name="name" value=${name} disabled=${!user.isNew} aria-invalid=${error?.of?.("name").length ? true : undefined} onInput=${(/** @type {any} */ event) => setName(event.currentTarget.value)} autocomplete="off" /></label>
          ${wrong("name")}
          <label class="field">Role<select name="role" value=${role} onChange=${(/** @type {any} */ event) => setRole(event.currentTarget.value)}>${ROLES.map((one) => html`<option value=${one}>${one}</option>`)}</select></label>
          ${wrong("role")}
          <label class="field">${user.isNew ? "Password" : "New password (empty: stays)"}<input name="password" type="password" value=${password} autocomplete="new-password" aria-invalid=${error?.of?.("password").length ? true : undefined} onInput=${(/** @type {any} */ event) => setPassword(event.currentTarget.value)} /></label>
          ${wrong("password")}
        </div>
        <footer><button type="button" class="quiet" onClick=${onClose}>Cancel</button><button class="primary" disabled=${busy || !name.trim() || (user.isNew && !password)}>Save</button></footer>
      </form>
    <//>
  `;
}
