// Where the page's scripts are, seen from here.
export const JS = new URL("../../services/web/noc_web/static/js/", import.meta.url);
/** @param {string} name @returns {Promise<any>} */
export const load = (name) => import(new URL(name, JS).href);
