// @ts-check
// The frame of every page: header, warnings, and the page that the address names.

import { useStore } from "../hooks.js";
import { route, useAddress } from "../router.js";
import { html, useEffect } from "../ui.js";
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
  useEffect(() => {
    document.title = `${bad ? `(${bad}) ` : ""}NOC`;
  }, [bad]);
  const Page = PAGES[page] ?? Missing;
  return html`
    <a class="skip" href="#main">Skip to the content</a>
    <${Header} page=${page} />
    <${Banners} />
    <main id="main" class=${`page page-${page} ${connection === "lost" ? "is-stale" : ""}`} tabindex="-1">
      <${Page} key=${page + id} id=${id} query=${query} />
    </main>
  `;
}

function Missing() {
  return html`<div class="empty"><h1>There is no such page</h1><p><a href="/">To the overview</a></p></div>`;
}
