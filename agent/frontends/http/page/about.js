// The box: its name, whether it is well, and who this device is to it.

import { call } from "./box.js";
import { find, make, refill, say, show } from "./dom.js";

export function showName(device) {
  say(find("name"), device.name);
  if (document.title !== device.name) document.title = device.name;
}

/** Fetch the health of the box, and show what is wrong with it. */
export async function refreshHealth(status) {
  const health = await call("GET", "health");
  document.body.dataset.health = health.status;
  const problems = Object.values(health.checks).filter((check) => check.status !== "ok").map((check) => check.message);
  const { display } = health.checks;
  const reports = [...(status.reporting.enabled ? [status.reporting] : []), ...status.webhooks, ...[status.esphome, status.dlna].filter(Boolean)];
  problems.push(...reports.map((report) => report.problem).filter(Boolean));
  say(find("health"), problems.length ? "It needs attention:" : "All is well.");
  refill(find("health-list"), problems, () => problems.map((text) => make("li", { dir: "auto" }, text)));
  const facts = {
    Version: status.device.version,
    Screen: display.width ? `${display.width} × ${display.height}` : "none",
    ...(status.reporting.enabled ? { "Reports to": status.reporting.url ?? "its central API" } : {}),
    ...(status.esphome ? { "Home Assistant": homeAssistant(status.esphome) } : {}),
    ...(status.dlna ? { DLNA: dlna(status.dlna) } : {}),
    ...(status.reporting.code ? { "Join code": status.reporting.code } : {}),
  };
  refill(find("facts"), facts, () => Object.entries(facts).flatMap(([name, value]) => [make("dt", {}, name), make("dd", { dir: "auto" }, value)]));
  return problems.length === 0;
}

find("settings").addEventListener("toggle", () => refreshSettings().catch((problem) => console.warn(problem.message)));

/** Fetch the settings that a reload can change, if somebody looks at them. */
export async function refreshSettings() {
  if (!find("settings").open) return;
  const { settings } = await call("GET", "settings");
  const rows = Object.entries(settings).map(([name, value]) => [name, Array.isArray(value) ? value.join(", ") || "none" : String(value)]);
  refill(find("settings-list"), rows, () => rows.flatMap(([name, value]) => [make("dt", {}, name), make("dd", { dir: "auto" }, value)]));
}

/** Show as whom this device is signed in, if it is. */
export async function refreshSession() {
  const { name } = await call("GET", "session");
  say(find("session-name"), name ?? "");
  show(find("session"), name !== null);
}

function dlna({ port, subscribers }) {
  if (subscribers.length) return `used by ${subscribers.join(", ")}`;
  return port ? "players in the network find this screen" : "not reached";
}

function homeAssistant({ clients, has_key: isAdded, window_s: window }) {
  if (clients.length) return clients.join(", ");
  if (isAdded) return "not connected";
  return window > 0 ? "has found this box: press Add there" : "not added; cast-agent esphome pair on this box lets it be added";
}
