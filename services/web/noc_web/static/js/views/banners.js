// @ts-check
// What a person must know before trusting the page: not live, a site that is blind, a service with a problem.
// At the lower edge of the window: whatever comes and goes there, nothing above it moves.

import { exact, full } from "../format.js";
import { useStore } from "../hooks.js";
import { isBlind, mistakes, whyBlind } from "../siteproblems.js";
import { html } from "../ui.js";

export function Banners() {
  const connection = useStore((state) => state.connection);
  const heardAt = useStore((state) => state.heardAt);
  const refusal = useStore((state) => state.refusal);
  const isUnreached = useStore((state) => state.isUnreached);
  const trouble = useStore((state) => state.trouble);
  const nobodyTold = useStore((state) => state.nobodyTold);
  const sites = useStore((state) => state.sites);
  const blind = sites.filter((site) => site.expected && !site.disabled && isBlind(site));
  const wrong = sites.flatMap(mistakes);
  const isTrusted = connection !== "lost";
  return html`<div class="banners">
    ${connection === "lost"
      ? html`<div class="banner is-bad" role="alert">
          <strong>Not live since <time title=${exact(heardAt)}>${full(heardAt)}</time>.</strong> You see how things were then. Reconnecting…
        </div>`
      : null}
    ${connection !== "live" && refusal ? html`<div class="banner is-bad" role="alert"><strong>The server refuses this page a live connection:</strong> ${refusal}.</div>` : null}
    ${connection === "connecting" && isUnreached
      ? html`<div class="banner is-bad" role="alert"><strong>No live connection yet:</strong> nothing answers at the server, or a proxy on the way lets no WebSocket pass. Trying again…</div>`
      : null}
    ${isTrusted && trouble.length
      ? html`<div class="banner is-warning" role="status"><strong>NOC has a problem:</strong> ${trouble.join("; ")}.</div>`
      : null}
    ${isTrusted && nobodyTold
      ? html`<div class="banner is-warning" role="status"><strong>Nobody will be told of an outage:</strong> no mail is set up. Administrators do that in Settings, Mail.</div>`
      : null}
    ${isTrusted && blind.length
      ? html`<div class="banner is-blind" role="status">
          <strong>${blind.length === 1 ? "A site is blind:" : "Sites are blind:"}</strong> ${blind.map((site) => `${site.label} (${whyBlind(site)})`).join(", ")}.${" "}${blind.length === 1 ? "It casts" : "They cast"} no vote.
        </div>`
      : null}
    ${isTrusted && wrong.length ? html`<div class="banner is-warning" role="status">${wrong.map((sentence) => html`<p key=${sentence}>${sentence}</p>`)}</div>` : null}
  </div>`;
}
