// @ts-check
// The options in force of a target, in words, and where each comes from: the target itself, a group, or nobody.

import { useStore } from "../hooks.js";
import { DEFAULT, inForce, inWords, levels, OWN } from "../options.js";
import { groupsIn, PARENTS } from "../parents.js";
import { html } from "../ui.js";
import { Trouble } from "./bits.js";
import { Badge } from "./state.js";

/** Shown at the head of the page, or of no use to a reader. */
const ELSEWHERE = new Set(["id", "name", "address", "note", "replace_tags", "replace_contacts"]);

/** @param {{own: any, groups: any, options: import("../options.js").Declared|null, error: any}} given the target and the groups as the API has them */
export function OptionsList({ own, groups, options, error }) {
  const all = own && options && groups ? [...levels(options.defaults, groups, own.resolved.group ?? ""), { from: OWN, options: own }] : null;
  return html`
    <section class="panel options-panel" aria-label="Options" data-testid="options">
      <h2>Options</h2>
      <${Trouble} error=${error} />
      ${own?.note ? html`<p class="note">${own.note}</p>` : null}
      ${all && options
        ? options.target.map(
            (section) => html`
              <h3 key=${section.title}>${section.title}</h3>
              <dl class="options-list">
                ${section.fields
                  .filter((field) => !ELSEWHERE.has(field.name))
                  .map((field) => html`<div key=${field.name} data-option=${field.name}><dt>${field.label}</dt><dd><${Value} field=${field} origins=${inForce(field, all)} /></dd></div>`)}
              </dl>
            `,
          )
        : null}
    </section>
  `;
}

/** @param {{field: import("../options.js").Field, origins: readonly import("../options.js").Origin[]}} given */
const Value = ({ field, origins }) =>
  origins.length
    ? origins.map(({ value, from }) => html`<span class="origin" key=${from}>${PARENTS.includes(field.name) && value.length ? html`<${Parents} groups=${groupsIn(field.name, value)} />` : inWords(field, value)} <${From} from=${from} /></span>`)
    : inWords(field, field.kind === "words" ? [] : null);

/** @param {{from: string}} given */
function From({ from }) {
  if (from === OWN) return null;
  if (from === DEFAULT) return html`<small>default</small>`;
  return html`<small>from <a href="/groups">${from || "all targets"}</a></small>`;
}

/** One group a line, with how each of its targets is. @param {{groups: readonly import("../parents.js").Group[]}} given */
function Parents({ groups }) {
  const rows = useStore((state) => state.rows);
  return groups.map(
    ({ site, ids }) => html`
      <span class="parent" key=${`${site} ${ids}`}>
        ${site ? html`<small>from ${site}</small> ` : null}
        ${ids.length ? ids.map((id, place) => html`${place ? " or " : null}<a href=${`/targets/${encodeURIComponent(id)}`}>${rows.get(id)?.name ?? id}</a> <${Badge} state=${rows.get(id)?.state ?? "UNKNOWN"} />`) : "none"}
      </span>
    `,
  );
}
