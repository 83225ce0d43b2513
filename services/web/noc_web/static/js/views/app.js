// @ts-check
// The frame of every page: header, warnings, and the page that the address names.

import { useStore } from "../hooks.js";
import { route, useAddress } from "../router.js";
import { html, useEffect, useRef } from "../ui.js";
import { Banners } from "./banners.js";
import { Groups } from "./groups.js";
import { Header } from "./header.js";
import { Incidents } from "./incidents.js";
import { Overview } from "./overview.js";
import { Reports } from "./reports.js";
import { Settings } from "./settings.js";
import { TargetPage } from "./target.js";

/** @type {Record<string, any>} */
const PAGES = { overview: Overview, target: TargetPage, incidents: Incidents, reports: Reports, groups: Groups, settings: Settings };

export function App() {
  const { path, query } = useAddress();
  const { page, id } = route(path);
  const connection = useStore((state) => state.connection);
  const bad = useStore((state) => (state.kpis ? state.kpis.down + state.kpis.partial : 0));
  const name = useStore((state) => (page === "target" ? (state.rows.get(id)?.name ?? id) : ""));
  const title = name || (PAGES[page] ? page.charAt(0).toUpperCase() + page.slice(1) : "No such page");
  useEffect(() => {
    document.title = `${bad ? `(${bad}) ` : ""}${title} – NOC`;
  }, [bad, title]);
  const here = page + id;
  const shown = useRef(here);
  useEffect(() => {
    if (shown.current === here) return;
    shown.current = here;
    // As after loading a page: the keyboard and screen readers go on at its content, not where a link was.
    document.getElementById("main")?.focus({ preventScroll: true });
  }, [here]);
  const Page = PAGES[page] ?? Missing;
  return html`
    <a class="skip" href="#main">Skip to the content</a>
    <${Header} page=${page} />
    <${Banners} />
    <main id="main" class=${`page page-${page} ${connection === "lost" ? "is-stale" : ""}`} tabindex="-1">
      <${Page} key=${here} id=${id} query=${query} />
    </main>
  `;
}

function Missing() {
  return html`<div class="empty"><h1>There is no such page</h1><p><a href="/">To the overview</a></p></div>`;
}
