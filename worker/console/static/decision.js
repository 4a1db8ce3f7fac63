"use strict";
// The decision panel: shows what a choice needs, keeps the case as long as somebody works on it, and never loses a word
// of what they wrote.
(() => {
  const panel = document.getElementById("panel");
  const form = document.getElementById("decision");
  if (!panel || !form) return;
  const BEAT_MS = 60_000, IDLE_MS = 180_000, WARNED_S = 120, LONGEST_S = 45 * 60;
  const field = (name) => form.elements[name];
  const chosen = (name) => form.querySelector(`[name="${name}"]:checked`)?.value ?? "";

  // What a choice needs.
  const show = (selector, wanted) => {
    for (const part of form.querySelectorAll(selector)) part.hidden = !wanted;
  };
  const against = () => chosen("choice") === "remove" || (chosen("choice") === "limit" && chosen("limit") === "redact");
  const refresh = () => {
    const choice = chosen("choice");
    show(".for-limit", choice === "limit");
    show(".for-remove", choice === "remove");
    show(".for-mask", choice === "limit" && chosen("limit") === "redact");
    show(".for-rule", against());
    field("why").required = Boolean(choice) && choice !== "allow";
    for (const rule of form.querySelectorAll('[name="rule"]')) rule.required = against();
    for (const button of form.querySelectorAll("button[name=then]")) button.disabled = !choice;
    preview(choice);
  };
  const notice = document.getElementById("notice");
  const preview = (choice) => {
    const says = form.querySelector('[name="rule"]:checked')?.dataset.says ?? "…";
    const texts = { remove: notice.dataset.removed, restore: notice.dataset.back, limit: against() ? notice.dataset.masked : "" };
    const text = texts[choice] ?? "";
    notice.textContent = text ? text.replace("{reasons}", says) : choice ? "This sends them no notice of a takedown." : "Choose a decision to see it.";
  };
  // The next case is set aside while this one is decided, so that it comes at once.
  let isAhead = false;
  const ahead = () => {
    if (isAhead) return;
    isAhead = true;
    const headers = { "X-CSRF-Token": document.querySelector('meta[name="csrf"]').content, "HX-Request": "true" };
    fetch(`/cases/${document.getElementById("case").dataset.case}/ahead`, { method: "POST", headers }).catch(() => {});
  };
  form.addEventListener("change", (event) => {
    refresh();
    if (event.target.name !== "choice" || !event.target.checked) return;
    ahead();
    // The findings are shown once somebody has taken a stand.
    document.dispatchEvent(new CustomEvent("modfleet:armed", { detail: { kind: event.target.value } }));
  });
  // Enter in a field must not decide: that takes the button, or its key.
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.matches("input") && !event.ctrlKey) event.preventDefault();
  });

  // Once, however often it is sent: the server knows the form, and this spares it the question.
  let sending = false;
  form.addEventListener("submit", (event) => {
    if (sending) {
      event.preventDefault();
      event.stopImmediatePropagation();
      return;
    }
    sending = true;
    panel.setAttribute("aria-busy", "true");
    // What was looked at goes away with the decision.
    document.dispatchEvent(new CustomEvent("modfleet:decided"));
    setTimeout(() => { sending = false; panel.removeAttribute("aria-busy"); }, 10_000);
  }, true);
  const said = document.getElementById("said");
  new MutationObserver(() => {
    sending = false;
    panel.removeAttribute("aria-busy");
    if (said.querySelector("[data-lost]")) lose("");
    if (said.firstElementChild) said.focus();
  }).observe(said, { childList: true });
  for (const name of ["htmx:error", "htmx:sendError", "htmx:timeout"]) {
    document.addEventListener(name, () => {
      if (!sending) return;
      sending = false;
      panel.removeAttribute("aria-busy");
      document.getElementById("lost").textContent = "That did not get through. Nothing is lost: commit again, it will count once.";
    });
  }

  // Masking what is selected: places are in code points of the source, which the pieces of a text carry along.
  const tell = (text) => {
    const status = document.getElementById("status");
    status.textContent = text;
    setTimeout(() => { if (status.textContent === text) status.textContent = ""; }, 5_000);
  };
  const codePoints = (text) => [...text].length;
  const selected = () => {
    const selection = document.getSelection();
    const range = selection.rangeCount ? selection.getRangeAt(0) : null;
    let begin = Infinity, end = -1;
    for (const piece of document.querySelectorAll(".passage [data-begin]")) {
      if (!range || !range.intersectsNode(piece) || !piece.firstChild) continue;
      const part = document.createRange();
      part.selectNodeContents(piece);
      const before = part.cloneRange();
      if (piece.contains(range.startContainer)) part.setStart(range.startContainer, range.startOffset);
      if (piece.contains(range.endContainer)) part.setEnd(range.endContainer, range.endOffset);
      before.setEnd(part.startContainer, part.startOffset);
      const at = Number(piece.dataset.begin) + codePoints(before.toString()), length = codePoints(part.toString());
      if (!length) continue;
      begin = Math.min(begin, at);
      end = Math.max(end, at + length);
    }
    return [begin, end];
  };
  document.getElementById("mask-selected")?.addEventListener("click", () => {
    const [begin, end] = selected();
    if (begin >= end) {
      tell("Select words of the text first.");
      return;
    }
    const places = field("spans");
    places.value = `${places.value} ${begin}:${end}`.trim();
    tell(`Characters ${begin} to ${end} will be masked.`);
  });

  // The lease: counted here from what the server says is left, whatever this machine's clock says.
  let until = performance.now() + 1000 * Number(panel.dataset.left);
  const since = performance.now() - 1000 * Number(panel.dataset.held);
  let used = performance.now(), warned = false, lost = false, letGo = false;
  const dialog = document.getElementById("lease-ends");
  const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
  const shown = [...panel.querySelectorAll("[data-lease]"), ...document.querySelectorAll("#lease time")];
  const tick = () => {
    const left = Math.max(0, (until - performance.now()) / 1000);
    for (const place of shown) place.textContent = clock(left);
    if (left === 0 && !lost) beat();
    if (left < WARNED_S && !warned && !letGo && !lost) {
      warned = true;
      dialog.showModal();
      document.getElementById("lease-extend").focus();
    }
  };
  const beat = async () => {
    if (lost || letGo) return;
    const token = document.querySelector('meta[name="csrf"]').content;
    try {
      const answer = await fetch(document.getElementById("renew").action, { method: "POST", headers: { "X-CSRF-Token": token, "HX-Request": "true" } });
      if (answer.status === 409) lose((await answer.json()).lost);
      if (!answer.ok) return;
      until = performance.now() + 1000 * (await answer.json()).left;
      warned = false;
      if (dialog.open) dialog.close();
    } catch {
      // The next beat tries again; what the page shows goes on counting down.
    }
  };
  const lose = (why) => {
    lost = true;
    if (dialog.open) dialog.close();
    // Still to be read and copied, which what is disabled is not in every browser.
    for (const text of form.querySelectorAll("textarea, input:not([type=hidden], [type=radio], [type=checkbox])")) text.readOnly = true;
    for (const control of panel.querySelectorAll("button, [type=radio], [type=checkbox]")) control.disabled = true;
    if (!why) return;
    const place = document.getElementById("lost");
    place.textContent = why;
    const again = document.createElement("a");
    again.href = location.pathname;
    again.className = "button";
    again.textContent = "Look whether it is free";
    place.append(" ", again);
  };
  for (const name of ["keydown", "pointerdown", "wheel"]) {
    document.addEventListener(name, () => { used = performance.now(); }, { passive: true });
  }
  const extend = (event) => {
    event.preventDefault();
    beat();
  };
  document.getElementById("renew").addEventListener("submit", extend);
  document.getElementById("lease-extend").addEventListener("click", extend);
  document.getElementById("lease-let-go").addEventListener("click", () => { letGo = true; dialog.close(); });
  setInterval(tick, 1000);
  setInterval(() => {
    const now = performance.now();
    if (!document.hidden && now - used < IDLE_MS && now - since < 1000 * LONGEST_S) beat();
  }, BEAT_MS);
  tick();
  refresh();
})();
