// The report, drawn from its data: the static page calls it once, the live page
// (`page/static/page.js`) again whenever something has changed.
"use strict";
let data, units, total = 0;
const PAGE = 25, PRINTED = 250;
// What the live page adds; the static one has none of it.
const hooks = {
  head: () => null,  // below the study's name
  detail: () => null,  // in an opened unit
  log: () => null,  // all of its log
  tools: () => null,  // beside the search
  opened: () => {},  // a unit was opened
  selected: null,  // names of chosen units
  selection: () => {},  // it changed
  settled: () => false,  // whether the last run's end is past
  again: "type the same snakemake command again",
};

// --- words and numbers -------------------------------------------------------

// Tone, mark and meaning of each state, in order; those outside are not for the study to process.
let STATES = {}, OUTSIDE = [];
const CLASSES = {
  app_error: "The app failed",
  out_of_memory: "Out of memory",
  timeout: "Out of time",
  node_failure: "Its node failed",
  cancelled: "Cancelled",
  input_unavailable: "Its input could not be fetched",
  store_unavailable: "The output store was out of reach",
  no_space: "Disk full",
  incomplete: "Not complete",
  waits: "Waits for another study",
  bad_config: "Something in the config or its surroundings is wrong",
};
const stateOf = name => STATES[name] || {tone: "neutral", mark: "■", meaning: name};
const count = n => n.toLocaleString("en");
const plural = (n, word) => `${count(n)} ${word}${n === 1 ? "" : "s"}`;
const className = (name, code) => (CLASSES[name] || name) + (code === undefined || code === null ? "" : `, exit code ${code}`);
const digits = (value, n) => value.toLocaleString("en", {maximumFractionDigits: n});

function timeText(seconds) {
  if (seconds < 100) return digits(seconds, seconds < 10 ? 1 : 0) + " s";
  if (seconds < 6000) return digits(seconds / 60, 0) + " min";
  if (seconds < 172800) return digits(seconds / 3600, 1) + " h";
  return digits(seconds / 86400, 1) + " days";
}
function memoryText(mb) {
  return mb < 1000 ? digits(mb, 0) + " MB" : digits(mb / 1024, mb < 10240 ? 1 : 0) + " GB";
}
function moment(iso) {
  const options = {day: "numeric", month: "long", year: "numeric", hour: "2-digit", minute: "2-digit", timeZone: "UTC"};
  return new Date(iso).toLocaleString("en-GB", options) + " UTC";
}
const quoted = text => /^[\w@%+=:,.\/-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;

// --- building blocks -----------------------------------------------------------

// An element; text is only ever set as text, whatever it holds.
function h(name, properties, ...children) {
  const [tag, ...classes] = name.split(".");
  const element = document.createElement(tag);
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(properties || {})) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    // A policy may forbid the attribute, and not this.
    else if (key === "style") element.style.cssText = value;
    else if (value !== undefined && value !== null) element.setAttribute(key, value);
  }
  element.append(...children.flat().filter(child => child !== null && child !== undefined && child !== ""));
  return element;
}
function svg(tag, attributes, text) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
}
function badge(state) {
  const {tone, mark} = stateOf(state);
  return h(`span.state.${tone}`, {"data-mark": mark}, state);
}
function command(text) {
  const code = h("code", {}, text);
  const button = h("button.plain.copy", {type: "button", "aria-label": `Copy: ${text}`, onclick: () => copy(text, code, button)}, "Copy");
  return h("div.cmd", {}, code, button);
}
async function copy(text, code, button) {
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(code);
    button.textContent = "Selected";
  }
  setTimeout(() => { button.textContent = "Copy"; }, 1600);
}
// The parts of the page, in order; each is drawn into a place of its own.
const sections = [];
function part(id) {
  let place = document.getElementById(`part-${id}`);
  if (!place) document.getElementById("main").append(place = h("section", {id: `part-${id}`, "aria-labelledby": id, hidden: ""}));
  return place;
}
function section(id, title, intro, ...content) {
  fill(part(id), h("h2", {id, tabindex: "-1"}, title), intro ? h("p.intro", {}, intro) : null, ...content);
  part(id).hidden = false;
  if (!sections.some(([known]) => known === id)) sections.push([id, title]);
}
function noSection(id) {
  part(id).replaceChildren();
  part(id).hidden = true;
  const at = sections.findIndex(([known]) => known === id);
  if (at >= 0) sections.splice(at, 1);
}
// New content; what had the focus keeps it, where it is still there.
function fill(place, ...content) {
  const focused = place.contains(document.activeElement) && document.activeElement.id;
  place.replaceChildren(...content.flat().filter(child => child !== null && child !== undefined));
  if (focused && document.getElementById(focused)) document.getElementById(focused).focus({preventScroll: true});
}

// --- head: the study and how far it is ----------------------------------------

function drawHead() {
  const counted = Object.entries(data.counts).filter(([state]) => !OUTSIDE.includes(state));
  const all = counted.reduce((sum, [, n]) => sum + n, 0), merged = data.counts.merged || 0;
  fill(document.getElementById("head"),
    data.made ? h("p.eyebrow", {}, `Study report, made ${moment(data.made)}`) : null,
    h("h1", {}, data.study),
    h("p.muted", {}, h("b", {}, data.app), " on ", h("code", {}, data.input)),
    hooks.head(),
    drawOutcome(all, merged),
    drawCompleteness(),
    h("p.verdict", {}, h("strong", {}, all ? `${count(merged)} of ${count(all)}` : "No units"), h("span", {}, all ? `unit${all === 1 ? "" : "s"} in main, the output dataset` : "yet")),
    drawBar(),
    h("ul.legend", {id: "legend"}),
    h("nav", {id: "nav", "aria-label": "Sections"}),
  );
  drawLegend();
}
function drawNav() {
  fill(document.getElementById("nav"), sections.map(([id, title]) => h("a", {href: `#${id}`, id: `to-${id}`}, title)));
}
function drawOutcome(all, merged) {
  if (!data.run || data.run.outcome !== "failed" || hooks.settled(all, merged)) return null;
  const failed = data.counts.failed || 0;
  const units = failed ? `${plural(failed, "unit")} failed; ` : merged < all ? `${plural(all - merged, "unit")} not in main; ` : "";
  return h("div.banner", {role: "status"},
    h("p", {}, h("b", {}, `The last run ended with an error, ${moment(data.run.ended)}.`)),
    h("p", {}, `${units}what was finished is safe. Mend the causes below, then ${hooks.again}; nothing finished is computed again.`),
    data.run.log ? h("p.muted", {}, "Snakemake's own log: ", h("code", {}, data.run.log)) : null);
}
// Where nothing says what a complete result holds, "merged" means less than it seems.
function drawCompleteness() {
  const {defined, suggested} = data.completeness || {defined: true};
  if (defined) return null;
  return h("p.muted", {id: "completeness"}, "Completeness is not defined (", h("code", {}, "container.expects"), "): a result counts as complete if the app ended well, wrote a file, and left no crash file. ",
    suggested ? ["The built-in set ", h("code", {}, suggested), " fits this app: ", h("code", {}, `expects: ${suggested}`)] : null);
}
function stateList() {
  const known = Object.keys(STATES);
  const rank = state => known.includes(state) ? known.indexOf(state) : known.length;
  return Object.keys(data.counts).sort((a, b) => rank(a) - rank(b) || a.localeCompare(b));
}
function drawBar() {
  const parts = stateList().filter(state => !OUTSIDE.includes(state));
  const words = parts.map(state => `${count(data.counts[state])} ${state}`).join(", ");
  return h("div.bar", {role: "img", "aria-label": words || "no units yet"},
    parts.map(state => h(`i.fill.${stateOf(state).tone}`, {style: `flex:${data.counts[state]} 0 0`, title: `${count(data.counts[state])} ${state}`})));
}
function drawLegend() {
  fill(document.getElementById("legend"), stateList().map(state => h("li", {},
    h("button.chip", {type: "button", id: `chip-${state}`, "aria-pressed": String(view.state === state), title: `Show only ${state} units: ${stateOf(state).meaning}`,
      onclick: () => { choose({state: view.state === state ? "" : state, cause: null, crash: null}); goTo("units"); }},
    h(`span.dot.fill.${stateOf(state).tone}`), h("b", {}, count(data.counts[state])), state))));
}
function goTo(id) {
  const heading = document.getElementById(id);
  heading.scrollIntoView();
  heading.focus({preventScroll: true});
}

// --- causes --------------------------------------------------------------------

function drawCauses(title, id, intro, causes) {
  if (!causes.length) return noSection(id);
  const items = causes.map((cause, n) => {
    const {tone} = stateOf(cause.state), heading = cause.failure_class ? className(cause.failure_class, cause.exit_code) : cause.reason;
    return h("li", {},
      h(`div.count.${tone}`, {}, h("b", {}, count(cause.units)), h("span", {}, cause.state)),
      h("div", {}, h("h3", {}, heading),
        cause.failure_class ? h("p", {}, cause.reason) : null,
        cause.last_line ? h("code.said", {}, cause.last_line) : null,
        cause.next ? h("p.todo", {}, cause.next) : null),
      h("button.plain", {type: "button", id: `show-${id}-${n}`, onclick: () => { choose({cause: data.causes.indexOf(cause), crash: null, state: ""}); goTo("units"); }},
        cause.units === 1 ? "Show the unit" : `Show all ${count(cause.units)}`));
  });
  section(id, title, intro, h("ul.causes", {}, items));
}

// What crash files say, of failed attempts and of results that are not complete.
function drawCrashes() {
  if (!(data.crashes || []).length) return noSection("crashes");
  const items = data.crashes.map((crash, n) => h("li", {},
    h("div.count.bad", {}, h("b", {}, count(crash.units.length)), h("span", {}, crash.units.length === 1 ? "unit" : "units")),
    h("div", {}, h("code.said", {}, crash.last_line),
      h("p.muted", {}, crash.nodes.length ? `In ${crash.nodes.slice(0, 6).join(", ")}${crash.nodes.length > 6 ? ` and ${crash.nodes.length - 6} more` : ""}. ` : "", `${plural(crash.files, "crash file")}.`)),
    h("button.plain", {type: "button", id: `show-crash-${n}`, onclick: () => { choose({crash, cause: null, state: ""}); goTo("units"); }},
      crash.units.length === 1 ? "Show the unit" : `Show all ${count(crash.units.length)}`)));
  section("crashes", "What crashed", "Crash files that end alike stand together, with the nodes of the app's workflow that crashed.", h("ul.causes", {}, items));
}

// --- the table of units ----------------------------------------------------------

const collator = new Intl.Collator("en", {numeric: true});
const detail = i => data.details[i] || {};
const COLUMNS = [
  {key: "unit", label: "Unit"},
  {key: "state", label: "State"},
  {key: "attempts", label: "Attempts", number: true, extra: true},
  {key: "seconds", label: "Time", number: true},
  {key: "memory_mb", label: "Memory", number: true, extra: true},
  {key: "why", label: "Why"},
];
const view = {text: "", state: "", cause: null, crash: null, key: "unit", down: false, page: 0, found: [], open: new Set()};
let texts = null;

function whyText(i) {
  const told = detail(i);
  // An app's last line says more than that it failed.
  const said = told.failure_class === "app_error" && (told.log || []).findLast(line => line.trim());
  return [told.failure_class && className(told.failure_class, told.exit_code), said || told.reason].filter(Boolean).join(": ");
}
function searchText(i) {
  texts = texts || units.unit.map((name, n) => `${name} ${units.state[n]} ${whyText(n)} ${units.commit[n]}`.toLowerCase());
  return texts[i];
}
function valueOf(key, i) {
  return key === "why" ? whyText(i) : units[key][i];
}
function find() {
  const words = view.text.toLowerCase().split(/\s+/).filter(Boolean), found = [];
  const crashed = view.crash && new Set(view.crash.units);
  for (let i = 0; i < total; i++) {
    if (view.state && units.state[i] !== view.state) continue;
    if (view.cause !== null && units.cause[i] !== view.cause) continue;
    if (crashed && !crashed.has(i)) continue;
    if (words.length && !words.every(word => searchText(i).includes(word))) continue;
    found.push(i);
  }
  return found;
}
function sorted(found) {
  const {key, down} = view, sign = down ? -1 : 1;
  if (key === "unit" && !down) return found;
  const missing = value => value === null || value === undefined || value === "" || (key === "attempts" && value === 0);
  const values = new Map(found.map(i => [i, valueOf(key, i)]));
  const compare = COLUMNS.find(column => column.key === key).number ? (a, b) => a - b : collator.compare;
  // What is not known comes last, whichever way is sorted.
  const known = found.filter(i => !missing(values.get(i))), rest = found.filter(i => missing(values.get(i)));
  known.sort((i, j) => sign * compare(values.get(i), values.get(j)) || i - j);
  return known.concat(rest);
}
function choose(changes) {
  Object.assign(view, changes, {page: 0});
  view.found = sorted(find());
  document.getElementById("state").value = view.state;
  drawLegend();
  drawOnly();
  drawRows();
}
// Rows after a change of the data: the choice and the page stay.
function refreshRows() {
  texts = null;
  view.found = sorted(find());
  drawOnly();
  drawRows();
}
function drawOnly() {
  const place = document.getElementById("only"), cause = data.causes[view.cause];
  const words = cause ? (cause.failure_class ? className(cause.failure_class, cause.exit_code) : cause.reason) : view.crash && view.crash.last_line;
  place.hidden = !words;
  if (words) place.replaceChildren(`Only: ${words}`,
    h("button.plain", {type: "button", id: "show-all", onclick: () => choose({cause: null, crash: null})}, "Show all"));
}
function meter(used, asked, format) {
  if (!used || !asked) return null;
  const words = `${digits(100 * used / asked, 0)} % of the ${format(asked)} asked for`;
  return h("span.meter", {title: words, role: "img", "aria-label": words}, h("i", {style: `width:${Math.min(100, 100 * used / asked)}%`}));
}
function row(i) {
  const name = units.unit[i], isOpen = view.open.has(name), id = `unit-${i}`;
  const button = h("button.open", {type: "button", id: `open-${i}`, "aria-expanded": String(isOpen), "aria-controls": isOpen ? id : null,
    onclick: () => { if (isOpen) view.open.delete(name); else { view.open.add(name); hooks.opened(name); } drawRows(); document.getElementById(`open-${i}`).focus(); }}, name);
  const seconds = units.seconds[i], memory = units.memory_mb[i], minutes = units.minutes[i], asked = units.mem_mb[i];
  const cells = h("tr", {},
    hooks.selected && h("td.tick", {}, OUTSIDE.includes(units.state[i]) ? null : tick(`tick-${i}`, `Choose ${name}`, hooks.selected.has(name), on => {
      on ? hooks.selected.add(name) : hooks.selected.delete(name);
      hooks.selection();
    })),
    h("td", {}, button),
    h("td", {}, badge(units.state[i])),
    h("td.num.extra", {}, units.attempts[i] ? count(units.attempts[i]) : ""),
    h("td.num", {}, seconds === null ? "" : timeText(seconds), meter(seconds, 60 * minutes, timeText)),
    h("td.num.extra", {}, memory === null ? "" : memoryText(memory), meter(memory, asked, memoryText)),
    h("td.why", {}, whyText(i)));
  if (!isOpen) return [cells];
  const more = h("tr.more", {id}, h("td", {colspan: COLUMNS.length + (hooks.selected ? 1 : 0)}, drawDetail(i)));
  return [cells, more];
}
function tick(id, label, on, change) {
  const box = h("input", {type: "checkbox", id, "aria-label": label, onchange: () => change(box.checked)});
  box.checked = on;
  return box;
}
// What a row shows: it is drawn again only if this is another text.
const signature = i => JSON.stringify([units.unit[i], units.state[i], units.attempts[i], units.seconds[i], units.memory_mb[i], units.commit[i], data.details[i],
  view.open.has(units.unit[i]), hooks.selected && hooks.selected.has(units.unit[i])]);
let drawn = [];
function drawRows(size = PAGE) {
  const {found} = view, pages = Math.max(1, Math.ceil(found.length / size));
  view.page = Math.min(view.page, pages - 1);
  const first = view.page * size, shown = found.slice(first, first + size), body = document.getElementById("rows");
  const same = drawn.length === shown.length && drawn.every((old, n) => old.i === shown[n]);
  const next = shown.map((i, n) => {
    const told = signature(i);
    return same && drawn[n].told === told ? drawn[n] : {i, told, elements: row(i), fresh: true};
  });
  const focused = body.contains(document.activeElement) && document.activeElement.id;
  if (same) {
    next.forEach((now, n) => { if (now !== drawn[n]) { drawn[n].elements[0].before(...now.elements); drawn[n].elements.forEach(element => element.remove()); } });
  } else body.replaceChildren(...next.flatMap(now => now.elements));
  if (focused && document.activeElement === document.body && document.getElementById(focused)) document.getElementById(focused).focus({preventScroll: true});
  // Last words come last.
  for (const now of next) if (now.fresh) for (const element of now.elements) for (const log of element.querySelectorAll("pre")) log.scrollTop = log.scrollHeight;
  drawn = next.map(({i, told, elements}) => ({i, told, elements}));
  document.getElementById("nothing").hidden = found.length > 0;
  document.getElementById("nothing").textContent = total ? "No unit is like that." : "No units are listed yet.";
  document.getElementById("found").textContent = found.length === total ? plural(total, "unit") : `${count(found.length)} of ${plural(total, "unit")}`;
  for (const cell of document.querySelectorAll("#table th[data-key]"))
    cell.setAttribute("aria-sort", cell.dataset.key !== view.key ? "none" : view.down ? "descending" : "ascending");
  const button = (label, page, off) => h("button.plain", {type: "button", id: `page-${label}`, disabled: off ? "" : null, "aria-label": `${label} page`,
    onclick: () => { view.page = page; drawRows(); }}, label);
  const place = document.getElementById("pager");
  place.hidden = pages === 1;
  fill(place, button("First", 0, !view.page), button("Previous", view.page - 1, !view.page),
    h("span", {}, `${count(first + 1)} to ${count(first + shown.length)} of ${count(found.length)}`),
    button("Next", view.page + 1, view.page === pages - 1), button("Last", pages - 1, view.page === pages - 1));
}
function list(title, texts) {
  return [h("p.title", {}, title), h("ul.notes", {}, texts.map(text => h("li", {}, text)))];
}
// Files beside this page; only their addresses are made from their names.
function fileLinks(title, links) {
  return [h("p.title", {}, title), h("ul.notes", {}, links.map(({href, name}) => h("li", {}, h("a.own", {href, target: "_blank", rel: "noopener"}, name))))];
}
function drawDetail(i) {
  const told = detail(i), name = units.unit[i], parts = [hooks.detail(i, told)].filter(Boolean);
  if (told.reason) parts.push(h("p", {}, h("b", {}, told.failure_class ? className(told.failure_class, told.exit_code) + ". " : ""), told.reason));
  if (told.next) parts.push(h("p.todo", {}, told.next));
  if ((told.reasons || []).length > 1) parts.push(...list("Not complete, since", told.reasons));
  if (told.pages) parts.push(...fileLinks("Its own report", told.pages));
  if (told.evidence) parts.push(...fileLinks("What failed attempts left", told.evidence));
  if (told.left_out) parts.push(...list("Not saved", told.left_out));
  if (told.notes) parts.push(...list("Changed to be saved", told.notes));
  const log = hooks.log(i);
  if (log) parts.push(...log);
  else if (told.log) parts.push(h("h3", {}, "Last lines of its log"), h("pre", {tabindex: "0", "aria-label": `Last lines of the log of ${name}`}, told.log.join("\n")));
  else if (units.state[i] === "failed" && !hooks.selected) parts.push(h("p.muted", {}, `Its last lines stand in attempts/${name}.json, beside this page.`));
  if (told.history) parts.push(drawHistory(told.history));
  if (units.commit[i]) parts.push(h("h3", {}, "Its commit"), command(`git -C ${quoted(data.store)} show --stat ${units.commit[i]}`));
  if (units.state[i] === "merged") {
    parts.push(h("p.muted", {}, "In a clone of the output dataset ", h("a", {href: "#clone"}, "(how to get one)"), ":"));
    parts.push(h("h3", {}, "Compute it again"), command(`datalad rerun ${units.commit[i]}`));
    const pages = (data.pages || [])[i] || [];
    if (pages.length) parts.push(h("h3", {}, "Get and open its own report"), command(openCommand(name, pages)));
  }
  if (!hooks.selected && !OUTSIDE.includes(units.state[i]) && (units.commit[i] || told.history)) parts.push(h("p.muted", {}, "Beside this page: ",
    h("a", {href: `logs/${name}.log`}, "its log"), ", ",
    units.commit[i] ? h("a", {href: `jobs/${name}.json`}, "its record") : h("a", {href: `attempts/${name}.json`}, "its attempts")));
  if (!parts.length) parts.push(h("p.muted", {}, "Nothing is known of it yet."));
  return h("div", {}, parts);
}
function openCommand(name, pages) {
  const folder = data.output_folder, [subject, session] = name.split("_");
  const files = pages.slice(0, 3).map(page => quoted(`${folder}/${page}`));
  const beside = `${folder}/${pages[0].includes("/") ? `${session}/` : ""}${subject}`;
  const figures = {subject: `${beside}/figures`, session: `${beside}/${session}/figures`}[data.figures];
  return `datalad get ${[...files, ...(figures ? [quoted(figures)] : [])].join(" ")} && xdg-open ${files[0]}`;
}
function drawHistory(history) {
  const lines = history.map((attempt, n) => h("tr", {},
    h("td.num", {}, attempt.attempt || n + 1),
    h("td", {}, attempt.end ? moment(attempt.end) : ""),
    h("td", {}, className(attempt.failure_class, attempt.exit_code)),
    h("td.num", {}, attempt.requested && attempt.requested.mem_mb ? memoryText(attempt.requested.mem_mb) : ""),
    h("td.num", {}, attempt.requested && attempt.requested.runtime ? timeText(60 * attempt.requested.runtime) : ""),
    h("td", {}, [attempt.scheduler_job_id && `job ${attempt.scheduler_job_id}`, attempt.host].filter(Boolean).join(" on "))));
  const titles = ["", "Ended", "Why", "Memory asked", "Time asked", "Where"];
  return h("div.scroller", {}, h("h3", {}, "Attempts that failed"), h("table.small", {},
    h("thead", {}, h("tr", {}, titles.map(title => h("th", {scope: "col"}, title)))), h("tbody", {}, lines)), h("p", {}));
}
function stateOptions() {
  return [h("option", {value: ""}, "All states"), ...stateList().map(state => h("option", {value: state}, `${state} (${count(data.counts[state])})`))];
}
function drawUnits() {
  const states = h("select", {id: "state", "aria-label": "State", onchange: event => choose({state: event.target.value})},
    stateOptions());
  const heads = (hooks.selected ? [h("th.tick", {scope: "col"}, tick("tick-all", "Choose all units that are found", false, on => {
    for (const i of view.found) if (!OUTSIDE.includes(units.state[i])) on ? hooks.selected.add(units.unit[i]) : hooks.selected.delete(units.unit[i]);
    hooks.selection();
  }))] : []).concat(COLUMNS.map(column => h(`th${column.number ? ".num" : ""}${column.extra ? ".extra" : ""}`, {scope: "col", "data-key": column.key},
    h("button.sort", {type: "button", id: `sort-${column.key}`, onclick: () => choose({key: column.key, down: view.key === column.key ? !view.down : Boolean(column.number)})}, column.label))));
  section("units", "Units", "Open a unit for its log, its commit and what to type. Bars show the share of what was asked for.",
    h("div.tools", {},
      h("input", {id: "search", type: "search", placeholder: "Search: sub-01, exit code 1 …", "aria-label": "Search units", oninput: event => choose({text: event.target.value})}),
      states, h("span.only", {id: "only", hidden: ""}), h("output", {id: "found", "aria-live": "polite"})),
    hooks.tools(),
    h("div.scroller", {}, h("table", {id: "table"}, h("thead", {}, h("tr", {}, heads)), h("tbody", {id: "rows"}))),
    h("p.nothing", {id: "nothing", hidden: ""}, "No unit is like that."),
    h("div.pager", {id: "pager"}));
}
addEventListener("beforeprint", () => { view.page = 0; drawRows(PRINTED); });
addEventListener("afterprint", () => drawRows());

// --- time and memory ---------------------------------------------------------------

const STEPS = {
  time: [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 432000],
  memory: [16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072, 262144],
  cpus: [0.25, 0.5, 1, 2, 4, 8, 16, 32, 64],
};
// How many units took how much, or few units each as a dot; `marks` are what
// was asked for and what is proposed.
function distribution({title, property, words, steps, marks}) {
  const known = units[property].map((value, i) => [value, units.unit[i]]).filter(([value, unit]) => value !== null && unit !== "group");
  if (!known.length) return null;
  known.sort(([a], [b]) => a - b);
  const values = known.map(([value]) => value), [largest, holder] = known[known.length - 1], median = values[(known.length - 1) >> 1];
  // What was asked for may lie far outside; the axis ends where the units do.
  const end = 1.06 * Math.max(largest, ...marks.map(mark => mark.value).filter(value => value <= 3 * largest));
  const width = 360, bottom = 112, x = value => width * value / end;
  const summary = `${plural(known.length, "unit")}; half of them up to ${words(median)}, the largest ${words(largest)}`;
  const plot = svg("svg", {viewBox: `0 -14 ${width} 148`, role: "img", "aria-label": `${title}: ${summary}`});
  const line = (from, to, top, foot, colour, more) => plot.append(svg("line", {x1: from, x2: to, y1: top, y2: foot, stroke: colour, ...more}));
  for (const mark of marks) if (mark.value <= end)
    line(x(mark.value), x(mark.value), 0, bottom, mark.colour, {"stroke-width": 2, ...(mark.dashed ? {"stroke-dasharray": "4 3"} : {})});
  line(0, width, bottom, bottom, "var(--strong)");
  const shape = (tag, attributes, text) => { const made = svg(tag, {...attributes, fill: "var(--info-fill)"}); made.append(svg("title", {}, text)); plot.append(made); };
  if (known.length <= 20) {
    for (const [value, unit] of known)
      shape("circle", {cx: x(value), cy: bottom / 2, r: 7, "fill-opacity": .75, stroke: "var(--page)"}, `${unit}: ${words(value)}`);
  } else {
    const bins = Math.min(36, Math.max(12, Math.ceil(2 * Math.sqrt(known.length)))), counts = new Array(bins).fill(0);
    for (const value of values) counts[Math.min(bins - 1, Math.floor(bins * value / end))]++;
    const most = Math.max(...counts);
    counts.forEach((n, bin) => {
      const tall = n && Math.max(2, bottom * n / most);
      if (n) shape("rect", {x: bin * width / bins + .75, y: bottom - tall, width: width / bins - 1.5, height: tall, rx: 1.5}, `${plural(n, "unit")}: ${words(end * bin / bins)} to ${words(end * (bin + 1) / bins)}`);
    });
    line(0, width, 0, 0, "var(--line)");
    plot.append(svg("text", {x: 0, y: -4}, plural(most, "unit")));
  }
  const step = steps.find(size => end / size <= 5) || end;
  for (let at = 0; at <= end; at += step) {
    plot.append(svg("text", {x: x(at), y: bottom + 16, "text-anchor": !at ? "start" : x(at) > width - 20 ? "end" : "middle"}, at ? words(at) : "0"));
    if (at) line(x(at), x(at), bottom, bottom + 3, "var(--strong)");
  }
  const key = marks.map(mark => h("span", {}, h(`i${mark.dashed ? ".asked" : ""}`, {style: `color:${mark.colour}`}), `${mark.label} `, h("b", {}, words(mark.value)),
    mark.value > end ? ", off the scale" : ""));
  return h("div", {}, h("h3", {}, title), plot,
    h("p.key", {}, h("span", {}, "half up to ", h("b", {}, words(median))), h("span", {}, "largest ", h("b", {}, words(largest)), ` (${holder})`), key));
}
function marksFor(asked, proposed, factor = 1) {
  const values = [...new Set(asked.filter(Boolean))].sort((a, b) => a - b), marks = [];
  if (values.length) marks.push({label: values.length > 1 ? "asked for, at most" : "asked for", value: factor * values[values.length - 1], dashed: true, colour: "var(--text)"});
  if (proposed) marks.push({label: "proposed", value: factor * proposed.value, colour: "var(--good-fill)"});
  return marks;
}
function drawResources() {
  const sizing = data.sizing;
  if (!sizing) return noSection("resources");
  const plots = [
    distribution({title: "Memory", property: "memory_mb", words: memoryText, steps: STEPS.memory, marks: marksFor(units.mem_mb, sizing.memory)}),
    distribution({title: "Time", property: "seconds", words: timeText, steps: STEPS.time, marks: marksFor(units.minutes, sizing.minutes, 60)}),
    distribution({title: "CPUs kept busy by the app", property: "busy_cpus", words: value => digits(value, 2), steps: STEPS.cpus, marks: marksFor(units.cpus, sizing.cpus)}),
  ].filter(Boolean);
  section("resources", "Time and memory", `Asked for against used, of ${plural(sizing.sample, "unit")} that ${sizing.sample === 1 ? "was" : "were"} computed.`,
    h("div.plots", {}, plots), drawParts());
}
function drawParts() {
  const seen = units.run_seconds.map((value, i) => value === null ? -1 : i).filter(i => i >= 0);
  const parts = [
    ["The app", "info", i => units.run_seconds[i]],
    ["Fetching its input", "good", i => units.fetch_seconds[i]],
    ["Waiting for the lock", "neutral", i => units.lock_seconds[i]],
    ["Pushing, with its waits", "warn", i => units.push_seconds[i]],
    ["All else: look, clone, clean up", "idle", i => units.seconds[i] - units.run_seconds[i] - units.fetch_seconds[i] - units.lock_seconds[i] - units.push_seconds[i]],
  ].map(([label, tone, value]) => {
    const values = seen.map(i => Math.max(0, value(i)));
    let longest = 0;
    values.forEach((seconds, n) => { if (seconds > values[longest]) longest = n; });
    const sum = values.reduce((a, b) => a + b, 0);
    return {label, tone, sum, median: [...values].sort((a, b) => a - b)[(values.length - 1) >> 1], longest: values[longest], unit: units.unit[seen[longest]]};
  });
  const all = parts.reduce((sum, part) => sum + part.sum, 0) || 1;
  const share = part => digits(100 * part.sum / all, 1) + " %";
  const body = parts.map(part => h("tr", {}, h("th", {scope: "row"}, h(`span.dot.fill.${part.tone}`, {style: "display:inline-block;margin-right:8px"}), part.label),
    h("td.num", {}, share(part)), h("td.num", {}, timeText(part.median)), h("td.num", {}, timeText(part.longest)), h("td", {}, part.longest > 0 ? part.unit : "")));
  return h("div", {style: "margin-top:36px"}, h("h3", {}, "Where the time went"), h("div.bar", {role: "img", style: "margin:10px 0 12px", "aria-label": parts.map(part => `${part.label} ${share(part)}`).join(", ")},
    parts.filter(part => part.sum > 0).map(part => h(`i.fill.${part.tone}`, {style: `flex:${part.sum} 0 0;min-width:1px`, title: `${part.label}: ${share(part)}`}))),
    h("div.scroller", {}, h("table.small", {}, h("thead", {}, h("tr", {}, ["", "Share", "Median", "Longest", "in"].map((title, n) => h(n && n < 4 ? "th.num" : "th", {scope: "col"}, title)))), h("tbody", {}, body))));
}

// --- sizing --------------------------------------------------------------------------

function drawSizing() {
  const sizing = data.sizing;
  if (!sizing) return noSection("sizing");
  const words = sizing.words, left = sizing.left.units;
  const table = (titles, rows) => h("div.scroller", {}, h("table.small", {},
    h("thead", {}, h("tr", {}, titles.map((title, n) => h(n ? "th.num" : "th", {scope: "col"}, title)))),
    h("tbody", {}, rows.map(cells => h("tr", {}, cells.map((cell, n) => h(n ? "td.num" : "th", n ? {} : {scope: "row"}, cell)))))));
  const range = ([value, limits]) => [value, limits ? h("span.range", {}, limits) : ""];
  const proposals = words.proposals.map(row => [h("code", {}, `hpc.${row.key}`), row.asked, row.seen, row.margin,
    [h("b", {}, row.value), row.usual && h("span.range", {}, `${row.usual} for 95 %`)]]);
  const yaml = words.proposals.map(row => `  ${row.key}: ${row.value.includes(":") ? `"${row.value}"` : row.value}`);
  section("sizing", "Sizing", `What the ${plural(sizing.sample, "unit")} computed so far say${sizing.sample === 1 ? "s" : ""} of the others.`,
    h("div.two", {},
      h("div", {}, h("h3", {}, "Ask for"), table(["", "asked", "largest seen", "margin", "proposed"], proposals), h("p", {style: "margin-top:12px"}, "In the study's config:"), command(["hpc:", ...yaml].join("\n"))),
      h("div", {}, h("h3", {}, "Expect"), table(["", `all ${plural(sizing.whole.units, "unit")}`].concat(left ? `${count(left)} left` : []),
        words.estimates.map(row => [row.what, range(row.whole)].concat(left ? [range(row.left)] : []))))),
    h("ul.notes", {}, words.limits.map(text => h("li", {}, text))),
    h("details", {style: "margin-top:12px"}, h("summary", {}, "How these numbers were made"), h("ul.notes", {}, words.method.map(text => h("li", {}, text)))));
}

// --- what was computed again ------------------------------------------------------------

function drawProof() {
  const proof = data.proof;
  if (!proof) return noSection("proof");
  const verdict = proof.identical ? "All came out the same." : "Not all came out the same; proof.json beside this page names every file.";
  section("proof", "Computed again", `${plural(proof.lines.length, "merged unit")}, drawn at random (seed ${proof.seed}), by ${proof.lines.length === 1 ? "its run record" : "their run records"} in fresh clones, ${moment(proof.start)}. ${verdict}`,
    h("ul.notes", {}, proof.lines.map(text => h("li", {}, text))));
}

// --- whether it is BIDS -----------------------------------------------------------------

function drawBids() {
  const bids = data.bids;
  if (!bids) return noSection("bids");
  const verdict = bids.valid ? "It found no errors." : "";
  section("bids", "BIDS", `${bids.validator} looked at the merged results: ${bids.sample}. ${verdict}`,
    h("ul.notes", {}, bids.lines.map(text => h("li", {}, text))));
}

// --- what ran -------------------------------------------------------------------------

function drawProvenance() {
  const fact = (label, ...value) => [h("dt", {}, label), h("dd", {}, ...value.flat())], code = text => text ? h("code", {}, text) : h("span.muted", {}, "not yet");
  const versions = Object.entries(data.versions).map(([name, version]) => `${name} ${version}`).join(", ");
  const folder = `${data.study}-results`;
  section("what", "What ran", "",
    h("dl.facts", {},
      fact("Input dataset", code(data.input)), fact("Input commit", code(data.input_commit)),
      fact("Container image", code(data.image)), fact("Image key", code(data.container_key)),
      fact("Runtime", data.runtime ? (data.runtime === "none" ? "none: the image runs without isolation" : data.runtime) : "not yet"),
      data.completeness ? fact("A complete result", data.completeness.defined
        ? ["has the files of ", h("code", {}, data.completeness.name || "container.expects"), data.completeness.on_incomplete ? `; others: ${data.completeness.on_incomplete}` : ""] : "is not defined: see above") : [],
      data.call_format ? fact("Called as", code(data.call_format)) : [],
      fact("Command line", code(data.command), data.command ? h("div.muted", {}, "{cmd} of the first unit; each unit's own stands in its commit.") : ""),
      fact("Output dataset", code(data.output)), fact("Merged as", code(data.main)),
      fact("Programs", versions, h("div.muted", {}, "Where this report was made; a node's may be others.")),
      fact("Study folder", code(data.results))),
    h("h3", {id: "clone", style: "margin-top:24px"}, "Get the output dataset"),
    h("p.muted", {}, "The store is a bare repository: files are seen in a clone of it. Content comes with datalad get."),
    command(`datalad clone ${quoted(data.output.startsWith("ria") ? data.output : data.store)} ${quoted(folder)} && cd ${quoted(folder)}`));
}

// --- the page ---------------------------------------------------------------------------

// The order of the page, and what each part is drawn from.
const PARTS = ["work", "causes", "crashes", "units", "resources", "sizing", "excluded", "proof", "bids", "what"];
function take(told) {
  data = told;
  units = data.units;
  total = units.unit.length;
  STATES = data.states;
  OUTSIDE = Object.keys(STATES).filter(state => STATES[state].outside);
  texts = null;
}
function drawFindings() {
  const outside = data.causes.filter(cause => OUTSIDE.includes(cause.state));
  drawCauses("What went wrong", "causes", "Units that failed alike stand together. Words are those of the first.", data.causes.filter(cause => !outside.includes(cause)));
  drawCauses("Left out", "excluded", "Not processed, or no longer in the input.", outside);
  drawCrashes();
}
function drawReport(told) {
  take(told);
  PARTS.forEach(part);
  drawHead();
  drawUnits();
  drawFindings();
  drawResources();
  drawSizing();
  drawProof();
  drawBids();
  drawProvenance();
  sections.sort(([a], [b]) => PARTS.indexOf(a) - PARTS.indexOf(b));
  drawNav();
  choose({});
}
