// @ts-check
// What every page has at its top: where to go, how live this is, refresh, theme, log out.

import { clock, exact } from "../format.js";
import { useStore } from "../hooks.js";
import { live } from "../wiring.js";
import { me } from "../me.js";
import { PAGES } from "../pages.js";
import { CHANGED, nextTheme, setTheme, theme, THEMES } from "../theme.js";
import { html, useEffect, useState } from "../ui.js";

const ICON = new URL("../../icon.svg", import.meta.url).pathname;
/** @param {{page: string}} given */
export function Header({ page }) {
  const open = useStore((state) => state.incidents.length);
  return html`
    <header class="top">
      <a class="brand" href="/" aria-label="NOC"><img src=${ICON} alt="" width="24" height="24" /><span>NOC</span></a>
      <nav aria-label="Pages">
        ${PAGES.filter((one) => one.is_linked).map(
          ({ name, address, title }) => html`
            <a key=${name} href=${address} aria-current=${page === name || (page === "target" && name === "overview") ? "page" : undefined}>
              ${title}${name === "incidents" ? html`<span class=${`badge ${open ? "" : "is-none"}`} title=${`${open} open`}>${open}</span>` : null}
            </a>
          `,
        )}
      </nav>
      <div class="top-right">
        <${Connection} />
        <${Refresh} />
        <${Theme} />
        <span class="who" title=${`Logged in with the role ${me.role}`}>${me.name}<small>${me.role}</small></span>
        <form method="post" action="/logout">
          <input type="hidden" name="csrf_token" value=${me.csrf} />
          <button class="quiet">Log out</button>
        </form>
      </div>
    </header>
  `;
}

/** One of several words in the room of the longest, so that no other one moves what is beside it.
 * @param {{words: readonly string[], shown: string, mark?: any}} given `mark` is before each */
const OneOf = ({ words, shown, mark }) => html`<span class="one-of">${words.map((word) => html`<span key=${word} class=${word === shown ? "" : "is-unseen"}>${mark}${word}</span>`)}</span>`;

/** @type {Record<string, string>} */
const WORDS = { connecting: "Connecting", live: "Live", lost: "Not live" };

function Connection() {
  const connection = useStore((state) => state.connection);
  return html`
    <span class=${`connection is-${connection}`} data-testid="connection" data-state=${connection} role="status">
      <${OneOf} words=${Object.values(WORDS)} shown=${WORDS[connection]} mark=${html`<i aria-hidden="true"></i>`} />
    </span>
  `;
}

const REFRESH_WORDS = /** @type {const} */ (["Refresh", "Refreshing…", "No answer"]);

function Refresh() {
  const refreshing = useStore((state) => state.refreshing);
  const failed = useStore((state) => state.refreshFailed);
  const at = useStore((state) => state.refreshedAt);
  return html`
    <span class="refresh">
      <button class="quiet" data-testid="refresh" disabled=${refreshing} onClick=${() => live.refresh()} title="Ask the server for everything again">
        <${OneOf} words=${REFRESH_WORDS} shown=${refreshing ? REFRESH_WORDS[1] : failed ? REFRESH_WORDS[2] : REFRESH_WORDS[0]} />
      </button>
      <time data-testid="refreshed-at" dateTime=${at ?? undefined} title=${at ? `Everything was asked for at ${exact(at)}` : ""} role="status">${at ? clock(at) : ""}</time>
    </span>
  `;
}

function Theme() {
  const [now, setNow] = useState(theme());
  useEffect(() => {
    const follow = () => setNow(theme());
    window.addEventListener(CHANGED, follow);
    return () => window.removeEventListener(CHANGED, follow);
  }, []);
  return html`
    <button class="quiet theme" data-testid="theme-toggle" onClick=${() => setTheme(nextTheme())} title=${`Theme: ${now}; press for ${nextTheme()}`}>
      Theme: <${OneOf} words=${THEMES} shown=${now} />
    </button>
  `;
}
