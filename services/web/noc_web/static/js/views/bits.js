// @ts-check
// Small pieces that many views use: errors, dialogs, fields, keys.

import { LOSS_CLASSES } from "../chartseries.js";
import { worded } from "../format.js";
import { setQuery } from "../router.js";
import { html, useEffect, useRef, useState } from "../ui.js";

/** What went wrong as a whole: the sentences that belong to a shown field are beside it.
 * @param {{error: any, fields?: readonly string[], labels?: Record<string, string>}} given `labels`: of other fields, by the names that the API knows */
export function Trouble({ error, fields = [], labels = {} }) {
  const ref = useRef(/** @type {HTMLElement|null} */ (null));
  useEffect(() => {
    // After a refusal one goes on at the first field that is wrong; a sentence above a long form could be out of sight.
    const form = ref.current?.closest("form");
    const wrong = /** @type {HTMLElement|null|undefined} */ (form?.querySelector('[aria-invalid="true"]'));
    if (wrong) wrong.focus();
    else if (form) ref.current?.scrollIntoView({ block: "nearest" });
  }, [error]);
  if (!error) return null;
  const others = (error.fields ?? []).filter((/** @type {any} */ one) => !fields.includes(one.field));
  const known = error.fields?.length > 0 && others.length === 0;
  return html`
    <div class="error" role="alert" ref=${ref}>
      ${known ? "Not saved: see the fields marked below." : others.length ? null : error.message}
      ${others.length
        ? html`<ul>
            ${others.map((/** @type {any} */ one) => html`<li>${labels[one.field] ? worded(one.field, labels[one.field], one.detail) : one.detail}</li>`)}
          </ul>`
        : null}
    </div>
  `;
}

// What is asked for as it opens; beside figures nobody wants to type at once.
const FIRST_FIELD = ".dialog-body:not(.rehearsal) :is(input, select, textarea):not([disabled], [hidden])";

/** A window above the page. @param {{title: string, onClose: () => void, wide?: boolean, children?: any, testid?: string}} given */
export function Dialog({ title, onClose, wide = false, children, testid }) {
  const ref = useRef(/** @type {HTMLDialogElement|null} */ (null));
  // It is told of being closed late, when another window may have taken its place.
  const isGone = useRef(false);
  useEffect(() => {
    const dialog = /** @type {HTMLDialogElement} */ (ref.current);
    dialog.showModal();
    // Closing gives the focus back to what opened it; taking it off the page would not.
    return () => {
      isGone.current = true;
      dialog.close();
    };
  }, []);
  const isFocused = useRef(false);
  useEffect(() => {
    // Some forms are loaded first.
    const field = isFocused.current ? null : /** @type {HTMLElement|null} */ (ref.current?.querySelector(FIRST_FIELD) ?? null);
    if (!field) return;
    field.focus();
    isFocused.current = true;
  });
  return html`
    <dialog ref=${ref} class=${wide ? "wide" : ""} onClose=${() => isGone.current || onClose()} aria-label=${title} data-testid=${testid}>
      <header>
        <h2>${title}</h2>
        <button type="button" class="quiet" onClick=${onClose} aria-label="Close">Close</button>
      </header>
      ${children}
    </dialog>
  `;
}

/** A form in a window of its own, with what went wrong above its fields.
 * @param {{title: string, action: {run: () => Promise<any>, busy: boolean, error: any}, fields: readonly string[], labels?: Record<string, string>, isComplete?: boolean, onClose: () => void, children?: any, acts?: any, testid?: string}} given
 *   `action`: what `useAction` gives, `fields`: those that are shown with what is wrong, `labels`: of the others, `acts`: what else one can do than save */
export const FormDialog = ({ title, action: { run, busy, error }, fields, labels = {}, isComplete = true, onClose, children, acts = null, testid }) => html`
  <${Dialog} title=${title} onClose=${onClose} testid=${testid}>
    <form class="dialog-form" noValidate autocomplete="off" onSubmit=${(/** @type {any} */ event) => (event.preventDefault(), run())}>
      <div class="dialog-body">
        <${Trouble} error=${error} fields=${fields} labels=${labels} />
        ${children}
      </div>
      <footer>${acts}<button type="button" class="quiet" onClick=${onClose}>Cancel</button><button class="primary" disabled=${busy || !isComplete}>Save</button></footer>
    </form>
  <//>
`;

/** Asks before something that cannot be undone.
 * @param {{title: string, verb: string, busy: boolean, error: any, onYes: () => void, onClose: () => void, children?: any}} given */
export const Confirm = ({ title, verb, busy, error, onYes, onClose, children }) => html`
  <${Dialog} title=${title} onClose=${onClose}>
    <div class="dialog-body">${children}<${Trouble} error=${error} /></div>
    <footer>
      <button type="button" class="quiet" onClick=${onClose}>Cancel</button>
      <button type="button" class="danger" disabled=${busy} onClick=${onYes} data-testid="confirm">${verb}</button>
    </footer>
  <//>
`;

/** Asks before the thing that `useEditing` is to remove goes. @param {{of: any, title: (one: any) => string, verb?: string, children?: any}} given */
export const Removal = ({ of: { removing, removal, close }, title, verb = "Delete", children }) =>
  removing
    ? html`<${Confirm} title=${title(removing)} verb=${verb} busy=${removal.busy} error=${removal.error} onYes=${removal.run} onClose=${close}>${children}<//>`
    : null;

/** Whether the history of what is deleted goes too.
 * @param {{isChosen: boolean, onChange: (isChosen: boolean) => void}} given */
export const HistoryToo = ({ isChosen, onChange }) => html`
  <p><label class="check"><input type="checkbox" name="history" checked=${isChosen} onChange=${(/** @type {any} */ event) => onChange(event.currentTarget.checked)} />Delete its history too</label></p>
  <p aria-live="polite">${isChosen ? "Its charts, uptime and traces are gone for good; incidents stay." : "Its history stays in the store."}</p>
`;

/** Turns the pages of an answer of the API that is not all on one. @param {{answer: {count: number, offset: number, rows: any[]}, size: number}} given */
export function Pager({ answer: { count, offset, rows }, size }) {
  if (count <= size) return null;
  const last = offset + rows.length;
  return html`
    <p class="pages">
      <button disabled=${offset === 0} onClick=${() => setQuery({ offset: offset > size ? String(offset - size) : null })}>Previous</button>
      <span>${offset + 1} to ${last} of ${count}</span>
      <button disabled=${last >= count} data-testid="next-rows" onClick=${() => setQuery({ offset: String(last) })}>Next</button>
    </p>
  `;
}

/** What one may choose from, with what is chosen: that may be gone since. @param {readonly string[]} all @param {string} chosen "": nothing */
export const withChosen = (all, chosen) => (chosen && !all.includes(chosen) ? [...all, chosen] : all);

/** A labelled field of a form with what the server said about it.
 * @param {{name: string, label: string, error: any, children: (given: Record<string, any>) => any}} given `children` draws the input with what it is given */
export function Field({ name, label, error, children }) {
  const wrong = /** @type {string[]} */ (error?.of?.(name) ?? []);
  const id = `field-${name}`;
  return html`
    <div class=${`field ${wrong.length ? "is-wrong" : ""}`}>
      <label for=${id}>${label}</label>
      ${children({ id, name, "aria-invalid": wrong.length ? true : undefined, "aria-describedby": wrong.length ? `${id}-wrong` : undefined })}
      ${wrong.length ? html`<div id=${`${id}-wrong`} role="alert">${wrong.map((sentence) => html`<small class="wrong">${worded(name, label, sentence)}</small>`)}</div>` : null}
    </div>
  `;
}

/** A labelled input. What else is given is the input's own.
 * @param {{name: string, label: string, error: any, value: string, onText: (text: string) => void, [attribute: string]: any}} given */
export const TextField = ({ name, label, error, value, onText, ...more }) => html`
  <${Field} name=${name} label=${label} error=${error}>
    ${(/** @type {any} */ given) => html`<input ...${given} ...${more} value=${value} onInput=${(/** @type {any} */ event) => onText(event.currentTarget.value)} />`}
  <//>
`;

/** What the shades of loss mean, the least first. @param {{none: string}} given what no loss is called */
export const LossClasses = ({ none }) => html`
  <span><i class="loss-none"></i>${none}</span>
  ${[...LOSS_CLASSES].reverse().map((one) => html`<span key=${one.label}><i class=${one.colour.slice(2)}></i>${one.label}</span>`)}
  <span><i class="loss-unknown"></i>not measurable</span>
`;

/** Whole words; as a function: how what is typed can go on, and nothing picked is whole by itself.
 * @typedef {readonly string[]|((text: string) => readonly string[])} Suggestions */

/** A list of words, typed one by one.
 * @param {{id: string, values: string[], onChange: (values: string[]) => void, placeholder?: string, suggestions?: Suggestions, "aria-invalid"?: boolean, "aria-describedby"?: string}} given */
export function Chips({ id, values, onChange, placeholder = "", suggestions = [], ...described }) {
  const [text, setText] = useState("");
  const canGoOn = typeof suggestions === "function";
  const offered = typeof suggestions === "function" ? suggestions(text) : suggestions;
  const add = (/** @type {string} */ typed) => {
    const news = typed.split(/[\s,;]+/).filter((one) => one && !values.includes(one));
    if (news.length) onChange([...values, ...news]);
    setText("");
  };
  const onKeyDown = (/** @type {any} */ event) => {
    if (event.key === "Enter" && text.trim()) {
      event.preventDefault();
      add(text);
    } else if (event.key === "Backspace" && !text && values.length) onChange(values.slice(0, -1));
  };
  const onInput = (/** @type {any} */ event) => {
    const typed = event.currentTarget.value;
    // Typed words may begin like a suggestion; only one that was picked is complete.
    const isPicked = !canGoOn && (!event.inputType || event.inputType === "insertReplacementText") && offered.includes(typed);
    if (/[\s,;]$/.test(typed) || isPicked) add(typed);
    else setText(typed);
  };
  return html`
    <span class="chips">
      ${values.map(
        (value) => html`<span class="chip" key=${value}>
          ${value}<button type="button" aria-label=${`Remove ${value}`} onClick=${() => onChange(values.filter((one) => one !== value))}>×</button>
        </span>`,
      )}
      <input
        id=${id}
        name=${id}
        value=${text}
        list=${canGoOn || offered.length ? `${id}-list` : undefined}
        placeholder=${values.length ? "" : placeholder}
        onInput=${onInput}
        onKeyDown=${onKeyDown}
        onBlur=${() => text.trim() && add(text)}
        aria-invalid=${described["aria-invalid"]}
        aria-describedby=${described["aria-describedby"]}
        autocomplete="off"
      />
      ${canGoOn || offered.length
        ? html`<datalist id=${`${id}-list`}>
            ${offered.filter((one) => !values.includes(one)).map((one) => html`<option value=${one} />`)}
          </datalist>`
        : null}
    </span>
  `;
}
