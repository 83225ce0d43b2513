// @ts-check
// Groups: the options that everything below a path inherits.

import { api, encoded } from "../api.js";
import { useDeclared } from "../declared.js";
import { counted } from "../format.js";
import { useAction, useEditing, useLoaded, useStore } from "../hooks.js";
import { may } from "../me.js";
import { allTyped, fieldsOf, inWords, labelsOf, levels, own } from "../options.js";
import { html, useEffect, useMemo, useState } from "../ui.js";
import { Dialog, Removal, Trouble } from "./bits.js";
import { OptionFields } from "./optionfields.js";
import { Rehearsal } from "./rehearsal.js";
import { SilenceButton } from "./silence.js";

/** Where a group's options are; the root's are the defaults for all targets. @param {string} path */
const place = (path) => (path ? `/groups/${encoded(path)}` : "/groups");

export default function Groups() {
  const { answer, error, again } = useLoaded("/groups");
  const editing = useEditing((group) => api.delete(place(group.path)), again);
  const groups = answer?.groups ?? [];
  const { options, error: refusal } = useDeclared();
  const fields = fieldsOf(options?.group ?? []);
  const isReady = answer && (options || refusal);
  return html`
    <section class="panel" aria-label="Groups">
      <div class="tools">
        <h1>Groups</h1>
        <span class="spring"></span>
        ${may("operator") ? html`<button class="primary" data-testid="add-group" onClick=${() => editing.edit({ path: "", options: {}, isNew: true })}>Set options of a group</button>` : null}
      </div>
      <p class="help">A target inherits each option that it does not set from its own group, else from the groups above. A group exists as soon as a target names it.</p>
      <${Trouble} error=${error ?? refusal} />
      ${isReady && groups.length
        ? html`<div class="scroll">
            <table class="list as-cards">
              <thead><tr><th>Path</th><th class="is-number">Targets</th><th>Options</th><th><span class="unseen">Actions</span></th></tr></thead>
              <tbody>
                ${groups.map(
                  (/** @type {any} */ group) => html`
                    <tr key=${group.path} data-group=${group.path}>
                      <td class="what"><a href=${`/?group=${encodeURIComponent(group.path)}`}>${group.path || "all targets"}</a></td>
                      <td class="is-number" data-label="Targets">${group.targets}</td>
                      <td class="cause">${summary(fields, group.options) || "–"}</td>
                      <td class="acts">
                        ${may("operator")
                          ? html`<${SilenceButton} name=${`Silence ${group.path || "all targets"}`} choices=${[group.path ? { kind: "group", name: group.path } : { kind: "everything", name: "" }]} />
                              <button aria-label=${`Edit ${group.path || "all targets"}`} onClick=${() => editing.edit(group)}>Edit</button>
                              ${Object.keys(group.options).length ? html`<button class="danger" aria-label=${`Clear ${group.path || "all targets"}`} onClick=${() => editing.askToRemove(group)}>Clear</button>` : null}`
                          : null}
                      </td>
                    </tr>
                  `,
                )}
              </tbody>
            </table>
          </div>`
        : isReady
          ? html`<p class="empty">No group yet. Give a target a group like core/routers, or set options of one here.</p>`
          : error
            ? null
            : html`<p class="empty">Loading…</p>`}
    </section>
    ${editing.editing ? html`<${GroupForm} group=${editing.editing} groups=${groups} onClose=${editing.close} onSaved=${editing.saved} />` : null}
    <${Removal} of=${editing} title=${(/** @type {any} */ group) => `Clear the options of ${group.path}?`} verb="Clear">
      <p>${counted(editing.removing?.targets ?? 0, "target")} will inherit from the groups above instead.</p>
    <//>
  `;
}

/** @param {readonly import("../options.js").Field[]} fields @param {Record<string, any>} options */
const summary = (fields, options) =>
  fields
    .filter((field) => field.name in options)
    .map((field) => `${field.label} ${inWords(field, options[field.name])}`)
    .join(", ");

/** @param {{group: any, groups: any[], onClose: () => void, onSaved: () => void}} given */
function GroupForm({ group, groups, onClose, onSaved }) {
  const [path, setPath] = useState(group.path);
  const [typedIn, setTypedIn] = useState(/** @type {Record<string, any>|null} */ (null));
  const { options, error: refusal } = useDeclared();
  const fields = useMemo(() => fieldsOf(options?.group ?? []), [options]);
  const sites = useStore((state) => state.sites);
  useEffect(() => {
    if (options) setTypedIn(allTyped(fields, group.options));
  }, [options]);
  const [isRehearsed, setIsRehearsed] = useState(false);
  const { run, busy, error } = useAction(async () => {
    await api.put(place(path.trim()), own(fields, typedIn ?? {}));
    onSaved();
  });
  return html`
    <${Dialog} title=${group.isNew ? "Options of a group" : `Options of ${group.path || "all targets"}`} onClose=${onClose} wide>
      <form class="dialog-form" noValidate data-testid="group-form" onSubmit=${(/** @type {any} */ event) => (event.preventDefault(), run())}>
        <div class="dialog-body options-body">
          <${Trouble} error=${refusal ?? error} fields=${fields.map((field) => field.name)} labels=${{ path: "Path" }} />
          ${group.isNew
            ? html`<label class="field">Path<input name="path" value=${path} onInput=${(/** @type {any} */ event) => setPath(event.currentTarget.value)} placeholder="core/routers" required /></label>`
            : null}
          ${typedIn && options
            ? html`<div class="options">
                <${OptionFields}
                  sections=${options.group}
                  typedIn=${typedIn}
                  onChange=${(/** @type {string} */ name, /** @type {any} */ text) => setTypedIn((before) => ({ ...before, [name]: text }))}
                  above=${levels(options.defaults, groups.filter((one) => one.path !== path), path)}
                  error=${error}
                  sites=${sites.map((site) => site.id)}
                  suggestions=${{}}
                />
              </div>`
            : html`<p class="empty">Loading…</p>`}
        </div>
        <footer>
          <span class="spring"></span>
          <button type="button" disabled=${!typedIn || (group.isNew && !path.trim())} onClick=${() => setIsRehearsed(true)} title="What would these settings have done over the last 30 days?" data-testid="rehearse">Rehearse</button>
          <button type="button" class="quiet" onClick=${onClose}>Cancel</button>
          <button class="primary" disabled=${busy || !typedIn || (group.isNew && !path.trim())}>Save</button>
        </footer>
      </form>
    <//>
    ${isRehearsed ? html`<${Rehearsal} path=${place(path.trim()).slice(1)} body=${own(fields, typedIn ?? {})} title=${`What these options of ${path.trim() || "all targets"} would have done`} labels=${labelsOf(fields)} onClose=${() => setIsRehearsed(false)} />` : null}
  `;
}
