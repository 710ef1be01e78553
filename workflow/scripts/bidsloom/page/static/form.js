// The config as a form: made from the schema by Jedison, checked by the same check
// as on the command line, saved after a look at the difference.
"use strict";

const form = {loaded: null, schema: null, editor: null, mode: "form", timer: null, told: null, checking: null, saving: null, dirty: false, number: 0};
// Sections in the order in which people fill them in.
const SECTION_WORDS = {study: "Study", datalad: "Data", container: "App and container", subjects: "Subjects", hpc: "Resources", common: "Scratch space", report: "Report", notify: "Messages", prove: "Proof", export: "Export"};
const FORM_WORDS = {en: {arrayDelete: "Remove", arrayMoveUp: "Up", arrayMoveDown: "Down", arrayAdd: "Add an entry", objectAddProperty: "Add an entry"}};
const KINDS = {String: "text", Integer: "whole number", Number: "number", Boolean: "yes or no", Array: "list", Null: "nothing", Object: "several values"};
const SAFE_KEY = /^[A-Za-z0-9_.+-]+$/;

async function openConfig(again = false) {
  if (form.loaded && !again) return;
  try {
    form.schema = form.schema || await call("/schema");
    form.loaded = await call(studyPath("/config"));
    form.told = null;
    form.dirty = false;
    if (!formFits(form.loaded.value)) form.mode = "text";
    drawConfig();
  } catch (error) { failed(error); }
}
// The library shows names of keys as HTML: only plain ones come near it.
function formFits(value) {
  const plain = node => typeof node !== "object" || node === null || Object.entries(node).every(([key, child]) => (Array.isArray(node) || SAFE_KEY.test(key)) && plain(child));
  return value !== null && typeof value === "object" && plain(value) && Object.entries(value).every(([key, child]) => !form.schema.properties[key] || fits(form.schema.properties[key], child));
}
// A value of another kind than the schema's would be lost in a form.
function fits(schema, value) {
  const kinds = [].concat(schema.type || []);
  const kind = Array.isArray(value) ? "array" : value === null ? "null" : typeof value === "number" ? (Number.isInteger(value) ? "integer" : "number") : typeof value;
  if (kinds.length && !kinds.includes(kind) && !(kind === "integer" && kinds.includes("number"))) return false;
  if (kind === "object") return Object.entries(value).every(([key, child]) => {
    const of = (schema.properties || {})[key] || (typeof schema.additionalProperties === "object" ? schema.additionalProperties : null);
    return of ? fits(of, child) : schema.additionalProperties !== false;
  });
  return kind !== "array" || !schema.items || value.every(child => fits(schema.items, child));
}

function drawConfig() {
  const mode = name => h("button", {type: "button", id: `config-${name}`, "aria-pressed": String(form.mode === name), onclick: () => switchMode(name)}, {form: "Form", text: "Text"}[name]);
  document.getElementById("config").replaceChildren(
    h("h1", {}, "Config"), h("p.muted", {}, h("code", {}, form.loaded.path)),
    h("div.tools", {}, h("div.switch", {role: "group", "aria-label": "How to edit"}, mode("form"), mode("text")),
      h("button.plain", {type: "button", id: "config-load", onclick: () => openConfig(true)}, "Load it again"),
      h("span.muted", {id: "config-said", role: "status"})),
    h("div.config", {}, h("div", {id: "config-body"}), h("aside", {id: "config-side", "aria-label": "Faults and difference"})));
  if (form.mode === "form") buildForm(); else buildText();
  drawSide();
}
async function switchMode(name) {
  if (name === form.mode) return;
  // What was typed goes along, where it is a config.
  const told = await propose().catch(() => null);
  if (name === "form" && !formFits(told ? told.value : form.loaded.value)) return toast("The form cannot show this text.", "Correct it here first.", true);
  const path = form.loaded.path, version = form.loaded.version;
  if (told) form.draft = {text: told.text, value: told.value};
  form.mode = name;
  form.loaded = {...form.loaded, path, version};
  drawConfig();
}
const draft = () => form.draft || form.loaded;

// --- the form ---------------------------------------------------------------------------

// Descriptions in full, with what holds without the key; code in backticks.
function described(schema, name) {
  const copy = {...schema, title: name, "x-titleHidden": false};
  const words = [];
  if (schema.description) words.push(schema.description);
  if (schema.default !== undefined && schema.default !== "" && typeof schema.default !== "object") words.push(`Left out, it is \`${schema.default}\`.`);
  if (schema.examples) words.push(`For example \`${typeof schema.examples[0] === "string" ? schema.examples[0] : JSON.stringify(schema.examples[0])}\`.`);
  copy.description = words.join(" ").replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/`([^`]+)`/g, "<code>$1</code>");
  delete copy.default;
  if (schema.properties) copy.properties = Object.fromEntries(Object.entries(schema.properties).map(([key, child]) => [key, described(child, key)]));
  if (schema.items) copy.items = described(schema.items, "");
  if (schema.type === "object" || schema.properties) copy["x-objectAdd"] = Boolean(schema.additionalProperties);
  if (schema.type === "string" && /call_fmt|where/.test(name)) copy["x-format"] = "textarea";
  return copy;
}
function buildForm() {
  const place = document.getElementById("config-body"), order = Object.keys(SECTION_WORDS);
  const properties = Object.fromEntries(Object.entries(form.schema.properties).sort(([a], [b]) => order.indexOf(a) - order.indexOf(b)));
  const schema = described({...form.schema, properties, examples: undefined, description: ""}, "Config");
  for (const key of order) if (schema.properties[key]) schema.properties[key].title = SECTION_WORDS[key];
  const holder = h("div.form");
  place.replaceChildren(holder);
  form.editor = new Jedison.Create({container: holder, theme: new Jedison.Theme(), schema, data: draft().value, deactivateNonRequired: true, showErrors: "never", purifyHtml: false,
    enablePropertiesToggle: false, enforceRequired: true, enforceAdditionalProperties: false, enforceMinItems: false, arrayDeleteConfirm: false, btnIcons: false, translations: FORM_WORDS, switcherTypeLabels: KINDS, useConstraintAttributes: false, objectAdd: true});
  form.editor.on("change", () => { decorate(); changed(); });
  decorate();
}
const keyOf = path => path.replace(/^#\/?/, "").split("/").join(".");
// What the library does not have: keys that are left out, with an Add button; a Remove button; faults.
function decorate() {
  if (!form.editor) return;
  for (const instance of form.editor.instances.values()) {
    const control = instance.ui && instance.ui.control;
    if (!control || !control.container || !instance.isActive) continue;
    const box = control.container, key = keyOf(instance.path);
    box.dataset.key = key;
    const parent = instance.parent, name = instance.getKey();
    const isKey = parent && parent.properties && !Array.isArray(parent.getValue());
    if (instance.path.split("/").length === 2) box.style.order = String(Object.keys(SECTION_WORDS).indexOf(name));
    // An entry of a list, or a flag of the app: its name stands in no schema.
    const field = box.querySelector("input, textarea, select:not(.jedi-switcher select)"), label = box.querySelector(".jedi-legend, .jedi-label:not(.jedi-switcher label) span");
    if (isKey && !(parent.schema.properties || {})[name] && label) label.textContent = name;
    if (parent && !isKey && field) { field.setAttribute("aria-label", key); if (label) label.textContent = ""; }
    for (const choice of box.querySelectorAll(":scope > div > .jedi-switcher > select")) choice.setAttribute("aria-label", `Kind of ${key}`);
    if (isKey && !box.querySelector(":scope > .remove") && !(parent.schema.required || []).includes(name))
      box.append(h("button.remove", {type: "button", "aria-label": `Remove ${key}`, title: `Remove ${key}`, onclick: () => { instance.deactivate(); form.editor.root.setValue(form.editor.getValue(), true, "user"); }}, "Remove"));
    if (instance.properties && instance.schema.properties) drawFurther(instance, box, key);
  }
  drawFaults();
}
function drawFurther(instance, box, key) {
  let place = box.querySelector(":scope > .further");
  const value = instance.getValue() || {};
  const absent = Object.keys(instance.schema.properties).filter(name => !(name in value));
  const told = absent.join(" ");
  if (place && place.dataset.told === told) return;
  const open = Boolean(place && place.open);
  if (place) place.remove();
  if (!absent.length) return;
  const items = absent.map(name => {
    const schema = instance.schema.properties[name], words = h("span.muted");
    // From the schema, which is the program's own.
    words.innerHTML = schema.description || "";
    return h("li", {}, h("button.plain.copy", {type: "button", "aria-label": `Add ${key ? `${key}.` : ""}${name}`, onclick: () => addKey(instance, name)}, "Add"), h("div", {}, h("code", {}, name), " ", words));
  });
  place = h("details.further", {"data-told": told}, h("summary", {}, key ? `${plural(absent.length, "further key")} of ${key}` : plural(absent.length, "further section")), h("ul", {}, items));
  place.open = open;
  box.append(place);
}
function addKey(instance, name) {
  const schema = instance.getPropertySchema(name), original = keyAt(form.schema, [...keyOf(instance.path).split(".").filter(Boolean), name]);
  const kind = [].concat(original.type || [])[0];
  const first = (original.enum || [])[0];
  const value = original.default !== undefined ? original.default : first !== undefined ? first : {integer: Math.max(1, original.minimum || 1), number: original.minimum || 0, boolean: true, array: [], object: {}}[kind] ?? "";
  const child = instance.getChild(name) || instance.createChild(schema, name);
  child.activate();
  child.setValue(structuredClone(value), true, "user");
  const box = child.ui.control.container, field = box.querySelector("input, select, textarea");
  if (field) field.focus();
}
function keyAt(schema, names) {
  return names.reduce((at, name) => (at.properties || {})[name] || at.additionalProperties || at.items || {}, schema);
}

// --- the text ------------------------------------------------------------------------------

function buildText() {
  form.editor = null;
  const text = h("textarea.source", {id: "config-text", spellcheck: "false", "aria-label": "Text of the config file", oninput: changed});
  text.value = draft().text;
  text.rows = Math.min(60, text.value.split("\n").length + 2);
  document.getElementById("config-body").replaceChildren(text);
}

// --- checked, compared, saved ------------------------------------------------------------

function current() {
  if (form.mode === "text") return {text: document.getElementById("config-text").value, version: form.loaded.version};
  return {value: form.editor.getValue(), version: form.loaded.version};
}
// After a save that is under way: it makes another file of which the change is one.
async function propose() {
  await form.saving;
  return call(studyPath("/config/check"), {method: "POST", body: current()});
}
function changed() {
  form.dirty = true;
  clearTimeout(form.timer);
  document.getElementById("config-said").textContent = "checking …";
  form.timer = setTimeout(() => { form.checking = checkConfig(); }, 400);
}
async function checkConfig() {
  const number = ++form.number;
  try {
    const told = await propose();
    if (number !== form.number) return;
    form.told = told;
    form.draft = {text: told.text, value: told.value};
    document.getElementById("config-said").textContent = told.faults.length ? plural(told.faults.length, "fault") : told.diff ? "no faults" : "nothing has changed";
  } catch (error) {
    if (number !== form.number) return;
    document.getElementById("config-said").textContent = error.message;
    form.told = null;
  }
  drawSide();
  drawFaults();
}
const faultsNow = () => (form.told || form.loaded).faults || [];
function drawFaults() {
  for (const old of document.querySelectorAll(".form .fault")) old.remove();
  for (const old of document.querySelectorAll(".form [aria-invalid]")) old.removeAttribute("aria-invalid");
  if (form.mode !== "form") return;
  for (const fault of faultsNow()) {
    const names = fault.key.split(".");
    let box = null;
    while (names.length && !(box = document.querySelector(`.form [data-key="${CSS.escape(names.join("."))}"]`))) names.pop();
    if (!box || !names.length) continue;
    const note = h("p.fault", {}, fault.message, fault.hint ? h("span.muted", {}, ` ${fault.hint}`) : "");
    const field = box.querySelector("input, select, textarea");
    if (field) field.setAttribute("aria-invalid", "true");
    (box.querySelector(":scope > .further") || box.querySelector(":scope > .remove") || {before: element => box.append(element)}).before(note);
  }
}
function drawSide() {
  const faults = faultsNow(), diff = form.told ? form.told.diff : "";
  const lines = diff.split("\n").map(line => h("span", {class: line.startsWith("+") ? "plus" : line.startsWith("-") ? "minus" : line.startsWith("@@") ? "at" : ""}, `${line}\n`));
  const jump = fault => h("li", {}, fault.message, fault.hint ? h("div.muted", {}, fault.hint) : "");
  document.getElementById("config-side").replaceChildren(
    h("h2", {}, faults.length ? plural(faults.length, "fault") : "No faults"),
    faults.length ? h("ul.notes.faults", {}, faults.map(jump)) : h("p.muted", {}, "This is the check of the command line. What the config names is looked at by Check."),
    h("h2", {}, "Difference"), diff ? h("pre.diff", {tabindex: "0", "aria-label": "Difference to the file"}, lines) : h("p.muted", {}, "Nothing has changed."),
    h("div.buttons", {}, h("button.main", {type: "button", id: "config-save", disabled: diff && !faults.length ? null : "", onclick: saveConfig}, "Save"),
      h("button.plain", {type: "button", id: "config-undo", disabled: diff ? null : "", onclick: () => { form.draft = null; openConfig(true); }}, "Undo all")));
}
async function saveConfig() {
  // A check that is under way compares with the file as it is before.
  clearTimeout(form.timer);
  await form.checking;
  form.saving = putConfig();
}
async function putConfig() {
  try {
    await call(studyPath("/config"), {method: "PUT", body: current()});
    form.draft = null;
    await openConfig(true);
    toast("The config is saved.", "The next start uses it; results that it does not concern stay.");
  } catch (error) {
    failed(error);
    if (error.faults.length) { form.told = {...form.told, faults: error.faults}; drawSide(); drawFaults(); }
  }
}
addEventListener("beforeunload", event => { if (form.dirty && form.told && form.told.diff) event.preventDefault(); });
