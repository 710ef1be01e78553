// The live page: the report, drawn again whenever something has changed.
"use strict";

const live = {version: "", index: new Map(), started: false, timer: null, logs: new Map()};
const position = name => live.index.get(name);
const LISTED_WORK = 12;

// --- what the live page adds to the report ------------------------------------------

hooks.selected = new Set();
hooks.selection = () => { drawChosen(); drawRows(); };
hooks.head = () => {
  const facts = [], running = data.counts.running || 0;
  const nodes = new Set(units.node.filter((node, i) => node && units.state[i] === "running"));
  if (data.minutes_left) facts.push(["Time left", `about ${duration(60 * data.minutes_left)}`]);
  if (running) facts.push(["Running now", `${plural(running, "unit")} on ${plural(nodes.size, "node")}`]);
  if (data.merge) facts.push(["Last merge", `${clock(data.merge.at)}, ${count(data.merge.added)} added${data.merge.left_out ? `, ${count(data.merge.left_out)} left out` : ""}`]);
  const waits = units.lock_seconds.filter(seconds => seconds > 0);
  if (waits.length) facts.push(["Waits for the lock", `${plural(waits.length, "unit")}, longest ${timeText(waits.reduce((a, b) => Math.max(a, b), 0))}`]);
  const cost = data.sizing && data.sizing.whole.cost;
  if (cost && cost.value >= 0.01) {
    const {left} = data.sizing, spent = cost.value - ((left.cost || {}).value || 0);
    facts.push(["Cost", `about ${digits(spent, 2)} of ${digits(cost.value, 2)}`]);
  }
  if (!facts.length) return null;
  return h("dl.strip", {}, facts.map(([label, text]) => h("div", {}, h("dt", {}, label), h("dd", {}, text))));
};
hooks.again = "press Start";
hooks.settled = (all, merged) => merged === all || Boolean(data.activity.run);
hooks.opened = name => loadDetail(name);
hooks.detail = (i, told) => {
  const name = units.unit[i], state = units.state[i], parts = [];
  const at = [units.job[i] && `job ${units.job[i]}`, units.node[i] && `on ${units.node[i]}`, units.since[i] && `since ${clock(units.since[i])}`].filter(Boolean);
  if (at.length) parts.push(h("p", {}, h("b", {}, state === "running" ? "Running " : "In the queue "), at.join(", ")));
  const deeds = [];
  if (!session.read_only) {
    const deed = (kind, label, act) => deeds.push(h("button.plain", {type: "button", id: `${kind}-${i}`, "aria-label": `${label} ${name}`, onclick: act}, label));
    if (["running", "queued"].includes(state)) deed("cancel", "Cancel", () => cancelUnits([name]));
    if (["failed", "waiting", "lost"].includes(state) && !control.run) deed("retry", "Retry", () => retryUnits([name]));
    if (["incomplete", "held"].includes(state) && !control.run) deed("accept", "Accept as it is", () => acceptUnits([name]));
  }
  if (!OUTSIDE.includes(state)) {
    const log = live.logs.get(name);
    deeds.push(h("button.plain", {type: "button", id: `log-${i}`, "aria-expanded": String(Boolean(log)), "aria-label": `Log of ${name}`, onclick: () => log ? hideLog(name) : showLog(name)}, log ? "Hide the log" : "Log"));
    deeds.push(h("a", {href: `${API}${studyPath(`/units/${encodeURIComponent(name)}/log`)}?offset=0`, target: "_blank", rel: "noopener", class: "raw"}, "log as text"));
  }
  parts.push(h("div.buttons", {}, deeds));
  return h("div", {}, parts);
};
hooks.log = i => {
  const name = units.unit[i], log = live.logs.get(name);
  return log ? [h("h3", {}, "Its log"), h("pre.log", {id: `logtext-${i}`, tabindex: "0", "aria-label": `Log of ${name}`}, log.text || "nothing yet")] : null;
};
async function loadDetail(name) {
  try {
    const told = await call(studyPath(`/units/${encodeURIComponent(name)}`)), i = position(name);
    if (i === undefined) return;
    data.details[i] = told.detail;
    drawRows();
  } catch (error) { if (error.status !== 404) failed(error); }
}
async function showLog(name) {
  live.logs.set(name, {text: "", offset: null});
  await followLog(name);
  drawAgain(name);
}
function hideLog(name) {
  live.logs.delete(name);
  drawAgain(name);
}
async function followLog(name) {
  const log = live.logs.get(name), told = await callText(studyPath(`/units/${encodeURIComponent(name)}/log`), log.offset).catch(() => null);
  if (!told) return;
  log.offset = log.offset === null ? told.total : log.offset + told.length;
  log.text = (log.text + plainText(told.text)).slice(-KEPT_OUTPUT);
  const place = document.getElementById(`logtext-${position(name)}`);
  if (!place || !told.text) return;
  const atEnd = place.scrollHeight - place.scrollTop - place.clientHeight < 40;
  place.textContent = log.text;
  if (atEnd) place.scrollTop = place.scrollHeight;
}
// A row whose data is the same, and looks different now.
function drawAgain(name) {
  const old = drawn.find(({i}) => units.unit[i] === name);
  if (old) old.told = "";
  drawRows();
}

// --- what runs now ---------------------------------------------------------------------

function drawWork() {
  const running = [];
  for (let i = 0; i < total; i++) if (units.state[i] === "running") running.push(i);
  if (!running.length) return noSection("work");
  running.sort((a, b) => units.since[a] < units.since[b] ? -1 : 1);
  const rows = running.slice(0, LISTED_WORK).map(i => h("tr", {},
    h("th", {scope: "row"}, h("button.open", {type: "button", id: `work-${i}`, onclick: () => openUnit(units.unit[i])}, units.unit[i])),
    h("td", {}, units.node[i]), h("td.num", {"data-since": units.since[i]}, sinceNow(units.since[i])), h("td", {}, units.job[i] ? `job ${units.job[i]}` : "here"),
    h("td.num", {}, units.attempts[i] ? `attempt ${units.attempts[i] + 1}` : ""),
    h("td", {}, session.read_only ? null : h("button.plain.copy", {type: "button", id: `work-cancel-${i}`, "aria-label": `Cancel ${units.unit[i]}`, onclick: () => cancelUnits([units.unit[i]])}, "Cancel"))));
  const titles = ["Unit", "Node", "For", "SLURM", "", ""];
  section("work", "Running now", "", h("div.scroller", {}, h("table.small", {}, h("thead", {}, h("tr", {}, titles.map((title, n) => h(n === 2 ? "th.num" : "th", {scope: "col"}, title)))), h("tbody", {}, rows))),
    running.length > LISTED_WORK ? h("button.plain", {type: "button", id: "work-all", onclick: () => { choose({state: "running", cause: null, crash: null, text: ""}); goTo("units"); }}, `Show all ${count(running.length)}`) : null);
}
function openUnit(name) {
  choose({state: "", cause: null, crash: null, text: name});
  document.getElementById("search").value = name;
  if (!view.open.has(name)) { view.open.add(name); loadDetail(name); }
  drawRows();
  goTo("units");
}

// --- what changes ------------------------------------------------------------------------

async function refresh() {
  const told = await call(studyPath(`/changes?since=${live.version}`));
  apply(told);
}
function apply(told) {
  const first = !live.started, facts = new Set(Object.keys(told.facts));
  live.version = told.version;
  live.made = told.made;
  if (told.full) {
    data = {...told.facts, units: told.units, details: told.details, causes: told.facts.causes || [], counts: told.facts.counts || {}};
    live.index = new Map(data.units.unit.map((name, i) => [name, i]));
  } else {
    Object.assign(data, told.facts);
    for (const cells of told.changed) {
      const i = position(cells.unit);
      for (const key of Object.keys(units)) units[key][i] = cells[key];
      if (cells.detail) data.details[i] = cells.detail; else delete data.details[i];
    }
  }
  take(data);
  const changed = told.full ? units.unit : told.changed.map(cells => cells.unit);
  if (first && !data.study) { drawNotes(); drawControl(); return; }
  if (first) {
    live.started = true;
    drawNotes();
    drawReport(data);
  } else drawChanges(facts, changed, told.full);
  for (const name of changed) if (view.open.has(name)) loadDetail(name);
  drawControl();
  if (first || changed.length) drawWork();
  if (first || changed.length) { sections.sort(([a], [b]) => PARTS.indexOf(a) - PARTS.indexOf(b)); drawNav(); drawChosen(); }
  document.title = `${data.counts.failed ? `(${data.counts.failed} failed) ` : ""}${data.study}`;
}
function drawChanges(facts, changed, full) {
  const any = (...names) => full || names.some(name => facts.has(name));
  if (any("faults", "warnings")) drawNotes();
  if (any("counts", "run", "activity", "minutes_left", "merge", "sizing", "study", "completeness") || changed.length) {
    drawHead();
    const state = document.getElementById("state");
    fill(state, ...stateOptions());
    state.value = view.state;
  }
  if (any("causes", "crashes")) drawFindings();
  if (any("sizing")) { drawResources(); drawSizing(); }
  if (any("proof")) drawProof();
  if (any("bids")) drawBids();
  if (any("main", "input_commit", "versions", "command")) drawProvenance();
  if (any("causes", "activity") || changed.length) { if (any("activity")) drawn.forEach(old => { if (view.open.has(units.unit[old.i])) old.told = ""; }); refreshRows(); }
}
function drawNotes() {
  const notes = [];
  if ((data.faults || []).length) notes.push(h("div.banner", {role: "status"}, h("p", {}, h("b", {}, `The config has ${plural(data.faults.length, "fault")}; nothing can be started.`)),
    h("ul.notes", {}, data.faults.map(fault => h("li", {}, fault.message, fault.hint ? h("span.muted", {}, ` ${fault.hint}`) : ""))),
    session.read_only ? null : h("p", {}, h("button.plain", {type: "button", id: "to-config", onclick: () => showTab("config")}, "Open the config"))));
  for (const warning of data.warnings || []) notes.push(h("div.banner.mild", {role: "status"}, h("p", {}, h("b", {}, warning.message)), warning.hint ? h("p.muted", {}, warning.hint) : null));
  if (data.study && !total && !(data.faults || []).length) notes.push(h("div.banner.mild", {role: "status"}, h("p", {}, h("b", {}, "No units are listed yet.")), h("p", {}, "A dry run lists them; Start prepares the study and processes them.")));
  fill(document.getElementById("notes"), notes);
}

// --- the beat ----------------------------------------------------------------------------

function setLink(on, text) {
  const place = document.getElementById("link");
  if (place.textContent !== text) place.textContent = text;
  place.className = `link ${on ? "is-on" : "is-off"}`;
}
let failures = 0;
async function beat() {
  clearTimeout(live.timer);
  try {
    await refresh();
    failures = 0;
    setLink(true, "live");
    await follow();
    for (const name of live.logs.keys()) if (units.state[position(name)] === "running") await followLog(name);
    for (const cell of document.querySelectorAll("[data-since]")) cell.textContent = sinceNow(cell.dataset.since);
  } catch (error) {
    failures += 1;
    if (!(error instanceof Refused) && !(error instanceof TypeError)) console.error(error);
    setLink(false, error instanceof Refused ? error.message : "not connected");
  }
  live.timer = setTimeout(beat, document.hidden ? 5000 : Math.min(10000, 1000 * (1 + failures)));
}
document.addEventListener("visibilitychange", () => { if (!document.hidden && live.version) beat(); });

// --- views -------------------------------------------------------------------------------

const TABS = {study: "Study", config: "Config"};
function drawTabs() {
  const tabs = session.read_only ? ["study"] : Object.keys(TABS);
  document.getElementById("tabs").replaceChildren(...tabs.map(name => h("button", {type: "button", role: "tab", id: `tab-${name}`, "aria-controls": name, "aria-selected": "false", onclick: () => showTab(name),
    onkeydown: event => {
      const step = {ArrowRight: 1, ArrowLeft: -1}[event.key];
      if (step) { const next = tabs[(tabs.indexOf(name) + step + tabs.length) % tabs.length]; showTab(next); document.getElementById(`tab-${next}`).focus(); }
    }}, TABS[name])));
}
function showTab(name) {
  for (const tab of Object.keys(TABS)) {
    document.getElementById(tab).hidden = tab !== name;
    const button = document.getElementById(`tab-${tab}`);
    if (button) { button.setAttribute("aria-selected", String(tab === name)); button.tabIndex = tab === name ? 0 : -1; }
  }
  document.getElementById("chosen").hidden = name !== "study" || !hooks.selected.size;
  if (name === "config") openConfig();
  history.replaceState(null, "", name === "study" ? location.pathname : `#${name}`);
}

async function showStudies() {
  const {studies} = await call("/studies");
  const known = Object.keys(STATES).length ? STATES : null;
  document.getElementById("studies").hidden = false;
  document.getElementById("study").hidden = true;
  document.title = "Studies";
  const cards = studies.map(study => h("li", {}, h("a.card", {href: `/studies/${encodeURIComponent(study.id)}`},
    h("b", {}, study.name), h("span.muted", {}, study.app || study.folder),
    h("span", {}, study.faults ? `${plural(study.faults, "fault")} in its config` : Object.entries(study.counts).map(([state, n]) => `${count(n)} ${state}`).join(", ") || "not started"),
    study.running ? h("span.state.info", {"data-mark": "▸"}, "running") : "")));
  const made = h("form", {id: "new-study", onsubmit: makeStudy}, h("h2", {}, "A new study"),
    h("div.tools", {}, h("input", {id: "new-name", required: "", pattern: "[A-Za-z0-9][A-Za-z0-9._\\-]*", placeholder: "Name: its folder", "aria-label": "Name of the new study"}),
      h("select", {id: "new-app", "aria-label": "Template"}, h("option", {value: ""}, "Any BIDS App")), h("button.main", {type: "submit", id: "new-make"}, "Make it")));
  document.getElementById("studies").replaceChildren(h("h1", {}, "Studies"), studies.length ? h("ul.cards", {}, cards) : h("p.muted", {}, "There is no study here yet."), session.makes_studies && !session.read_only ? made : "");
  if (session.makes_studies && !session.read_only) {
    const {templates} = await call("/templates");
    document.getElementById("new-app").append(...templates.map(name => h("option", {value: name}, APPS[name] || name)));
  }
  setLink(true, "live");
}
const APPS = {fmriprep: "fMRIPrep", mriqc: "MRIQC", qsiprep: "QSIPrep", "xcp-d": "XCP-D", freesurfer: "FreeSurfer", fitlins: "FitLins"};
async function makeStudy(event) {
  event.preventDefault();
  try {
    const made = await call("/studies", {method: "POST", body: {name: document.getElementById("new-name").value, app: document.getElementById("new-app").value}});
    location.assign(`/studies/${encodeURIComponent(made.id)}#config`);
  } catch (error) { failed(error); }
}

async function begin() {
  try {
    session = await call("/session");
    const {studies} = await call("/studies");
    const named = decodeURIComponent(location.pathname.replace(/^\/studies\/|^\/$/, ""));
    if (!named && (studies.length !== 1 || session.makes_studies)) return await showStudies();
    const study = studies.find(each => each.id === (named || studies[0].id));
    if (!study) { toast(`There is no study ${named} here.`, "", true); return await showStudies(); }
    control.study = study.id;
    const where = document.getElementById("where");
    where.replaceChildren(studies.length > 1 || session.makes_studies ? h("a", {href: "/"}, "All studies") : "", h("b", {}, study.name), session.read_only ? h("span.only", {}, "read-only") : "");
    drawTabs();
    buildControl();
    document.getElementById("foot").append(`${session.user} on ${session.host}. `, h("a", {href: `${API}/openapi.json`}, "API"), session.version ? `, bidsloom ${session.version}` : "");
    showTab(location.hash === "#config" && !session.read_only ? "config" : "study");
    await beat();
  } catch (error) {
    setLink(false, error instanceof Refused ? error.message : "not connected");
    if (!(error instanceof Refused)) setTimeout(begin, 3000);
    else failed(error);
  }
}
begin();
