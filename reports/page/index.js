"use strict";
/* Tables that sort and filter, and the list of clips. */
(function () {
  const { element, digits, arrow, colour } = HVB;

  /* ---- tables */
  function sortable(table) {
    const heads = [...table.tHead.rows[0].cells];
    const body = table.tBodies[0];
    const first = [...body.rows];
    heads.forEach((head, column) => {
      const words = [...head.childNodes];
      const button = element("button", { type: "button", class: "sort" });
      button.append(...words);
      head.append(button);
      button.addEventListener("click", () => {
        const was = head.getAttribute("aria-sort");
        for (const other of heads) other.removeAttribute("aria-sort");
        const order = was === "ascending" ? "descending" : was === "descending" ? null : "ascending";
        if (order) head.setAttribute("aria-sort", order);
        const value = (row) => {
          const cell = row.cells[column];
          return "value" in cell.dataset ? Number(cell.dataset.value) : column === 0 ? cell.textContent : null;
        };
        const rows = order === null ? first : [...first].sort((a, b) => {
          const x = value(a), y = value(b);
          if (x === null || y === null) return (x === null) - (y === null); /* what has no value stays last */
          const c = typeof x === "string" ? x.localeCompare(y) : x - y;
          return order === "ascending" ? c : -c;
        });
        body.append(...rows);
      });
    });
  }
  document.querySelectorAll(".protocol table").forEach(sortable);

  const filter = document.getElementById("filter");
  filter.addEventListener("input", () => {
    const wanted = filter.value.trim().toLowerCase();
    let shown = 0, all = 0;
    document.querySelectorAll(".protocol .hvb-table tbody tr").forEach((row) => {
      row.hidden = !row.cells[0].textContent.toLowerCase().includes(wanted);
      all += 1;
      shown += !row.hidden;
    });
    document.querySelectorAll(".protocol svg g.method").forEach((row) => {
      row.classList.toggle("faded", !row.dataset.name.toLowerCase().includes(wanted));
    });
    document.getElementById("filtered").textContent = wanted ? shown + " of " + all + " rows" : "";
  });

  /* a card opens when something points at it */
  function open() {
    let name = location.hash.slice(1);
    try { name = decodeURIComponent(name); } catch { /* a torn address stands for itself */ }
    const target = name && document.getElementById(name);
    const details = target && target.closest("details");
    if (details && !details.open) { details.open = true; target.scrollIntoView(); }
  }
  addEventListener("hashchange", open);
  open();

  /* ---- the list of clips: only what is in view stands in the document */
  const metric = document.getElementById("metric"), order = document.getElementById("order"), by = document.getElementById("by");
  const find = document.getElementById("find"), list = document.getElementById("list"), counted = document.getElementById("counted");
  const HIGH = 44, MORE = 6;
  let rows = [], run = null, column = null, facts = null, low = 0, high = 1, middle = [];

  function methods() {
    const before = by.value;
    const apart = order.value === "name" || order.value === "spread";
    by.replaceChildren(element("option", { value: "" }, "all methods, mean"), ...run.methods.map((m, k) => element("option", { value: k }, m)));
    if (before !== "" && run.methods[before] !== undefined) by.value = before;
    by.disabled = apart;
  }

  function key(k) {
    const values = run.methods.map((_, m) => run.value(column, m, k)).filter(Number.isFinite);
    if (!values.length) return NaN;
    if (order.value === "spread") return Math.max(...values) - Math.min(...values);
    if (by.value !== "") return run.value(column, Number(by.value), k);
    /* against each method's own mean: a clip on which a bad method failed is not better for it */
    const apart = run.methods.map((_, m) => run.value(column, m, k) - middle[m]).filter(Number.isFinite);
    return average(apart);
  }

  function average(values) { return values.length ? values.reduce((a, b) => a + b, 0) / values.length : NaN; }

  function choose() {
    const [r, c] = metric.value.split("/").map(Number);
    const changed = run !== HVB.held.index.runs[r];
    run = HVB.held.index.runs[r];
    column = c;
    facts = run.columns[c];
    if (changed || !by.options.length) methods();
    by.disabled = order.value === "name" || order.value === "spread";
    middle = run.methods.map((_, m) => average(run.cases.map((__, k) => run.value(column, m, k)).filter(Number.isFinite)));
    const wanted = find.value.trim().toLowerCase();
    rows = run.cases.map((name, k) => ({ k, name, key: key(k) })).filter((row) => row.name.toLowerCase().includes(wanted));
    const good = facts.up === false ? 1 : -1; /* sign that puts the best first */
    if (order.value !== "name") {
      const sign = order.value === "best" ? good : order.value === "worst" ? -good : -1;
      rows.sort((a, b) => Number.isNaN(a.key) - Number.isNaN(b.key) || sign * (a.key - b.key) || a.k - b.k);
    }
    low = Infinity; high = -Infinity;
    for (let k = 0; k < run.cases.length; k++) {
      for (let m = 0; m < run.methods.length; m++) {
        const v = run.value(column, m, k);
        if (Number.isFinite(v)) { low = Math.min(low, v); high = Math.max(high, v); }
      }
    }
    counted.textContent = rows.length + " of " + run.cases.length + " clips; a mark a method, from " +
      digits(low, facts.decimals) + " to " + digits(high, facts.decimals) + (facts.unit ? " " + facts.unit : "") + arrow(facts.up);
    list.scrollTop = 0;
    draw();
  }

  function shown(k) {
    const values = run.methods.map((_, m) => run.value(column, m, k)).filter(Number.isFinite);
    if (order.value === "spread") return key(k);
    return by.value !== "" ? run.value(column, Number(by.value), k) : average(values);
  }

  function line(row) {
    const marks = element("span", { class: "marks", "aria-hidden": "true" });
    const said = [];
    run.methods.forEach((m, k) => {
      const v = run.value(column, k, row.k);
      said.push(m + " " + digits(v, facts.decimals));
      if (!Number.isFinite(v)) return;
      const at = high > low ? (v - low) / (high - low) : 0.5;
      const mark = element("i", { class: HVB.shape(k), title: m + " " + digits(v, facts.decimals) });
      mark.style.left = (at * 100).toFixed(2) + "%";
      mark.style.background = colour(k);
      marks.append(mark);
    });
    const values = run.methods.length <= 6
      ? run.methods.map((m, k) => {
        const cell = element("span", { class: "v" }, digits(run.value(column, k, row.k), facts.decimals));
        cell.style.setProperty("--c", colour(k));
        return cell;
      })
      : [element("span", { class: "v" }, digits(shown(row.k), facts.decimals))];
    return element("a", { class: "clip", href: "clip.html#" + HVB.held.index.runs.indexOf(run) + "/" + row.k, "aria-label": row.name + ": " + said.join(", ") },
      element("span", { class: "clip-name" }, row.name), marks, element("span", { class: "vs" }, ...values));
  }

  function draw() {
    const from = Math.max(0, Math.floor(list.scrollTop / HIGH) - MORE);
    const to = Math.min(rows.length, Math.ceil((list.scrollTop + list.clientHeight) / HIGH) + MORE);
    const head = element("div", { class: "legend" }, ...run.methods.slice(0, 24).map((m, k) => {
      const item = element("span", {}, element("i", { class: HVB.shape(k) }), m);
      item.firstChild.style.background = colour(k);
      return item;
    }));
    const inside = element("div", { class: "rows" });
    inside.style.height = rows.length * HIGH + "px";
    const window_ = element("div", { class: "window" }, ...rows.slice(from, to).map(line));
    window_.style.transform = "translateY(" + from * HIGH + "px)";
    inside.append(window_);
    const focus = document.activeElement && document.activeElement.classList.contains("clip") ? document.activeElement.getAttribute("href") : null;
    list.replaceChildren(inside);
    const legend = document.querySelector("#clips > .legend");
    if (legend) legend.replaceWith(head); else list.before(head);
    if (focus) { const again = list.querySelector('a[href="' + focus + '"]'); if (again) again.focus({ preventScroll: true }); }
  }

  if (metric.options.length) {
    let asked = false;
    list.addEventListener("scroll", () => {
      if (asked) return;
      asked = true;
      requestAnimationFrame(() => { asked = false; draw(); });
    }, { passive: true });
    addEventListener("resize", draw);
    for (const input of [metric, order, by]) input.addEventListener("change", choose);
    find.addEventListener("input", choose);
    choose();
  } else {
    list.replaceWith(element("p", { class: "quiet" }, "No metric of this page has a value by clip."));
  }
})();
