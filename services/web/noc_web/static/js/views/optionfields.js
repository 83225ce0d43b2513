// @ts-check
// The fields of a target's or a group's options; an empty one shows what is inherited.

import { worded } from "../format.js";
import { inForce, inWords, whole } from "../options.js";
import { html } from "../ui.js";
import { Chips } from "./bits.js";

/** @typedef {import("../options.js").Field} Field */
/** @typedef {import("./bits.js").Suggestions} Suggestions */

/**
 * @param {{sections: readonly {title: string, fields: readonly Field[]}[], typedIn: Record<string, any>, onChange: (name: string, text: any) => void,
 *   above: readonly import("../options.js").Level[], error: any, sites: readonly string[], suggestions: Record<string, Suggestions>, fixed?: readonly string[]}} given
 */
export const OptionFields = ({ sections, typedIn, onChange, above, error, sites, suggestions, fixed = [] }) =>
  sections
    .filter((section) => section.fields.length)
    .map(
      (section) => html`
        <fieldset key=${section.title}>
          <legend>${section.title}</legend>
          ${section.fields.map((field) => {
            const wrong = error?.of ? error.of(field.name).map((/** @type {string} */ sentence) => worded(field.name, field.label, sentence)) : [];
            const id = `option-${field.name}`;
            const from = inForce(field, above);
            const inherited = inWords(field, whole(field, from));
            return html`
              <div class=${`field kind-${field.kind} ${wrong.length ? "is-wrong" : ""}`} key=${field.name}>
                <label for=${id}>${field.label}${field.unit ? html` <small>${field.unit}</small>` : null}</label>
                <${Input}
                  id=${id}
                  field=${field}
                  value=${typedIn[field.name]}
                  onChange=${(/** @type {any} */ text) => onChange(field.name, text)}
                  inherited=${inherited}
                  sites=${sites}
                  suggestions=${suggestions[field.name] ?? field.suggestions}
                  fixed=${fixed.includes(field.name)}
                  wrong=${wrong.length > 0}
                />
                ${wrong.length
                  ? wrong.map((/** @type {string} */ sentence) => html`<small class="wrong" id=${`${id}-wrong`} role="alert">${sentence}</small>`)
                  : field.help
                    ? html`<small class="help">${field.help}${field.inherited === "added" && from.length ? html`<br />From its groups: ${inherited}` : null}</small>`
                    : null}
              </div>
            `;
          })}
        </fieldset>
      `,
    );

/** @param {{id: string, field: Field, value: any, onChange: (text: any) => void, inherited: string, sites: readonly string[], suggestions: Suggestions, fixed: boolean, wrong: boolean}} given */
function Input({ id, field, value, onChange, inherited, sites, suggestions, fixed, wrong }) {
  const onInput = (/** @type {any} */ event) => onChange(event.currentTarget.value);
  const common = { id, name: field.name, disabled: fixed, "aria-invalid": wrong || undefined, "aria-describedby": wrong ? `${id}-wrong` : undefined };
  if (field.kind === "words") return html`<${Chips} ...${common} values=${value} onChange=${onChange} placeholder=${field.inherited === "added" || inherited === "none" ? "" : inherited} suggestions=${suggestions} />`;
  if (field.kind === "sites") return html`<${SitesInput} id=${id} value=${value} onChange=${onChange} inherited=${inherited} sites=${sites} wrong=${wrong} />`;
  if (field.kind === "note") return html`<textarea ...${common} rows="2" value=${value} onInput=${onInput}></textarea>`;
  if (field.kind === "choice" || field.kind === "truth") {
    const choices = field.kind === "truth" ? [["true", "yes"], ["false", "no"]] : field.choices.map((one) => [one, one]);
    return html`
      <select ...${common} value=${value} onChange=${onInput}>
        <option value="">inherited: ${inherited}</option>
        ${choices.map(([one, text]) => html`<option value=${one}>${text}</option>`)}
      </select>
    `;
  }
  const offered = typeof suggestions === "function" ? [] : suggestions;
  return html`
    <input
      ...${common}
      value=${value}
      onInput=${onInput}
      onChange=${onInput}
      required=${field.required}
      inputmode=${field.kind === "number" ? "decimal" : undefined}
      placeholder=${field.required || inherited === "none" ? "" : inherited}
      list=${offered.length ? `${id}-list` : undefined}
      autocomplete="off"
      spellcheck=${false}
    />
    ${offered.length ? html`<datalist id=${`${id}-list`}>${offered.map((one) => html`<option value=${one} />`)}</datalist>` : null}
  `;
}

/** @param {{id: string, value: string[]|null, onChange: (sites: string[]|null) => void, inherited: string, sites: readonly string[], wrong: boolean}} given */
function SitesInput({ id, value, onChange, inherited, sites, wrong }) {
  const mode = value === null ? "inherited" : value.length ? "some" : "all";
  const choose = (/** @type {any} */ event) => {
    const chosen = event.currentTarget.value;
    onChange(chosen === "inherited" ? null : chosen === "all" ? [] : sites.slice(0, 1));
  };
  const all = [...new Set([...sites, ...(value ?? [])])];
  const toggle = (/** @type {string} */ site) => onChange(value?.includes(site) ? value.filter((one) => one !== site) : [...(value ?? []), site]);
  return html`
    <select id=${id} name="sites" value=${mode} onChange=${choose} aria-invalid=${wrong || undefined} aria-describedby=${wrong ? `${id}-wrong` : undefined}>
      <option value="inherited">inherited: ${inherited}</option>
      <option value="all">all sites</option>
      <option value="some" disabled=${!all.length}>only these</option>
    </select>
    ${mode === "some"
      ? html`<span class="choices">
          ${all.map((site) => html`<label class="check" key=${site}><input type="checkbox" checked=${value?.includes(site)} onChange=${() => toggle(site)} />${site}</label>`)}
        </span>`
      : null}
  `;
}
