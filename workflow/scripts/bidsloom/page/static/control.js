// What can be done with a study: actions, the command that runs, its output.
"use strict";

const ACTIONS = {
  start: {label: "Start", doing: "Running the study", meaning: "Process all units that are due, merge and report"},
  dry_run: {label: "Dry run", doing: "Looking what is due", meaning: "Which units, which jobs; changes nothing"},
  check: {label: "Check", doing: "Checking", meaning: "Is all there, and does it work?"},
  merge: {label: "Merge", doing: "Merging", meaning: "Merge what is finished while the rest waits"},
  report: {label: "Report", doing: "Reporting", meaning: "Write report.html, report.tsv and report.json"},
  job_scripts: {label: "Write job scripts", doing: "Writing job scripts", meaning: "A script for every unit, to submit by hand"},
  prove: {label: "Prove", doing: "Computing merged units again", meaning: "Compute some merged units again and compare"},
  export: {label: "Export", doing: "Exporting", meaning: "Lay merged results out as plain files, as the config's section export says"},
  unlock: {label: "Unlock", doing: "Unlocking", meaning: "Let a run start after one that was killed"},
  retry: {label: "Retry", doing: "Trying units again", meaning: "Process these units again"},
  accept: {label: "Accept", doing: "Accepting results", meaning: "Merge results that are not complete as they are"},
};
const doing = run => (ACTIONS[run.action] || {doing: run.action}).doing;

const control = {
  study: "",
  run: null,  // the command that runs
  shown: null,  // the one whose output is shown
  offset: 0,
  drawnFor: "",
};
const studyPath = path => `/studies/${encodeURIComponent(control.study)}${path}`;

function placeOfJobs() {
  const where = document.getElementById("place"), cores = document.getElementById("cores");
  return {where: where.value, cores: Math.max(1, Number(cores.value) || 1)};
}
async function act(action, units = []) {
  try {
    const run = await call(studyPath(`/actions/${action}`), {method: "POST", body: {...placeOfJobs(), units}});
    showRun(run);
    await refresh();
  } catch (error) { failed(error); }
}
async function stopRun() {
  const {run} = control;
  if (!run || !await askPerson("Stop the run?", "It ends as with Ctrl-C: jobs that it started are ended, and those on the cluster are cancelled. What is finished is safe; start again to go on.", "Stop it", true)) return;
  try {
    await call(studyPath(`/runs/${run.id}/stop`), {method: "POST"});
    toast("The run is asked to end.", "It cleans up first, which takes some seconds.");
  } catch (error) { failed(error); }
}
async function cancelUnits(names) {
  const some = names.length === 1 ? names[0] : `${count(names.length)} units`;
  if (!await askPerson(`Cancel ${some}?`, "Their jobs are ended, and no others. They are not tried again until the study is started again.", "Cancel the jobs", true)) return;
  try {
    let told = await call(studyPath("/actions/cancel"), {method: "POST", body: {units: names}});
    const shared = Object.keys(told.shared);
    if (shared.length && await askPerson("Cancel their neighbours, too?", `${shared.slice(0, 5).join(", ")}: the job also has ${Object.values(told.shared).flat().slice(0, 5).join(", ")}.`, "Cancel them, too", true))
      told = await call(studyPath("/actions/cancel"), {method: "POST", body: {units: shared, with_neighbours: true}});
    if (told.cancelled.length) toast(`Cancelled: ${told.cancelled.slice(0, 8).join(", ")}${told.cancelled.length > 8 ? " …" : ""}`);
    else toast("Nothing was cancelled.", told.absent.length ? "No job is at these units." : "");
    forget();
    await refresh();
  } catch (error) { failed(error); }
}
async function retryUnits(names) {
  forget();
  await act("retry", names);
}
async function acceptUnits(names) {
  if (!await askPerson(`Accept ${names.length === 1 ? names[0] : `${count(names.length)} results`}?`, "The results are merged as they are, although they are not complete. Nothing is computed.", "Accept and merge")) return;
  forget();
  await act("accept", names);
}
function forget() {
  hooks.selected.clear();
  document.getElementById("tick-all") && (document.getElementById("tick-all").checked = false);
  drawChosen();
  if (data) drawRows();
}

// --- the strip with the buttons --------------------------------------------------

function buildControl() {
  const button = (action, kind) => h(`button.${kind}`, {type: "button", id: `do-${action}`, title: ACTIONS[action].meaning, onclick: () => { document.getElementById("more").open = false; act(action); }}, ACTIONS[action].label);
  const place = h("select", {id: "place", "aria-label": "Where jobs run", onchange: () => { remember("place", place.value); drawPlace(); }},
    h("option", {value: "here"}, "on this machine"), session.cluster ? h("option", {value: "cluster"}, "on the cluster") : null);
  place.value = recall("place") === "here" || !session.cluster ? "here" : "cluster";
  const cores = h("input", {id: "cores", type: "number", min: 1, max: 4096, value: recall("cores") || session.cores, "aria-label": "CPU cores", onchange: () => remember("cores", cores.value)});
  document.getElementById("control").replaceChildren(
    h("div.now", {}, h("span.pulse", {id: "pulse", "aria-hidden": "true"}), h("div", {}, h("b", {id: "doing"}, ""), h("div.muted", {id: "doing-more"}))),
    h("div.deeds", {id: "deeds", hidden: session.read_only ? "" : null},
      h("span.place", {}, place, h("span", {id: "with-cores"}, "with ", cores, " cores")),
      button("start", "main"),
      h("button.main.danger", {type: "button", id: "do-stop", hidden: "", onclick: stopRun}, "Stop"),
      button("dry_run", "plain"), button("check", "plain"), button("merge", "plain"), button("report", "plain"),
      h("details.menu", {id: "more"}, h("summary", {}, "More"), h("div.sheet", {}, button("job_scripts", "plain"), button("prove", "plain"), button("export", "plain"), button("unlock", "plain")))),
    h("details.console", {id: "console", hidden: ""},
      h("summary", {}, h("span", {id: "console-title"}), h("span", {id: "console-end"})),
      h("code.said", {id: "console-command"}),
      h("pre", {id: "output", tabindex: "0", "aria-label": "Output of the command", "aria-live": "off"})));
  drawPlace();
}
function drawPlace() {
  document.getElementById("with-cores").hidden = document.getElementById("place").value !== "here";
}
function remember(name, value) { try { localStorage.setItem(`bidsloom-${name}`, value); } catch { /* private mode */ } }
function recall(name) { try { return localStorage.getItem(`bidsloom-${name}`); } catch { return null; } }

function drawControl() {
  const {activity} = data, run = activity && activity.run;
  const before = control.run;
  control.run = run;
  if (run && (!control.shown || control.shown.id !== run.id)) showRun(run, false);
  if (before && !run) finished(before);
  document.getElementById("pulse").className = `pulse ${run ? "is-on" : ""}`;
  document.getElementById("doing").textContent = run ? doing(run) : activity && activity.locked ? "A run was killed, and left its lock" : "Nothing runs";
  document.getElementById("doing-more").textContent = run
    ? `for ${sinceNow(run.started)}, from ${run.source === "page" ? "this page" : "a terminal"}, by ${run.by} on ${run.host}`
    : activity && activity.locked ? "If no run is at work on another machine: More, Unlock; then start." : "";
  for (const action of Object.keys(ACTIONS)) {
    const button = document.getElementById(`do-${action}`);
    if (button) button.disabled = Boolean(run) || (data.faults || []).length > 0;
  }
  document.getElementById("do-start").hidden = Boolean(run);
  document.getElementById("do-stop").hidden = !run;
}
async function finished(run) {
  if (run.source !== "page") return toast(`${doing(run)}: it has ended.`);
  const told = await call(studyPath(`/runs/${run.id}`)).catch(() => null);
  if (!told) return;
  if (control.shown && control.shown.id === told.id) { control.shown = told; await follow(); drawEnd(told); }
  const label = (ACTIONS[told.action] || {label: told.action}).label;
  if (told.exit_code === 0) toast(`${label}: done.`);
  else toast(`${label} ended with ${told.exit_code === null ? "no word" : `exit code ${told.exit_code}`}.`, "Its output says why.", true);
}

// --- what a command prints ----------------------------------------------------------

function showRun(run, open = true) {
  const console = document.getElementById("console");
  Object.assign(control, {shown: run, offset: null});
  console.hidden = false;
  if (open) console.open = true;
  document.getElementById("output").textContent = "";
  document.getElementById("console-title").textContent = `Output: ${(ACTIONS[run.action] || {label: run.action}).label}${run.units && run.units.length ? `, ${plural(run.units.length, "unit")}` : ""}, ${clock(run.started)}`;
  document.getElementById("console-command").textContent = run.command;
  drawEnd(run);
}
function drawEnd(run) {
  const place = document.getElementById("console-end");
  if (run.running) place.replaceChildren(h("span.state.info", {"data-mark": "▸"}, "running"));
  else if (run.exit_code === 0) place.replaceChildren(h("span.state.good", {"data-mark": "●"}, "done"));
  else place.replaceChildren(h("span.state.bad", {"data-mark": "✕"}, run.exit_code === null ? "ended" : `exit code ${run.exit_code}`));
}
const KEPT_OUTPUT = 300000;
async function follow() {
  const {shown} = control;
  if (!shown || !document.getElementById("console").open) return;
  const told = await callText(studyPath(`/runs/${shown.id}/output`), control.offset).catch(() => null);
  if (!told || control.shown !== shown) return;
  const output = document.getElementById("output"), atEnd = output.scrollHeight - output.scrollTop - output.clientHeight < 40;
  control.offset = control.offset === null ? told.total : control.offset + told.length;
  if (!told.text) return;
  let text = output.textContent + plainText(told.text);
  if (text.length > KEPT_OUTPUT) text = text.slice(-KEPT_OUTPUT);
  output.textContent = text;
  if (atEnd) output.scrollTop = output.scrollHeight;
}

// --- chosen units ---------------------------------------------------------------------

function drawChosen() {
  const place = document.getElementById("chosen"), names = [...hooks.selected];
  place.hidden = !names.length;
  if (!names.length) return;
  const of = states => names.filter(name => states.includes(units.state[position(name)]));
  const atWork = of(["running", "queued"]), again = of(["failed", "waiting", "lost"]), open = of(["incomplete", "held"]);
  const deed = (id, label, some, deed, kind = "plain") => h(`button.${kind}`, {type: "button", id, disabled: some.length ? null : "", onclick: () => deed(some)}, some.length ? `${label} ${count(some.length)}` : label);
  fill(place, h("b", {}, `${count(names.length)} chosen`), deed("chosen-cancel", "Cancel", atWork, cancelUnits), deed("chosen-retry", "Retry", control.run ? [] : again, retryUnits),
    deed("chosen-accept", "Accept", control.run ? [] : open, acceptUnits), h("button.plain", {type: "button", id: "chosen-none", onclick: forget}, "Choose none"));
}
