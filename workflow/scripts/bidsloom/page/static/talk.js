// How the page talks: to the API, and to the person.
"use strict";
const API = "/api/v1";
let session = null;

class Refused extends Error {
  constructor(message, hint, faults, status) {
    super(message);
    Object.assign(this, {hint, faults: faults || [], status});
  }
}

// The answer of the API; a refusal is thrown with what it says.
async function call(path, {method = "GET", body} = {}) {
  const headers = {};
  if (method !== "GET") headers["X-CSRF-Token"] = session.csrf;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const answer = await fetch(API + path, {method, headers, body: body === undefined ? undefined : JSON.stringify(body)});
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) {
    const error = told.error || {message: `The page answered with ${answer.status}.`};
    throw new Refused(error.message, error.hint, error.faults, answer.status);
  }
  return told;
}
// A part of a text, and how long all of it is.
async function callText(path, offset) {
  const answer = await fetch(`${API}${path}${offset === null ? "" : `?offset=${offset}`}`);
  if (!answer.ok) throw new Refused("There is no text.", "", [], answer.status);
  const bytes = await answer.arrayBuffer();
  return {text: new TextDecoder().decode(bytes), length: bytes.byteLength, total: Number(answer.headers.get("X-Total-Bytes"))};
}
// What only a terminal understands is left out.
const plainText = text => text.replace(/\x1b\[[0-9;?]*[A-Za-z]/g, "").replace(/\r(?!\n)/g, "\n");

let toastTimer = null;
function toast(text, hint, bad) {
  const place = document.getElementById("toast");
  place.replaceChildren(h("b", {}, text), hint ? h("span", {}, hint) : "", h("button.plain", {type: "button", onclick: () => { place.hidden = true; }}, "Close"));
  place.classList.toggle("is-bad", Boolean(bad));
  place.hidden = false;
  clearTimeout(toastTimer);
  if (!bad) toastTimer = setTimeout(() => { place.hidden = true; }, 6000);
}
const failed = error => toast(error.message, error.hint, true);

// A question that is answered by a click: true for yes.
function askPerson(title, text, yes, bad) {
  const dialog = document.getElementById("ask");
  return new Promise(resolve => {
    const answer = value => { dialog.close(); resolve(value); };
    dialog.replaceChildren(h("h2", {id: "ask-title"}, title), h("p", {}, text),
      h("div.buttons", {}, h("button.plain", {type: "button", id: "ask-no", onclick: () => answer(false)}, "Back"),
        h(`button.main${bad ? ".danger" : ""}`, {type: "button", id: "ask-yes", onclick: () => answer(true)}, yes)));
    dialog.oncancel = () => resolve(false);
    dialog.showModal();
    document.getElementById("ask-yes").focus();
  });
}

// How long ago, or how long it takes, in words.
function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const days = Math.floor(whole / 86400), hours = Math.floor(whole / 3600) % 24, minutes = Math.floor(whole / 60) % 60;
  if (days) return `${days} d ${hours} h`;
  if (hours) return `${hours} h ${minutes} min`;
  return minutes ? `${minutes} min ${whole % 60} s` : `${whole} s`;
}
const sinceNow = iso => duration((Date.now() - new Date(iso)) / 1000);
const clock = iso => {
  const at = new Date(iso), options = {hour: "2-digit", minute: "2-digit"};
  if (at.toDateString() !== new Date().toDateString()) Object.assign(options, {day: "numeric", month: "short"});
  return at.toLocaleString("en-GB", options);
};
