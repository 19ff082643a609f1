"use strict";
/* What data scripts call, and what both sheets need. */
const HVB = (function () {
  const held = { index: null, clips: {} };

  function bytes(text) {
    const raw = atob(text);
    const out = new Uint8Array(raw.length);
    for (let i = 0; i < raw.length; i++) out[i] = raw.charCodeAt(i);
    return out.buffer;
  }

  function floats(text) { return new Float32Array(bytes(text)); }

  /* [first, count] for numbers that follow one another, else base64 of float32 */
  function axis(said) {
    if (typeof said === "string") return floats(said);
    return Float32Array.from({ length: said[1] }, (_, k) => said[0] + k);
  }

  function element(name, attributes, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes || {})) {
      if (key === "class") made.className = value;
      else if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
      else if (value !== null && value !== undefined) made.setAttribute(key, value);
    }
    made.append(...children.filter((c) => c !== null && c !== undefined));
    return made;
  }

  function digits(value, decimals) {
    if (!Number.isFinite(value)) return "–";
    return decimals >= 0 ? value.toFixed(decimals) : value.toExponential(-decimals - 1);
  }

  function arrow(up) { return up === true ? " ↑" : up === false ? " ↓" : ""; }

  function colour(number) { return "var(--m" + (number % 8) + ")"; }

  /* beyond eight methods colours come again, with another shape */
  function shape(number) { return number < 8 ? "" : number < 16 ? "square" : "diamond"; }

  function name(run, case_) { return run + "/" + String(case_).padStart(5, "0"); }

  /* one clip's data, loaded by a script tag: pages from disk may not fetch */
  function load(run, case_) {
    const key = name(run, case_);
    return new Promise((resolve, reject) => {
      const tag = element("script", { src: "data/" + key + ".js" });
      const missing = () => reject(new Error("the clip's data is missing: data/" + key + ".js"));
      tag.onload = () => {
        tag.remove();
        const found = held.clips[key];
        delete held.clips[key]; /* the browser keeps the file: a thousand clips looked at are not held twice */
        if (found) resolve(found); else missing();
      };
      tag.onerror = () => { tag.remove(); missing(); };
      document.head.append(tag);
    });
  }

  return {
    held, floats, axis, element, digits, arrow, colour, shape, load,
    index(data) {
      for (const run of data.runs) {
        run.values = floats(run.values);
        run.value = (column, method, case_) => run.values[(column * run.methods.length + method) * run.cases.length + case_];
      }
      held.index = data;
    },
    clip(data) { held.clips[data.key] = data; },
  };
})();
