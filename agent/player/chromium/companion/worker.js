// An extension of one tab: what Chromium does for nobody else.

const tab = async () => (await chrome.tabs.query({ active: true }))[0].id;

/** Whether the page is silent. */
globalThis.mute = async (muted) => chrome.tabs.update(await tab(), { muted });

/** How large everything is; 1 is as usual. It counts for the server that the page is of. */
globalThis.zoom = async (factor) => chrome.tabs.setZoom(await tab(), factor);

/** Headers of websockets, each for the addresses that its filter names. They are kept in memory alone. */
globalThis.addHeaders = async (headers) =>
  chrome.declarativeNetRequest.updateSessionRules({
    addRules: headers.map(({ filter, name, value }, index) => ({
      id: index + 1,
      action: { type: "modifyHeaders", requestHeaders: [{ header: name, operation: "set", value }] },
      condition: { urlFilter: filter, resourceTypes: ["websocket"] },
    })),
  });
