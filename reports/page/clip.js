"use strict";
/* One clip: pictures in step, because they are one video; curves below on the same clock. */
(function () {
  const { element, digits, arrow, colour, floats, axis } = HVB;
  const $ = (id) => document.getElementById(id);
  const video = $("video"), tiles = $("tiles"), seek = $("seek"), play = $("play"), where = $("where");
  const versus = $("versus"), size = $("size"), speed = $("speed"), sound = $("sound"), marks = $("marks"), which = $("which");
  const runs = HVB.held.index.runs;
  let run = null, clip = null, step = 0, boxes = {}, shown = {}, canvases = [], charts = [], audio = null, points = null, blob = null, asked = 0;

  /* ---- which clip */
  function wanted() {
    const [r, c] = location.hash.slice(1).split("/").map(Number);
    return runs[r] && c >= 0 && c < runs[r].cases.length ? [r, c] : [0, 0];
  }

  async function open() {
    const [r, c] = wanted();
    stop();
    audio = null;
    clip = null;
    run = runs[r];
    $("clip").replaceChildren(...run.cases.map((name, k) => element("option", { value: k }, name)));
    $("clip").value = c;
    $("before").disabled = c === 0;
    $("after").disabled = c === run.cases.length - 1;
    $("name").textContent = run.cases[c];
    document.title = run.cases[c] + " · " + run.title;
    let found = null;
    try {
      found = await HVB.load(r, c);
    } catch (error) {
      if (wanted()[0] !== r || wanted()[1] !== c) return;
      /* nothing of the clip before may stand under this one's name */
      for (const id of ["stage", "curves-part"]) $(id).hidden = true;
      for (const id of ["values", "said"]) $(id).replaceChildren();
      $("of").textContent = "";
      $("warnings").replaceChildren(element("p", { class: "warning", role: "alert" }, error.message + "; make the page again: hvbench report --html RUN"));
      return;
    }
    if (wanted()[0] !== r || wanted()[1] !== c) return;
    clip = found;
    const seconds = clip.steps && clip.fps ? ", " + clip.steps + " frames" +
      (clip.guessed ? ", their rate unknown and played" : "") + " at " + Number(clip.fps.toFixed(3)) + " a second" : "";
    $("of").textContent = run.title + seconds + (clip.truth ? "; frame numbers are the truth's" : "; no truth");
    const warnings = [run.banner, ...clip.notes].filter(Boolean);
    $("warnings").replaceChildren(...warnings.map((text) => element("p", { class: "warning", role: "note" }, text)));
    step = 0;
    pictures();
    curves();
    values(c);
    tick();
  }

  /* ---- pictures */
  function pictures() {
    const there = Boolean(clip.video);
    $("stage").hidden = !there;
    tiles.replaceChildren();
    canvases = [];
    if (blob) { URL.revokeObjectURL(blob); blob = null; }
    video.removeAttribute("src");
    seek.max = Math.max(0, clip.steps - 1);
    if (!there) return;
    shown = Object.fromEntries(Object.entries(clip.frames).map(([name, said]) => [name, axis(said)]));
    boxes = Object.fromEntries(clip.tiles.map((tile) => [tile.name, tile.box]));
    clip.tiles.forEach((tile) => {
      const [, , w, h] = tile.box;
      const canvas = element("canvas", { width: w, height: h, role: "img", "aria-label": tile.name });
      const truth = tile.name === clip.truth;
      const number = run.methods.indexOf(tile.name);
      const caption = element("figcaption", {}, element("span", { class: "dot" }), element("span", { class: "who" }, tile.name), element("span", { class: "now" }));
      const figure = element("figure", { class: truth ? "tile truth" : "tile" }, element("div", { class: "frame" }, canvas, element("span", { class: "gap", hidden: "" }, "no frame")), caption);
      figure.style.setProperty("--c", truth ? "var(--ink)" : colour(number));
      tiles.append(figure);
      canvases.push({ name: tile.name, canvas, number, truth, now: caption.lastChild, gap: figure.querySelector(".gap"), draw: canvas.getContext("2d") });
    });
    $("versus-label").hidden = !canvases.some((c) => c.truth);
    sound.replaceChildren(element("option", { value: "" }, "off"), ...Object.keys(clip.sounds).map((name) => element("option", {}, name)));
    $("sound-label").hidden = !Object.keys(clip.sounds).length;
    marks.replaceChildren(element("option", { value: "" }, "off"), ...Object.keys(clip.marks).map((name) => element("option", {}, name)));
    $("marks-label").hidden = !Object.keys(clip.marks).length;
    points = null;
    source();
  }

  /* From disk a video can be sought as it is; not every web server can, so from there it is taken whole. */
  async function source() {
    if (location.protocol.startsWith("http")) {
      const mine = clip;
      const answer = await fetch(clip.video).catch(() => null);
      const data = answer && answer.ok ? await answer.blob().catch(() => null) : null;
      if (mine !== clip) return;
      if (!data) { $("warnings").append(element("p", { class: "warning" }, "the video is missing: " + clip.video)); return; }
      blob = URL.createObjectURL(data);
      video.src = blob;
    } else video.src = clip.video;
  }

  function paint() {
    if (!video.videoWidth) return;
    const factor = Number(versus.value);
    const truth = canvases.find((c) => c.truth);
    for (const c of canvases) {
      const [x, y, w, h] = boxes[c.name];
      const there = shown[c.name] && shown[c.name][step] >= 0;
      c.gap.hidden = there;
      c.draw.globalCompositeOperation = "source-over";
      c.draw.drawImage(video, x, y, w, h, 0, 0, w, h);
      if (factor && truth && !c.truth && there) {
        const [tx, ty, tw, th] = boxes[truth.name];
        c.draw.globalCompositeOperation = "difference";
        c.draw.drawImage(video, tx, ty, tw, th, 0, 0, w, h);
        c.draw.globalCompositeOperation = "lighter"; /* a picture added to itself is twice as bright */
        for (let k = 1; k < factor; k *= 2) c.draw.drawImage(c.canvas, 0, 0);
      }
      c.draw.globalCompositeOperation = "source-over";
      if (points) overlay(c, w, h);
    }
  }

  function overlay(c, w, h) {
    const found = points.of[c.name];
    if (!found) return;
    const n = points.points, at = (k) => [found[(step * n + k) * 2] * w, found[(step * n + k) * 2 + 1] * h];
    c.draw.lineWidth = Math.max(1.5, w / 200);
    c.draw.strokeStyle = "#ffd400";
    c.draw.beginPath();
    for (const [i, j] of points.lines) {
      const [a, b] = [at(i), at(j)];
      if (a.concat(b).every(Number.isFinite)) { c.draw.moveTo(...a); c.draw.lineTo(...b); }
    }
    c.draw.stroke();
    c.draw.fillStyle = "#00e5ff";
    for (let k = 0; k < n; k++) {
      const p = at(k);
      if (p.every(Number.isFinite)) { c.draw.beginPath(); c.draw.arc(...p, Math.max(1.5, w / 160), 0, 7); c.draw.fill(); }
    }
  }

  /* ---- the clock: the video's own time, or the slider's where there is none */
  function go(to) {
    if (!clip) return;
    step = Math.max(0, Math.min(clip.steps - 1, to));
    if (clip.video && video.readyState) video.currentTime = (step + 0.5) / clip.fps;
    else tick();
  }

  function at() { return Math.max(0, Math.min(clip.steps - 1, Math.floor(video.currentTime * clip.fps + 1e-4))); }

  function tick() {
    if (!clip) return;
    seek.value = step;
    const time = clip.fps && !clip.guessed ? ", " + (step / clip.fps).toFixed(2) + " s" : "";
    where.textContent = (clip.truth ? "frame " + (clip.first + step) : "step " + step) + time;
    seek.setAttribute("aria-valuetext", where.textContent);
    paint();
    for (const chart of charts) chart.cursor(step);
    const first = charts[0];
    for (const c of canvases) {
      const own = shown[c.name] ? shown[c.name][step] : -1;
      const v = first && c.number >= 0 ? first.value(c.number, step) : NaN;
      c.now.textContent = own < 0 ? "" : Number.isFinite(v) ? digits(v, first.facts.decimals) : "frame " + own;
    }
  }

  function frame(_, facts) {
    if (!clip) return;
    const t = facts ? facts.mediaTime : video.currentTime;
    step = Math.max(0, Math.min(clip.steps - 1, Math.round(t * clip.fps - (facts ? 0 : 0.5))));
    tick();
    hear();
    if (video.requestVideoFrameCallback) ask();
    else if (!video.paused) requestAnimationFrame(() => frame());
  }

  /* one call waits at a time: another clip's video must not add a second one to the first's */
  function ask() {
    video.cancelVideoFrameCallback(asked);
    asked = video.requestVideoFrameCallback(frame);
  }

  function stop() { video.pause(); if (audio) audio.pause(); }

  function toggle() {
    if (!clip || !clip.video) return;
    if (video.paused) { if (step >= clip.steps - 1) { step = 0; video.currentTime = 0; } video.play().catch(() => {}); /* a pause came first */ } else stop();
  }

  /* sound follows the pictures: it is set right when it is off by more than a frame of film */
  function hear() {
    if (!audio) return;
    if (Math.abs(audio.currentTime - video.currentTime) > 0.045) audio.currentTime = video.currentTime;
    if (video.paused === audio.paused) return;
    const mine = audio;
    if (video.paused) audio.pause();
    else audio.play().catch((error) => { if (error.name !== "AbortError" && mine === audio) { sound.value = ""; audio = null; } });
  }

  video.loop = true;
  video.addEventListener("play", () => { play.textContent = "❚❚"; play.setAttribute("aria-label", "pause"); if (!video.requestVideoFrameCallback) frame(); hear(); });
  video.addEventListener("pause", () => { play.textContent = "▶"; play.setAttribute("aria-label", "play"); hear(); });
  video.addEventListener("loadeddata", () => {
    video.playbackRate = Number(speed.value);
    go(step);
    if (video.requestVideoFrameCallback) ask();
  });
  video.addEventListener("seeked", () => { if (clip && video.paused) { step = at(); tick(); } });
  video.addEventListener("error", () => {
    if (clip && video.getAttribute("src")) $("warnings").append(element("p", { class: "warning" }, "this browser cannot play the video (H.264): " + clip.video));
  });
  play.addEventListener("click", toggle);
  $("back").addEventListener("click", () => { stop(); go(step - 1); });
  $("on").addEventListener("click", () => { stop(); go(step + 1); });
  seek.addEventListener("input", () => { stop(); go(Number(seek.value)); });
  speed.addEventListener("change", () => { video.playbackRate = Number(speed.value); if (audio) audio.playbackRate = video.playbackRate; });
  versus.addEventListener("change", paint);
  size.addEventListener("input", () => tiles.style.setProperty("--size", size.value + "px"));
  sound.addEventListener("change", () => {
    if (audio) audio.pause();
    if (!clip) return;
    audio = sound.value ? new Audio(clip.sounds[sound.value]) : null;
    if (audio) { audio.currentTime = video.currentTime; audio.playbackRate = video.playbackRate; hear(); }
  });
  marks.addEventListener("change", () => {
    if (!clip) return;
    const found = clip.marks[marks.value];
    points = found ? { ...found, of: Object.fromEntries(Object.entries(found.of).map(([name, text]) => [name, floats(text)])) } : null;
    paint();
  });
  addEventListener("keydown", (event) => {
    if (!clip || event.altKey || event.ctrlKey || event.metaKey || ["SELECT", "TEXTAREA"].includes(event.target.tagName)) return;
    /* a slider and a table that scrolls sideways have their own use for arrows */
    const range = event.target.tagName === "INPUT" || Boolean(event.target.closest && event.target.closest(".scroll"));
    const pressed = ["BUTTON", "SUMMARY", "A"].includes(event.target.tagName);
    const does = {
      " ": () => pressed ? null : toggle(),
      ArrowLeft: () => range ? null : (stop(), go(step - 1)),
      ArrowRight: () => range ? null : (stop(), go(step + 1)),
      Home: () => range ? null : (stop(), go(0)),
      End: () => range ? null : (stop(), go(clip.steps - 1)),
      d: () => { versus.selectedIndex = (versus.selectedIndex + 1) % versus.options.length; paint(); return true; },
      "[": () => move(-1),
      "]": () => move(1),
    }[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (does && does() !== null) event.preventDefault();
  });
  function move(by) {
    const [r, c] = wanted();
    if (c + by >= 0 && c + by < runs[r].cases.length) location.hash = r + "/" + (c + by);
    return true;
  }
  $("before").addEventListener("click", () => move(-1));
  $("after").addEventListener("click", () => move(1));
  $("clip").addEventListener("change", () => { location.hash = wanted()[0] + "/" + $("clip").value; });

  /* ---- curves */
  function curves() {
    const by = new Map();
    for (const [column, method, x, y] of clip.curves) {
      if (!by.has(column)) by.set(column, []);
      by.get(column).push({ method, x: axis(x), y: floats(y) });
    }
    $("curves-part").hidden = !by.size;
    const keep = which.value;
    const columns = [...by.keys()].sort((a, b) => run.columns[b].primary - run.columns[a].primary || a - b);
    const name = (c) => run.columns[c].protocol + " : " + run.columns[c].name;
    const protocols = [...new Set(columns.map((c) => run.columns[c].protocol))];
    which.replaceChildren(element("option", { value: "primary" }, "primary"), ...protocols.map((p) => element("option", { value: "p:" + p }, "all of " + p)),
      ...columns.map((c) => element("option", { value: String(c) }, name(c))));
    which.value = [...which.options].some((o) => o.value === keep) ? keep : "primary";
    const pick = (c) => which.value === "primary" ? run.columns[c].primary : which.value.startsWith("p:") ? run.columns[c].protocol === which.value.slice(2) : c === Number(which.value);
    let chosen = columns.filter(pick);
    if (!chosen.length) chosen = columns.slice(0, 4);
    const used = [...new Set(chosen.flatMap((c) => by.get(c).map((s) => s.method)))].sort((a, b) => a - b);
    $("legend").replaceChildren(...used.map((m) => {
      const item = element("span", {}, element("i", { class: m >= 8 ? "dashed" : "" }), run.methods[m]);
      item.firstChild.style.background = colour(m);
      return item;
    }));
    charts = chosen.map((c) => chart(c, by.get(c), name(c)));
    $("curves").replaceChildren(...charts.map((c) => c.figure));
    charts.forEach((c) => c.draw());
    tick();
  }
  which.addEventListener("change", () => { if (clip) curves(); });
  let width = innerWidth;
  addEventListener("resize", () => { if (clip && innerWidth !== width) { width = innerWidth; curves(); } });

  const SVG = "http://www.w3.org/2000/svg";
  function svg(name, attributes, text) {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes || {})) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    return made;
  }

  function chart(column, lines, title) {
    const facts = run.columns[column];
    const W = Math.max(300, Math.min(1180, $("curves").clientWidth - 28)), H = W < 500 ? 150 : 170, L = 62, R = 10, T = 10, B = 24;
    let low = Infinity, high = -Infinity;
    for (const line of lines) for (const v of line.y) if (Number.isFinite(v)) { low = Math.min(low, v); high = Math.max(high, v); }
    if (!(high > low)) { const room = Math.abs(low) * 0.05 || 1; low -= room; high += room; }
    const last = Math.max(1, clip.steps - 1);
    const x = (k) => L + (k / last) * (W - L - R), y = (v) => T + (1 - (v - low) / (high - low)) * (H - T - B);
    const root = svg("svg", { viewBox: "0 0 " + W + " " + H, role: "img", tabindex: "0" });
    const said = lines.map((l) => run.methods[l.method] + " mean " + digits(mean(l.y), facts.decimals)).join("; ");
    root.append(svg("title", {}, title + " by frame: " + said));
    const cursor = svg("line", { class: "cursor", y1: T - 4, y2: H - B + 4 });
    const heads = lines.map((l) => { const c = svg("circle", { r: 4, class: "head" }); c.style.setProperty("--c", colour(l.method)); return c; });
    const figure = element("figure", { class: "chart" }, element("figcaption", {}, title + (facts.unit ? " (" + facts.unit + ")" : "") + arrow(facts.up)), root);

    function near(line, k) {
      /* x rises: the point at or just before step k */
      let a = 0, b = line.x.length - 1;
      if (b < 0 || line.x[0] > k + 0.51) return -1;
      while (a < b) { const m = (a + b + 1) >> 1; if (line.x[m] <= k + 0.51) a = m; else b = m - 1; }
      return k - line.x[a] > 1.01 ? -1 : a;
    }

    return {
      figure, facts,
      draw() {
        const g = svg("g", { class: "grid" });
        for (let i = 0; i <= 3; i++) {
          const v = low + (high - low) * i / 3;
          g.append(svg("line", { x1: L, x2: W - R, y1: y(v), y2: y(v) }), svg("text", { x: L - 8, y: y(v) + 4, "text-anchor": "end" }, digits(v, facts.decimals)));
        }
        const every = [1, 2, 5, 10, 20, 25, 50, 100, 200, 500, 1000].find((e) => last / e <= W / 90) || 2000;
        for (let k = 0; k <= last; k += every) g.append(svg("text", { x: x(k), y: H - 6, "text-anchor": "middle" }, String(clip.first + k)));
        root.append(g);
        for (const line of lines) {
          let d = "", pen = false;
          for (let k = 0; k < line.y.length; k++) {
            if (!Number.isFinite(line.y[k]) || line.x[k] > last) { pen = false; continue; }
            d += (pen ? "L" : "M") + x(line.x[k]).toFixed(1) + " " + y(line.y[k]).toFixed(1);
            if (!pen) d += "h0"; /* with its round cap a frame that stands alone is a dot */
            pen = true;
          }
          const path = svg("path", { d, class: line.method >= 8 ? "curve dashed" : "curve" });
          path.style.setProperty("--c", colour(line.method));
          root.append(path);
        }
        root.append(cursor, ...heads);
        const to = (event) => {
          const box = root.getBoundingClientRect();
          stop();
          go(Math.round(((event.clientX - box.left) / box.width * W - L) / (W - L - R) * last));
        };
        root.addEventListener("pointerdown", (event) => { root.setPointerCapture(event.pointerId); to(event); });
        root.addEventListener("pointermove", (event) => { if (event.buttons) to(event); });
      },
      cursor(k) {
        cursor.setAttribute("x1", x(k));
        cursor.setAttribute("x2", x(k));
        lines.forEach((line, i) => {
          const p = near(line, k), there = p >= 0 && Number.isFinite(line.y[p]);
          heads[i].style.display = there ? "" : "none";
          if (there) { heads[i].setAttribute("cx", x(line.x[p])); heads[i].setAttribute("cy", y(line.y[p])); }
        });
      },
      value(method, k) {
        const line = lines.find((l) => l.method === method);
        const p = line ? near(line, k) : -1;
        return p >= 0 ? line.y[p] : NaN;
      },
    };
  }

  function mean(values) {
    let total = 0, n = 0;
    for (const v of values) if (Number.isFinite(v)) { total += v; n += 1; }
    return n ? total / n : NaN;
  }

  /* ---- the table below */
  function values(c) {
    const columns = run.columns.map((facts, k) => ({ facts, k })).filter(({ facts }) => facts.clips);
    const head = element("tr", {}, element("th", { scope: "col" }, "number"), ...run.methods.map((m) => element("th", { scope: "col" }, m)));
    const body = columns.map(({ facts, k }) => {
      const found = run.methods.map((_, m) => run.value(k, m, c));
      const known = found.filter(Number.isFinite);
      const best = facts.up === null || known.length < 2 ? NaN : facts.up ? Math.max(...known) : Math.min(...known);
      return element("tr", {}, element("th", { scope: "row" }, facts.protocol + " : " + facts.name + arrow(facts.up)),
        ...found.map((v) => element("td", { class: v === best ? "best" : "" }, digits(v, facts.decimals))));
    });
    $("values").replaceChildren(element("thead", {}, head), element("tbody", {}, ...body));
    $("said").replaceChildren(...clip.said.map(([who, text]) => element("p", { class: "quiet" }, who + ": " + text)));
  }

  tiles.style.setProperty("--size", size.value + "px");
  addEventListener("hashchange", open);
  /* what stands behind the # is the clip: the link to the content must not take its place */
  document.querySelector(".skip").addEventListener("click", (event) => { event.preventDefault(); $("main").focus(); });
  addEventListener("hvb-theme", paint);
  open();
})();
