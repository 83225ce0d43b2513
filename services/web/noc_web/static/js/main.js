// @ts-check
// Starts the page.

import { PAGES } from "./pages.js";
import { followLinks } from "./router.js";
import { html, render } from "./ui.js";
import { App } from "./views/app.js";

const views = Object.fromEntries(await Promise.all(PAGES.map(async ({ name }) => [name, (await import(`./views/${name}.js`)).default])));
followLinks();
const root = /** @type {HTMLElement} */ (document.getElementById("app"));
root.replaceChildren();
render(html`<${App} views=${views} />`, root);
