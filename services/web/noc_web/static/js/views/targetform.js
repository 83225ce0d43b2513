// @ts-check
// Adding and changing a target with all its options.

import { api } from "../api.js";
import { useAction, useLoaded, useStore } from "../hooks.js";
import { defaults } from "../defaults.js";
import { changed, FIELDS, inherited, own, SECTIONS, typed } from "../options.js";
import { html, useEffect, useMemo, useState } from "../ui.js";
import { Dialog, Trouble } from "./bits.js";
import { OptionFields } from "./optionfields.js";

const NAMES = FIELDS.map((field) => field.name);

/** @param {{id?: string, onClose: () => void, onSaved: (saved: any) => void}} given without `id`: a new one */
export function TargetForm({ id, onClose, onSaved }) {
  const found = useLoaded(id ? `/targets/${encodeURIComponent(id)}` : null);
  const groups = useLoaded("/groups").answer?.groups ?? [];
  const rows = useStore((state) => state.rows);
  const sites = useStore((state) => state.sites);
  const [basis, setBasis] = useState({});
  const [typedIn, setTypedIn] = useState(/** @type {Record<string, any>|null} */ (id ? null : blank({})));
  useEffect(() => {
    defaults().then(setBasis);
  }, []);
  useEffect(() => {
    if (found.answer) setTypedIn(blank(found.answer));
  }, [found.answer]);
  const { run, busy, error } = useAction(async () => {
    const body = own(FIELDS, typedIn ?? {});
    // Only what was changed here: somebody else may have changed another option meanwhile.
    const changes = () => changed(own(FIELDS, blank(found.answer)), body);
    onSaved(id ? await api.patch(`/targets/${encodeURIComponent(id)}`, changes()) : await api.post("/targets", body));
  });
  const suggestions = useMemo(
    () => ({
      group: groups.map((/** @type {any} */ one) => one.path).filter(Boolean),
      parents: [...rows.keys()].filter((one) => one !== id).sort(),
      tags: [...new Set([...rows.values()].flatMap((row) => row.tags))].sort(),
    }),
    [groups, rows.size],
  );
  return html`
    <${Dialog} title=${id ? `Change ${id}` : "Add a target"} onClose=${onClose} wide>
      <form class="dialog-form" data-testid="target-form" noValidate onSubmit=${(/** @type {any} */ event) => (event.preventDefault(), run())}>
        <div class="dialog-body">
          <${Trouble} error=${found.error ?? error} fields=${NAMES} />
          ${typedIn
            ? html`<div class="options">
                <${OptionFields}
                  sections=${SECTIONS}
                  typedIn=${typedIn}
                  onChange=${(/** @type {string} */ name, /** @type {any} */ text) => setTypedIn((before) => ({ ...before, [name]: text }))}
                  inherited=${inherited(basis, groups, String(typedIn.group ?? ""))}
                  error=${error}
                  sites=${sites.map((site) => site.id)}
                  suggestions=${suggestions}
                  fixed=${id ? ["id"] : []}
                />
              </div>`
            : html`<p class="empty">Loading…</p>`}
        </div>
        <footer>
          <small class="help">A blank field is inherited from its group; grey text shows its value.</small>
          <span class="spring"></span>
          <button type="button" class="quiet" onClick=${onClose}>Cancel</button>
          <button class="primary" disabled=${busy || !typedIn} data-testid="save-target">${busy ? "Saving…" : "Save"}</button>
        </footer>
      </form>
    <//>
  `;
}

/** @param {Record<string, any>} stored */
const blank = (stored) => Object.fromEntries(FIELDS.map((field) => [field.name, typed(field, stored[field.name])]));
