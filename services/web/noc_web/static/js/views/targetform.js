// @ts-check
// Adding and changing a target with all its options.

import { api } from "../api.js";
import { useDeclared } from "../declared.js";
import { useAction, useLoaded, useStore, useTargets } from "../hooks.js";
import { allTyped, changed, fieldsOf, labelsOf, levels, own } from "../options.js";
import { completions } from "../parents.js";
import { tags } from "../tablerows.js";
import { html, useEffect, useMemo, useState } from "../ui.js";
import { AddressTest } from "./addresstest.js";
import { Dialog, Trouble } from "./bits.js";
import { OptionFields } from "./optionfields.js";
import { Rehearsal } from "./rehearsal.js";

/** @param {{id?: string, onClose: () => void, onSaved: (saved: any) => void}} given without `id`: a new one */
export function TargetForm({ id, onClose, onSaved }) {
  const found = useLoaded(id ? `/targets/${encodeURIComponent(id)}` : null);
  const groups = useLoaded("/groups").answer?.groups ?? [];
  const rows = useTargets((all) => all);
  const sites = useStore((state) => state.sites);
  const { options, error: refusal } = useDeclared();
  const fields = useMemo(() => fieldsOf(options?.target ?? []), [options]);
  const [typedIn, setTypedIn] = useState(/** @type {Record<string, any>|null} */ (null));
  const stored = id ? found.answer : {};
  useEffect(() => {
    if (stored && options) setTypedIn(allTyped(fields, stored));
  }, [found.answer, options]);
  const [doubted, setDoubted] = useState(/** @type {any} */ (null));
  const [isRehearsed, setIsRehearsed] = useState(false);
  // Only what was changed here: somebody else may have changed another option meanwhile.
  const changes = () => changed(own(fields, allTyped(fields, stored)), own(fields, typedIn ?? {}));
  const { run, busy, error } = useAction(async () => {
    const saved = await (id ? api.patch(`/targets/${encodeURIComponent(id)}`, changes()) : api.post("/targets", own(fields, typedIn ?? {})));
    if (saved.warnings.length) setDoubted(saved);
    else onSaved(saved);
  });
  const siteIds = sites.map((site) => site.id);
  const suggestions = useMemo(() => {
    const others = [...rows.keys()].filter((one) => one !== id).sort();
    const parents = (/** @type {string} */ name) => (/** @type {string} */ text) => completions(name, text, others, siteIds);
    return {
      group: groups.map((/** @type {any} */ one) => one.path).filter(Boolean),
      parents: others,
      parent_groups: parents("parent_groups"),
      site_parents: parents("site_parents"),
      tags: tags(rows.values()),
    };
  }, [groups, rows, siteIds.join()]);
  const fieldsets = (/** @type {readonly any[]} */ sections) => html`
    <${OptionFields}
      sections=${sections}
      typedIn=${typedIn}
      onChange=${(/** @type {string} */ name, /** @type {any} */ text) => setTypedIn((before) => ({ ...before, [name]: text }))}
      above=${levels(options?.defaults ?? {}, groups, String(typedIn?.group ?? ""))}
      error=${error}
      sites=${siteIds}
      suggestions=${suggestions}
      fixed=${id ? ["id"] : []}
    />
  `;
  if (doubted) return html`<${Doubted} saved=${doubted} onDone=${() => onSaved(doubted)} />`;
  return html`
    <${Dialog} title=${id ? `Change ${id}` : "Add a target"} onClose=${onClose} wide>
      <form class="dialog-form" data-testid="target-form" noValidate onSubmit=${(/** @type {any} */ event) => (event.preventDefault(), run())}>
        <div class="dialog-body options-body">
          <${Trouble} error=${found.error ?? refusal ?? error} fields=${fields.map((field) => field.name)} />
          ${typedIn && options
            ? html`<div class="options">
                ${fieldsets(options.target.slice(0, 1))}
                <${AddressTest} address=${String(typedIn.address ?? "").trim()}>Test this address<//>
                ${fieldsets(options.target.slice(1))}
              </div>`
            : html`<p class="empty">Loading…</p>`}
        </div>
        <footer>
          <small class="help">A blank field is inherited from its group; grey text shows its value.</small>
          <span class="spring"></span>
          ${id ? html`<button type="button" disabled=${!typedIn} onClick=${() => setIsRehearsed(true)} title="What would these settings have done over the last 30 days?" data-testid="rehearse">Rehearse</button>` : null}
          <button type="button" class="quiet" onClick=${onClose}>Cancel</button>
          <button class="primary" disabled=${busy || !typedIn} data-testid="save-target">${busy ? "Saving…" : "Save"}</button>
        </footer>
      </form>
    <//>
    ${id && isRehearsed ? html`<${Rehearsal} path=${`targets/${encodeURIComponent(id)}`} body=${changes()} title=${`What these settings of ${id} would have done`} labels=${labelsOf(fields)} onClose=${() => setIsRehearsed(false)} />` : null}
  `;
}

/** What was saved, and what deserves a second look in it. @param {{saved: any, onDone: () => void}} given */
const Doubted = ({ saved, onDone }) => html`
  <${Dialog} title=${`${saved.id} is saved`} onClose=${onDone} testid="warnings">
    <div class="dialog-body" role="alert">${saved.warnings.map((/** @type {string} */ sentence) => html`<p key=${sentence}>${sentence}</p>`)}</div>
    <footer><button type="button" class="primary" autofocus onClick=${onDone} data-testid="warnings-seen">OK</button></footer>
  <//>
`;
