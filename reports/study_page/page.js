"use strict";
// One page, no network: window.STUDY comes from study.js, answers stay in localStorage until they are saved as a file.
(() => {
  const S = window.STUDY;
  const $ = (id) => document.getElementById(id);
  const rating = S.kind === "rating";
  const CHOICES = [["A", "A"], ["same", "Same"], ["B", "B"]];
  const seenAlready = new Set();
  let state = null, entered = 0, seen = false, broken = false, kept = true;

  // ---- what is kept
  const place = (rater) => `hvb-study:${S.study}:${rater}`;
  function load(rater) {
    try {
      const found = JSON.parse(localStorage.getItem(place(rater)) || "null");
      if (found && found.study === S.study && found.rater === rater && found.answers) return found;
    } catch { kept = false; }
    return { study: S.study, rater, session: token(), started: new Date().toISOString(), finished: null, at: 0, answers: {} };
  }
  function keep() {
    try { localStorage.setItem(place(state.rater), JSON.stringify(state)); } catch { kept = false; }
  }
  function token() {
    const words = new Uint32Array(4);
    crypto.getRandomValues(words);
    return Array.from(words, (w) => w.toString(16).padStart(8, "0")).join("");
  }

  // ---- start
  function text(parent, tag, words, name) {
    const made = document.createElement(tag);
    made.textContent = words;
    if (name) made.className = name;
    parent.append(made);
    return made;
  }
  function start() {
    document.title = S.title;
    $("title").textContent = S.title;
    $("start-kind").textContent = rating ? "Ratings from 0 to 10" : "Which of two is better?";
    const items = S.raters[0].length;
    $("what").textContent = rating
      ? `You will see ${items} short clips, one at a time, and rate each of them. There is no right answer: we ask what you see.`
      : `You will see ${items} pairs of short clips, side by side, and say which one is better. There is no right answer: we ask what you see.`;
    for (const d of S.dimensions) text($("facts"), "li", d.question);
    text($("facts"), "li", "Watch each clip to its end once. Some come twice; just answer again.");
    text($("facts"), "li", S.sound ? "Please use headphones or speakers." : "The clips have no sound.");
    text($("facts"), "li", "You can stop and go on later in this browser. At the end you save a file; nothing is sent.");
    $("who-hint").textContent = `The one you were given, 1 to ${S.raters.length}.`;
    const keys = rating
      ? [["0 – 9, T", "answer, T is ten"]]
      : [["1 or ←", "A is better"], ["2 or ↓", "the same"], ["3 or →", "B is better"]];
    for (const [key, what] of [...keys, ["P", "pause and go on"], ["R", "from the start"], ...(S.sound && !rating ? [["H", "hear the other one"]] : []), ["Enter", "next"], ["B", "back"]]) {
      const term = text($("keys"), "dt", "");
      text(term, "kbd", key);
      text($("keys"), "dd", what);
    }
    const named = new URLSearchParams(location.search).get("rater");
    if (named) $("rater").value = named;
    const told = () => {
      const rater = Number($("rater").value), known = inRange(rater) ? load(rater) : null;
      $("begin").textContent = known && Object.keys(known.answers).length ? "Go on" : "Start";
    };
    told();
    $("rater").addEventListener("input", told);
    $("who").addEventListener("submit", (event) => {
      event.preventDefault();
      const rater = Number($("rater").value.trim());
      if (!inRange(rater)) {
        $("who-problem").textContent = `Please enter a whole number from 1 to ${S.raters.length}.`;
        $("rater").focus();
        return;
      }
      state = load(rater);
      keep();
      if (state.finished) finish(); else show(state.at);
    });
    only("start");
    $("rater").focus();
  }
  const inRange = (rater) => Number.isInteger(rater) && rater >= 1 && rater <= S.raters.length;
  function only(id) {
    for (const name of ["start", "work", "end"]) $(name).hidden = name !== id;
    document.body.className = S.kind;
    scrollTo(0, 0);
  }

  // ---- one item
  const order = () => S.raters[state.rater - 1];
  const videos = () => [...$("screens").querySelectorAll("video")];
  const item = () => order()[state.at];
  const answer = () => state.answers[item()];
  function show(at) {
    state.at = Math.max(0, Math.min(at, order().length - 1));
    const name = item();
    if (!state.answers[name]) state.answers[name] = { position: state.at + 1, answers: {}, seconds: 0, plays: 0 };
    keep();
    only("work");
    entered = performance.now();
    broken = false;
    seen = seenAlready.has(name) || Boolean(answer().done);
    $("video-problem").textContent = "";
    $("screens").replaceChildren();
    S.items[name].forEach((clip, i) => screen(clip, i, name));
    const heard = $("hear");
    heard.hidden = rating || !S.sound;
    hear(0);
    questions();
    ahead();
    progress();
    $("stage").focus({ preventScroll: true });
    if (!matchMedia("(prefers-reduced-motion: reduce)").matches) play(true); else controls();
  }
  function screen(clip, i, name) {
    const figure = document.createElement("figure"), video = document.createElement("video");
    video.src = `clips/${clip}.mp4`;
    video.playsInline = true;
    video.preload = "auto";
    video.disablePictureInPicture = true;
    video.setAttribute("aria-label", rating ? "the clip" : `clip ${"AB"[i]}`);
    video.addEventListener("ended", () => {
      if (name !== item() || videos().some((v) => !v.ended && !v.error)) return;
      answer().plays += 1;
      seen = true;
      seenAlready.add(name);
      keep();
      ready();
      if (S.sound) controls(); else play(true);
    });
    for (const event of ["play", "pause"]) video.addEventListener(event, controls);
    video.addEventListener("loadedmetadata", () => $("screens").classList.toggle("broad", video.videoWidth > 1.2 * video.videoHeight));
    video.addEventListener("click", () => play(videos().every((v) => v.paused)));
    video.addEventListener("error", () => {
      broken = true;
      $("video-problem").textContent = "This clip cannot be played here. Go on with Next, and please tell whoever invited you.";
      ready();
    });
    figure.append(video);
    if (!rating) text(figure, "figcaption", "AB"[i]);
    $("screens").append(figure);
  }
  function play(on, fromStart) {
    for (const video of videos()) {
      if (fromStart || (on && videos().every((v) => v.ended || v.error))) video.currentTime = 0;
      if (on) video.play().catch(() => controls()); else video.pause();
    }
    if (on) requestAnimationFrame(inStep);
    controls();
  }
  // Two videos have two clocks: the second follows the first.
  function inStep() {
    const [one, other] = videos();
    if (!other || one.paused) return;
    if (!other.seeking && !one.ended && !other.ended && Math.abs(one.currentTime - other.currentTime) > 0.04) other.currentTime = one.currentTime;
    requestAnimationFrame(inStep);
  }
  function controls() {
    const still = videos().every((v) => v.paused);
    $("play").textContent = still ? "Play" : "Pause";
  }
  let ear = 0;
  function hear(which) {
    ear = which;
    videos().forEach((video, i) => { video.muted = i !== ear; });
    $("hear").textContent = `Hearing ${"AB"[ear]}: switch`;
  }
  let waiting = [];
  function ahead() {
    waiting = (S.items[order()[state.at + 1]] || []).map((clip) => {
      const video = document.createElement("video");
      video.preload = "auto";
      video.muted = true;
      video.src = `clips/${clip}.mp4`;
      return video;
    });
  }

  // ---- questions
  function questions() {
    const form = $("questions");
    form.replaceChildren();
    S.dimensions.forEach((d, i) => {
      const set = document.createElement("fieldset");
      set.dataset.name = d.name;
      text(set, "legend", d.question);
      const scale = text(set, "div", "", rating ? "scale" : "choice");
      const options = rating ? Array.from({ length: 11 }, (_, n) => [n, String(n)]) : CHOICES;
      for (const [value, words] of options) {
        const label = text(scale, "label", "");
        const input = document.createElement("input");
        input.type = "radio";
        input.name = `q${i}`;
        input.value = String(value);
        input.checked = answer().answers[d.name] === value;
        input.addEventListener("change", () => set_(d.name, value));
        label.append(input, words);
      }
      if (rating) {
        const ends = text(set, "div", "", "ends");
        text(ends, "span", `0 ${d.low}`);
        text(ends, "span", `${d.high} 10`);
      }
      form.append(set);
    });
    ready();
  }
  function set_(name, value) {
    answer().answers[name] = value;
    keep();
    ready();
  }
  const open = () => S.dimensions.find((d) => !(d.name in answer().answers));
  function current() {
    const focused = document.activeElement && document.activeElement.closest("fieldset");
    const first = open();
    return first ? first.name : focused ? focused.dataset.name : S.dimensions.length === 1 ? S.dimensions[0].name : null;
  }
  function ready() {
    const first = open();
    for (const set of document.querySelectorAll("fieldset")) set.classList.toggle("now", Boolean(first) && set.dataset.name === first.name);
    const good = broken || (seen && !first);
    $("next").disabled = !good;
    $("next").textContent = state.at + 1 === order().length ? "Finish" : "Next";
    $("back").disabled = state.at === 0;
    $("seen").textContent = seen ? "" : "Please watch to the end once";
    $("missing").textContent = good ? "" : first ? `${S.dimensions.filter((d) => !(d.name in answer().answers)).length} to answer` : "not yet seen to the end";
  }
  function byKey(value) {
    const name = current();
    if (!name) return;
    const i = S.dimensions.findIndex((d) => d.name === name);
    const input = document.querySelector(`input[name=q${i}][value="${value}"]`);
    input.checked = true;
    set_(name, rating ? Number(value) : value);
    $("said").textContent = `${S.dimensions[i].question} ${value}`;
  }
  function leave() {
    answer().seconds = Math.round((answer().seconds + (performance.now() - entered) / 1000) * 10) / 10;
    for (const video of videos()) video.pause();
    keep();
  }
  function next() {
    if ($("next").disabled) return;
    if (broken) answer().unplayable = true;
    answer().done = true;
    leave();
    if (state.at + 1 < order().length) show(state.at + 1);
    else { state.finished = new Date().toISOString(); keep(); finish(); }
  }
  function back() {
    if (state.at > 0) { leave(); show(state.at - 1); }
  }
  function progress() {
    const done = order().filter((name) => (state.answers[name] || {}).done).length, all = order().length;
    $("count").textContent = `${state.at + 1} of ${all}`;
    $("progress").setAttribute("aria-valuemax", all);
    $("progress").setAttribute("aria-valuenow", done);
    $("progress").firstElementChild.style.width = `${(100 * done) / all}%`;
    if (!kept) $("video-problem").textContent = "This browser keeps nothing: do not close the page before you have saved your answers.";
  }

  // ---- files
  function answers() {
    return order().filter((name) => (state.answers[name] || {}).done).map((name) => {
      const a = state.answers[name];
      return { item: name, position: a.position, answers: a.answers, seconds: a.seconds, plays: a.plays, ...(a.unplayable ? { unplayable: true } : {}) };
    });
  }
  function save(form) {
    const made = form === "json" ? json() : csv();
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([made], { type: form === "json" ? "application/json" : "text/csv" }));
    link.download = `study-${S.study.slice(0, 8)}-rater-${String(state.rater).padStart(2, "0")}.${form}`;
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    $("said").textContent = `${link.download} saved`;
  }
  function json() {
    const head = { format: S.format, version: S.version, study: S.study, kind: S.kind, rater: state.rater, session: state.session, started: state.started, finished: state.finished };
    return JSON.stringify({ ...head, answers: answers() }, null, 1) + "\n";
  }
  function csv() {
    const field = (value) => (/[",\r\n]/.test(value) ? `"${String(value).replaceAll('"', '""')}"` : String(value));
    const lines = [["study", "version", "rater", "session", "item", "position", "dimension", "answer", "seconds", "plays"]];
    for (const a of answers())
      for (const d of S.dimensions) if (d.name in a.answers) lines.push([S.study, S.version, state.rater, state.session, a.item, a.position, d.name, a.answers[d.name], a.seconds, a.plays]);
    return lines.map((line) => line.map(field).join(",") + "\r\n").join("");
  }
  function finish() {
    $("end-text").textContent = `You answered ${answers().length} of ${order().length}. Please save your answers as a file now.`;
    only("end");
    $("thanks").focus();
  }

  // ---- wiring
  $("play").addEventListener("click", () => play(videos().every((v) => v.paused)));
  $("again").addEventListener("click", () => play(true, true));
  $("hear").addEventListener("click", () => hear(1 - ear));
  $("next").addEventListener("click", next);
  $("back").addEventListener("click", back);
  $("save-now").addEventListener("click", () => { keep(); save("json"); });
  $("save-json").addEventListener("click", () => save("json"));
  $("save-csv").addEventListener("click", () => save("csv"));
  $("review").addEventListener("click", () => { state.finished = null; show(order().length - 1); });
  $("forget").addEventListener("click", () => {
    if (!confirm("Delete the answers kept in this browser? A file that you saved stays.")) return;
    try { localStorage.removeItem(place(state.rater)); } catch { /* a browser that keeps nothing has nothing to delete */ }
    location.reload();
  });
  // a button pressed by mouse gives the keyboard back: Enter means next again
  for (const id of ["play", "again", "hear", "save-now"]) $(id).addEventListener("click", (event) => { if (event.detail) $("stage").focus({ preventScroll: true }); });
  $("questions").addEventListener("submit", (event) => event.preventDefault());
  document.addEventListener("keydown", (event) => {
    if ($("work").hidden || event.ctrlKey || event.metaKey || event.altKey) return;
    // a key held down is one answer: it must not answer the next question too
    if (event.repeat && !event.key.startsWith("Arrow")) { if (event.key !== "Tab") event.preventDefault(); return; }
    const key = event.key.toLowerCase(), radio = event.target.type === "radio", button = event.target.tagName === "BUTTON";
    const choice = { 1: "A", 2: "same", 3: "B", ...(radio ? {} : { arrowleft: "A", arrowdown: "same", arrowright: "B" }) };
    if (rating && /^[0-9]$/.test(key)) byKey(key);
    else if (rating && key === "t") byKey("10");
    else if (!rating && choice[key]) byKey(choice[key]);
    else if (key === "p" || (key === " " && !radio && !button)) play(videos().every((v) => v.paused));
    else if (key === "r") play(true, true);
    else if (key === "h" && !$("hear").hidden) hear(1 - ear);
    else if (key === "b") back();
    else if (key === "enter" && !button) next();
    else return;
    event.preventDefault();
  });
  start();
})();
