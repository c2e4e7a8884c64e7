// An extension that is added where a page has headers for its websockets. Every request goes through it then.

/** Headers of websockets, each for the server that its filter names, and only for the pages of that host. They are kept
 * in memory alone. */
globalThis.addHeaders = async (headers) =>
  chrome.declarativeNetRequest.updateSessionRules({
    addRules: headers.map(({ host, filter, name, value }, index) => ({
      id: index + 1,
      action: { type: "modifyHeaders", requestHeaders: [{ header: name, operation: "set", value }] },
      condition: { urlFilter: filter, initiatorDomains: [host], resourceTypes: ["websocket"] },
    })),
  });

globalThis.isReady = true; // see companion.py
globalThis.ready?.("");
