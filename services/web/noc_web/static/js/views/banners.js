// @ts-check
// What a person must know before trusting the page: not live, a site that is blind, a service in trouble.

import { full, utc } from "../format.js";
import { useStore } from "../hooks.js";
import { html } from "../ui.js";

export function Banners() {
  const connection = useStore((state) => state.connection);
  const heardAt = useStore((state) => state.heardAt);
  const refusal = useStore((state) => state.refusal);
  const trouble = useStore((state) => state.trouble);
  const sites = useStore((state) => state.sites);
  const blind = sites.filter((site) => site.expected && (!site.online || site.isolated));
  return html`
    ${connection === "lost"
      ? html`<div class="banner is-bad" role="alert">
          <strong>Not live since <time title=${utc(heardAt)}>${full(heardAt)}</time>.</strong> What you see is how things were then. Connecting again…
        </div>`
      : null}
    ${connection !== "live" && refusal ? html`<div class="banner is-bad" role="alert"><strong>The server lets this page have no live connection:</strong> ${refusal}.</div>` : null}
    ${connection !== "lost" && trouble.length
      ? html`<div class="banner is-warning" role="status"><strong>NOC itself has trouble:</strong> ${trouble.join("; ")}.</div>`
      : null}
    ${connection !== "lost" && blind.length
      ? html`<div class="banner is-blind" role="status">
          <strong>${blind.length === 1 ? "A site is blind:" : "Sites are blind:"}</strong>${" "}
          ${blind.map((site) => `${site.label} (${site.online ? "isolated: none of its anchors answers" : "its prober is offline"})`).join(", ")}. ${blind.length === 1 ? "It has" : "They have"} no vote
          meanwhile.
        </div>`
      : null}
  `;
}
