// States, sizes and types in words.

import { clock } from "./times.js";

export const STATES = { uploading: "Uploading", checking: "Being checked", transcoding: "Being converted", ready: "Ready", failed: "Failed" };

/** What is no rendition, when it is being made, and when it is to be. */
export const MAKING = { poster: "its poster is", thumbnails: "its thumbnails are" };
export const TO_MAKE = { poster: "a poster", thumbnails: "thumbnails" };

const UNITS = ["B", "kB", "MB", "GB", "TB"];

/** `73 MB` from bytes. */
export function size(bytes) {
  const power = bytes < 1 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log10(bytes) / 3));
  const number = bytes / 1000 ** power;
  return `${number < 10 && power ? number.toFixed(1) : Math.round(number)} ${UNITS[power]}`;
}

/** `about 3 min` from seconds. */
export function about(seconds) {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${Math.round(seconds / 3600)} h`;
}

/** What a video is, in one line. */
export function facts(video) {
  const picture = video.width ? `${video.width} × ${video.height}` : "";
  return [video.duration ? clock(video.duration) : "", size(video.size), picture].filter(Boolean).join(" · ");
}

/** `1 view`, `3 views`; with the word in the plural. */
export const count = (number, word) => `${number.toLocaleString("en")} ${number === 1 ? word.slice(0, -1) : word}`;

/** Views in words: how many, how many to the end, how long. */
export function views({ views, completed, seconds }) {
  return `${count(views, "views")}, ${completed.toLocaleString("en")} to the end, ${clock(seconds)} in all.`;
}

const TYPES = {
  "video/mp4": "mp4 m4v", "video/quicktime": "mov qt", "video/x-matroska": "mkv", "video/webm": "webm", "video/mp2t": "ts m2ts mts", "video/x-msvideo": "avi",
  "video/mpeg": "mpg mpeg", "video/x-flv": "flv", "video/x-ms-wmv": "wmv", "audio/mpeg": "mp3", "audio/mp4": "m4a", "audio/aac": "aac", "audio/flac": "flac",
  "audio/ogg": "ogg oga opus", "audio/wav": "wav", "image/jpeg": "jpg jpeg", "image/png": "png", "image/webp": "webp",
};
const BY_EXTENSION = new Map(Object.entries(TYPES).flatMap(([type, names]) => names.split(" ").map((name) => [name, type])));

/** The type of a file by its name, because browsers do not know all of them; null for one that the library does not take. */
export function typeOf(file) {
  return BY_EXTENSION.get(file.name.split(".").pop().toLowerCase()) ?? (file.type in TYPES ? file.type : null);
}

export const EXTENSIONS = [...BY_EXTENSION.keys()];
