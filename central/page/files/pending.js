// The uploads that have begun, by file: kept in the browser, so that the same file goes on after the page was closed.

const KEY = "cast-central-uploads";
const LIMIT = 50; // Of one browser. The server removes an upload that stands still for a day, so the oldest are gone there, too.
const DAY_MS = 24 * 3600 * 1000;

/** What tells one file from another: no page is told where a file is. */
const mark = (file) => `${file.name}\n${file.size}\n${file.lastModified}`;

/** The uploads of this key, the newest last. */
export function pending(name) {
  return read().filter((one) => one.by === name);
}

/** The upload of this file by this key, if it has begun. */
export const pendingFor = (name, file) => pending(name).find((one) => one.mark === mark(file));

export function keep(name, file, id) {
  write([...read().filter((one) => one.id !== id), { by: name, mark: mark(file), id, name: file.name, at: Date.now() }]);
}

export function forget(id) {
  write(read().filter((one) => one.id !== id));
}

function read() {
  try {
    const all = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return all.filter((one) => Date.now() - one.at < DAY_MS);
  } catch {
    return []; // Storage is switched off, or something else is in it: uploads work without it.
  }
}

function write(all) {
  try {
    localStorage.setItem(KEY, JSON.stringify(all.slice(-LIMIT)));
  } catch (error) {
    console.warn(`Uploads cannot be resumed after the page was closed: ${error.message}`);
  }
}
