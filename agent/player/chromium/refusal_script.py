"""The script that refuses, in each document, what nobody may have of the browser, and tells of it."""

from __future__ import annotations

from typing import Final

from agent.player.base import PageRefusal

TOLD: Final = "file:///cast-agent/"
"""The beginning of an address that no page can load, and with which the script tells of a refusal."""

# Nothing of this may be seen: a dialog fades in before it can be dismissed, and a preview lies over the page. Chromium
# answers the first requests for permissions without a word, and shows a dialog or a bubble for the others. The domain
# Runtime could carry what we tell, but keeps all that the page logs: the browser's log carries it, too. The keys of the
# browser go to the page first. The page hears all of them; of what they do, editing is left (Ctrl with A, C, V, X, Y
# and Z, the arrows, ...).
_SCRIPT: Final = """{
  const NativeImage = window.Image, altGraph = KeyboardEvent.prototype.getModifierState;
  const say = kind => {new NativeImage().src = "%(told)s" + kind};
  const replace = (owner, names, make) => {
    for (const name of names) {
      const native = owner?.[name];
      if (native) owner[name] = make(native);
    }
  };
  const asked = native => function (...wanted) {
    say("%(permission)s");
    return native.apply(this, wanted);
  };
  const refused = () => function () {
    say("%(permission)s");
    return Promise.reject(new DOMException("No page of this screen may have this.", "NotAllowedError"));
  };
  window.alert = () => say("%(dialog)s");
  window.confirm = () => {say("%(dialog)s"); return false};
  window.prompt = () => {say("%(dialog)s"); return null};
  window.print = () => say("%(print)s");
  replace(Document.prototype, ["execCommand"], native => function (command, ...more) {
    if (!/^print$/i.test(command)) return native.call(this, command, ...more);
    say("%(print)s");
    return false;
  });
  replace(window.Geolocation?.prototype, ["getCurrentPosition", "watchPosition"], asked);
  replace(window.MediaDevices?.prototype, ["getUserMedia"], asked);
  replace(window.Notification, ["requestPermission"], asked);
  for (const [owner, ...names] of [
    ["Bluetooth", "requestDevice"], ["CredentialsContainer", "get", "create"], ["DocumentPictureInPicture",
    "requestWindow"], ["Element", "requestPointerLock"], ["EyeDropper", "open"], ["HID", "requestDevice"],
    ["HTMLVideoElement", "requestPictureInPicture"], ["Keyboard", "lock"], ["MediaDevices", "getDisplayMedia"],
    ["PaymentRequest", "show"], ["Serial", "requestPort"], ["USB", "requestDevice"],
  ]) replace(window[owner]?.prototype, names, refused);

  const edits = [8, 33, 34, 35, 36, 37, 38, 39, 40, 45, 46, 86, 90], letters = [65, 67, 88, 89];
  const tools = "%(tools)s";
  const refusals = {F12: tools, cP: "%(print)s", cU: "%(local)s", csI: tools, csJ: tools, csC: tools};
  const stop = event => event.isTrusted && event.preventDefault();
  const zoom = event => event.ctrlKey && stop(event);
  const release = event => event.keyCode === 17 && removeEventListener("wheel", zoom, {capture: true});
  const press = event => {
    const {keyCode, ctrlKey, altKey, shiftKey, metaKey} = event;
    if (!event.isTrusted || altGraph.call(event, "AltGraph")) return;
    // Not always there: a page that scrolls would have to wait for it.
    if (keyCode === 17) addEventListener("wheel", zoom, {capture: true, passive: false});
    const isFunction = keyCode >= 112 && keyCode <= 135, isOfBrowser = keyCode >= 166 && keyCode <= 183;
    const letter = isFunction ? `F${keyCode - 111}` : String.fromCharCode(keyCode);
    const refusal = refusals[(ctrlKey ? "c" : "") + (shiftKey ? "s" : "") + letter];
    const isTaskManager = keyCode === 27 && shiftKey;
    const edited = shiftKey ? edits : [...edits, ...letters];
    const isEdit = ctrlKey && !altKey && !metaKey && edited.includes(keyCode);
    const isChord = (ctrlKey || altKey || metaKey) && !isEdit;
    if (refusal || isFunction || isOfBrowser || isTaskManager || isChord) event.preventDefault();
    if (refusal) say(refusal);
  };
  const listen = () => {
    for (const [type, hear] of [["keydown", press], ["keyup", release], ["contextmenu", stop]])
      addEventListener(type, hear, {capture: true});
  };
  listen();
  // They remove all listeners of the window.
  replace(Document.prototype, ["open", "write", "writeln"], native => function (...wanted) {
    try {
      return native.apply(this, wanted);
    } finally {
      listen();
    }
  });
}"""

SCRIPT: Final = _SCRIPT % ({"told": TOLD} | {kind.value: kind.value for kind in PageRefusal})
