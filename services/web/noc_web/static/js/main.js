// @ts-check
// Starts the page.

import { followLinks } from "./router.js";
import { html, render } from "./ui.js";
import { App } from "./views/app.js";

followLinks();
const root = /** @type {HTMLElement} */ (document.getElementById("app"));
root.replaceChildren();
render(html`<${App} />`, root);
