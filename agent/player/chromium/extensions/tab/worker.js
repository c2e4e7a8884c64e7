// An extension of one tab: what Chromium does for nobody else.

const tab = async () => (await chrome.tabs.query({ active: true }))[0].id;

/** Whether the page is silent. */
globalThis.mute = async (muted) => chrome.tabs.update(await tab(), { muted });

globalThis.isReady = true; // see companion.py
globalThis.ready?.("");
