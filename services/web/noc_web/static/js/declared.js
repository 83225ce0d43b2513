// @ts-check
// The options as the API's own description declares them: asked for once, when a form or a target's page needs them.

import { api } from "./api.js";
import { declared } from "./options.js";
import { useEffect, useState } from "./ui.js";

/** @type {Promise<import("./options.js").Declared>|null} */
let asked = null;

/** @returns {{options: import("./options.js").Declared|null, error: any}} */
export function useDeclared() {
  const [found, setFound] = useState({ options: /** @type {import("./options.js").Declared|null} */ (null), error: /** @type {any} */ (null) });
  useEffect(() => {
    asked ??= api.get("/openapi.json").then(declared);
    asked.then(
      (options) => setFound({ options, error: null }),
      (error) => {
        asked = null;
        setFound({ options: null, error });
      },
    );
  }, []);
  return found;
}
