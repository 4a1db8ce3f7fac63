"use strict";
// Keys: each does what a button of the page does, and nothing else. A button says which with `data-action="ACTION"`; who has
// which key for it stands in <meta name="keys">, as somebody has chosen it on the page /keys. A key that is moved is
// moved on the button too: its <kbd> and its aria-keyshortcuts.
(() => {
  const meta = document.querySelector('meta[name="keys"]');
  if (!meta) return;
  const { keys, digits } = JSON.parse(meta.content);
  const actions = new Map(Object.entries(keys).map(([action, key]) => [key, action]));
  const arrived = performance.now();
  // A key that was pressed for the page before must not decide about this one.
  const CARRIED_OVER_MS = 400;
  const COMMITS = new Set(["commit", "commit-stay"]);
  const TYPED_INTO = "textarea, select, [contenteditable], input:not([type=radio], [type=checkbox], [type=button], [type=submit], [type=range])";

  // As /keys writes them; with some keyboards `?` takes Shift and with some it does not, so there it says nothing.
  const nameOf = (event) => {
    const key = event.key.length === 1 ? event.key.toUpperCase() : event.key;
    const held = [event.ctrlKey && "Ctrl", event.altKey && "Alt", event.shiftKey && (key.length > 1 || /\p{L}/u.test(key)) && "Shift"];
    return [...held.filter(Boolean), key].join("+");
  };

  const usable = (button) => !button.disabled && !button.closest("fieldset:disabled, [hidden], [inert]") && button.checkVisibility();
  // Of several the one where somebody is: a post has a button of each kind for each of its parts.
  const buttonFor = (action) => {
    const near = document.activeElement?.closest(".thing, .current")?.querySelectorAll(`[data-action="${action}"]`) ?? [];
    return [...near, ...document.querySelectorAll(`[data-action="${action}"]`)].find(usable);
  };

  const rows = () => [...document.querySelectorAll("tbody th a[href]")];
  const toRow = (by) => {
    const all = rows();
    const at = all.indexOf(document.activeElement);
    all[Math.min(Math.max(at + by, 0), all.length - 1)]?.focus();
    return all.length > 0;
  };
  const disarm = () => {
    const field = document.activeElement;
    if (field?.matches(TYPED_INTO)) {
      field.blur();
      return true;
    }
    const open = document.querySelector("details.skips[open]");
    if (open) open.open = false;
    const armed = document.querySelector('#decision input[name="choice"]:checked');
    if (!armed) return Boolean(open);
    armed.checked = false;
    armed.dispatchEvent(new Event("change", { bubbles: true }));
    document.querySelector("h1")?.focus();
    return true;
  };
  const own = {
    disarm,
    help: () => window.modfleetHelp?.() ?? false,
    "next-row": () => toRow(1),
    "previous-row": () => toRow(-1),
    decide: () => {
      const first = document.querySelector('#decision input[name="choice"]');
      first?.focus();
      return Boolean(first);
    },
  };

  const press = (action) => {
    if (own[action]) return own[action]();
    const button = buttonFor(action);
    if (!button) return false;
    if (button.matches("textarea, input[type=text]")) button.focus();
    else if (button.matches("summary")) {
      button.click();
      (button.parentElement.querySelector("form button") ?? button).focus();
    } else {
      if (button.matches("input[type=radio]")) button.focus();
      button.click();
      // What breaks no rule needs but a reason.
      if (/^(escalate|restore|uphold)$/.test(button.value)) document.getElementById("why")?.focus();
    }
    return true;
  };
  const chooseRule = (digit) => {
    if (!document.querySelector('#decision input[name="choice"]:checked')) return false;
    const rule = document.querySelector(`[data-digit="${digit}"]`);
    if (!rule || !usable(rule)) return false;
    rule.click();
    // What comes next is to say what was seen; Escape leads back to where digits choose.
    document.getElementById("why")?.focus();
    return true;
  };

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing || event.metaKey) return;
    if (event.target.closest("dialog")) return;
    const name = nameOf(event);
    const bare = !event.ctrlKey && !event.altKey && !/^(Shift\+)?F\d/.test(name) && name !== "Escape";
    if (bare && event.target.matches(TYPED_INTO)) return;
    if (digits && /^[1-9]$/.test(name)) {
      if (!event.repeat && chooseRule(name)) event.preventDefault();
      return;
    }
    const action = actions.get(name);
    if (!action) return;
    if (COMMITS.has(action) && (event.repeat || performance.now() - arrived < CARRIED_OVER_MS)) {
      event.preventDefault();
      return;
    }
    // Holding a key down walks through rows and places, and does nothing else more than once.
    if (event.repeat && !/row$|^(next|previous|back|forward)$/.test(action)) return;
    if (press(action)) event.preventDefault();
  });

  // What the buttons say of their keys.
  const tell = (root) => {
    for (const button of root.querySelectorAll("[data-action], [data-do]")) {
      const key = keys[button.dataset.action ?? button.dataset.do];
      const shown = button.querySelector("kbd") ?? button.closest("label")?.querySelector("kbd");
      if (shown) shown.textContent = key ?? "";
      if (shown) shown.hidden = !key;
      if (key) button.setAttribute("aria-keyshortcuts", key.replace("Ctrl", "Control"));
      else button.removeAttribute("aria-keyshortcuts");
    }
    for (const shown of root.querySelectorAll("kbd[data-key-of]")) {
      shown.textContent = keys[shown.dataset.keyOf] ?? "";
      shown.hidden = !shown.textContent;
    }
    if (!digits) for (const rule of root.querySelectorAll("[data-digit]")) rule.parentElement.querySelector("kbd").hidden = true;
  };
  tell(document);
  new MutationObserver((changes) => {
    for (const change of changes) for (const node of change.addedNodes) if (node.nodeType === 1 && node.parentElement) tell(node.parentElement);
  }).observe(document.body, { childList: true, subtree: true });
})();

// Help: a dialog where the link would lead to the page about keys.
(() => {
  const dialog = document.getElementById("keys-help");
  const link = document.getElementById("help");
  if (!dialog || !link) return;
  window.modfleetHelp = () => {
    const here = (action) => document.querySelector(`[data-action="${action}"]`) || /row$|^(disarm|decide|help)$/.test(action);
    for (const row of dialog.querySelectorAll("[data-key-row]")) row.classList.toggle("elsewhere", !here(row.dataset.keyRow));
    dialog.showModal();
    return true;
  };
  link.addEventListener("click", (event) => {
    event.preventDefault();
    window.modfleetHelp();
  });
})();
