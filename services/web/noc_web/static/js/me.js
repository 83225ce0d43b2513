// @ts-check
// Who looks at the page and what they may do; the server checks it again.

/** @param {string} name */
const meta = (name) => document.querySelector(`meta[name="${name}"]`)?.getAttribute("content") ?? "";

const ROLES = ["viewer", "operator", "admin"];

export const me = { name: meta("user"), role: meta("role"), csrf: meta("csrf") };

/** @param {"viewer"|"operator"|"admin"} role */
export const may = (role) => ROLES.indexOf(me.role) >= ROLES.indexOf(role);
