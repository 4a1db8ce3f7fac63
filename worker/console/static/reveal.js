"use strict";
// Content step by step. Nothing is shown that the server has not written down before, hovering shows nothing, and
// whatever is shown goes away again: when the tab is hidden, after a minute without input, and after a decision.
(() => {
  const root = document.getElementById("case");
  if (!root) return;
  const IDLE_MS = 60_000, STILL = 1, BLURRED = 2, GREY = 3, COLOUR = 4;
  const token = document.querySelector('meta[name="csrf"]').content;
  const where = `/cases/${root.dataset.case}/reveal`;
  const say = (text) => { document.getElementById("status").textContent = text; };

  class Thing {
    constructor(section) {
      this.section = section;
      this.box = section.querySelector(".shade");
      this.nothing = [...this.box.childNodes].map((node) => node.cloneNode(true));
      this.asked = 0;
      this.asking = false;
      section.thing = this;
    }

    get shown() { return this.box.querySelector(".shown"); }
    get step() { return Number(this.shown?.dataset.step ?? 0); }
    get media() { return this.box.querySelector(".media"); }

    // The next step up, as the server names it.
    up() {
      const next = this.shown ? Number(this.shown.dataset.next) : STILL;
      return next ? this.ask(next) : Promise.resolve(false);
    }

    async ask(step, more = {}) {
      if (this.asking) return false;
      this.asking = true;
      this.box.setAttribute("aria-busy", "true");
      const asked = ++this.asked;
      try {
        const has = this.media && !("masked" in this.shown.dataset && step === COLOUR);
        const done = has ? await this.more(step) : await this.load(step, more);
        // Hidden meanwhile: what has arrived must not be seen.
        if (asked !== this.asked) { this.conceal(); return false; }
        return done;
      } finally {
        this.asking = false;
        this.box.removeAttribute("aria-busy");
        this.update();
      }
    }

    // The page has it: the server only writes down that more of it is seen from now on.
    async more(step) {
      const body = new URLSearchParams({ step, part: this.section.dataset.part, again: "true" });
      const answer = await fetch(where, { method: "POST", headers: { "X-CSRF-Token": token, "HX-Request": "true" }, body })
        .catch(() => null);
      if (answer?.status === 401) location.reload();
      if (!answer?.ok) { say(answer?.status === 429 ? "Too fast: wait a moment, then reveal it again." : "Not shown: the server could not write down that you see it. Try again."); return false; }
      if (this.shown) this.show(step);
      return true;
    }

    async load(step, more) {
      const values = { step, part: this.section.dataset.part, ...more };
      await htmx.ajax("POST", where, { source: this.section, target: this.box, swap: "innerHTML", values });
      if (!this.shown) return false;
      if (this.media) { this.since = Date.now(); this.section.dispatchEvent(new CustomEvent("modfleet:shown", { bubbles: true })); }
      return true;
    }

    show(step) {
      const shown = this.shown;
      shown.dataset.step = step;
      shown.dataset.next = step < COLOUR ? step + 1 : 0;
      shown.toggleAttribute("data-grey", step < COLOUR);
      shown.toggleAttribute("data-blur", step < GREY);
      this.update();
    }

    conceal() {
      ++this.asked;
      this.box.querySelectorAll("video, audio").forEach((one) => { one.pause(); one.removeAttribute("src"); one.load(); });
      this.box.replaceChildren(...this.nothing.map((node) => node.cloneNode(true)));
      this.section.dispatchEvent(new CustomEvent("modfleet:concealed", { bubbles: true }));
      this.update();
    }

    // Less is shown at once; more is asked for first.
    async toggle(what) {
      const shown = this.shown;
      if (!this.media || !shown) return;
      const name = `data-${what}`;
      if (!shown.hasAttribute(name)) { shown.setAttribute(name, ""); this.update(); return; }
      const kept = what === "grey" ? "data-blur" : "data-grey", had = shown.hasAttribute(kept);
      const wanted = what === "grey" ? COLOUR : GREY;
      if (await this.ask(Math.max(wanted, this.step)) && this.shown) {
        this.shown.toggleAttribute(kept, had);
        this.shown.removeAttribute(name);
        this.update();
      }
    }

    peek() {
      if (this.peeked !== undefined) return;
      this.peeked = this.step;
      const from = this.asked;
      (async () => {
        if (!this.media && !(await this.ask(BLURRED))) return;
        // Let go meanwhile.
        if (this.peeked === undefined) { this.conceal(); return; }
        if (this.step < GREY) await this.ask(GREY);
        if (this.peeked === undefined && from !== this.asked) this.conceal();
      })();
    }

    unpeek() {
      if (this.peeked === undefined) return;
      const before = this.peeked;
      this.peeked = undefined;
      if (before >= BLURRED && this.media) this.show(before); else this.conceal();
    }

    update() {
      const shown = this.shown, has = Boolean(this.media);
      const set = (name, pressed, usable) => {
        const button = this.section.querySelector(`[data-do="${name}"]`);
        if (!button) return;
        button.disabled = !usable;
        if (pressed !== null) button.setAttribute("aria-pressed", String(pressed));
      };
      set("grey", !has || shown.hasAttribute("data-grey"), has);
      set("blur", !has || shown.hasAttribute("data-blur"), has);
      set("conceal", null, Boolean(shown));
      set("reveal", null, !shown || shown.dataset.next !== "0");
      const video = this.media?.matches("video, audio") ? this.media : null;
      set("mute", !video || video.muted, Boolean(video));
    }

    failed(element) {
      if (!this.shown?.contains(element)) return;
      const old = this.since && Date.now() - this.since > Number(this.shown.dataset.seconds) * 1000;
      const note = document.createElement("p");
      note.className = "state";
      note.setAttribute("role", "alert");
      const still = element.classList.contains("still");
      note.textContent = still ? "No still could be made of this. Reveal goes on to full size, still grey and blurred."
        : old ? "The link has expired." : "It could not be loaded, or this browser does not play the format. You can still rule by what was found. ";
      element.replaceWith(note);
      if (still) return;
      const again = document.createElement("button");
      again.type = "button";
      again.textContent = "Retry";
      const step = this.step;
      again.addEventListener("click", () => this.ask(step));
      note.append(" ", again);
      this.update();
    }
  }

  const things = [...root.querySelectorAll(".thing")].map((section) => new Thing(section));
  const concealAll = () => things.forEach((thing) => { thing.peeked = undefined; thing.conceal(); });

  // Keys go to the thing that was used last.
  function use(section) {
    root.querySelectorAll(".thing [data-do]").forEach((button) => { delete button.dataset.action; });
    section.querySelectorAll("[data-do]").forEach((button) => { button.dataset.action = button.dataset.do; });
  }
  if (things.length) use(things[0].section);

  const does = {
    conceal: (thing) => thing.conceal(),
    grey: (thing) => thing.toggle("grey"),
    blur: (thing) => thing.toggle("blur"),
  };
  root.addEventListener("submit", (event) => {
    const section = event.target.closest(".thing");
    if (section) {
      event.preventDefault();
      use(section);
      if ("whole" in event.target.dataset) section.thing.ask(section.thing.step, { whole: "true" });
      else section.thing.up();
      return;
    }
    const drawer = event.target.closest(".drawer");
    if (drawer) { event.preventDefault(); toggleDrawer(drawer); }
  });
  root.addEventListener("click", (event) => {
    const button = event.target.closest(".thing [data-do]"), section = button?.closest(".thing");
    if (!section) return;
    use(section);
    does[button.dataset.do]?.(section.thing);
  });
  root.addEventListener("focusin", (event) => { const section = event.target.closest(".thing"); if (section) use(section); });
  root.addEventListener("error", (event) => {
    if (event.target.matches?.("img, video, audio")) event.target.closest(".thing")?.thing.failed(event.target);
  }, true);

  for (const [begin, end] of [["pointerdown", "pointerup"], ["keydown", "keyup"]]) {
    const held = (event) => event.target.closest?.('[data-do="peek"]') && (begin !== "keydown" || [" ", "Enter"].includes(event.key));
    root.addEventListener(begin, (event) => { if (held(event)) { event.preventDefault(); event.target.closest(".thing").thing.peek(); } });
    document.addEventListener(end, () => things.forEach((thing) => thing.unpeek()));
  }
  document.addEventListener("pointercancel", () => things.forEach((thing) => thing.unpeek()));
  window.addEventListener("blur", () => things.forEach((thing) => thing.unpeek()));

  root.addEventListener("modfleet:wanted", (event) => event.target.thing?.ask(BLURRED));
  document.addEventListener("modfleet:decided", concealAll);
  document.addEventListener("visibilitychange", () => { if (document.hidden) concealAll(); });
  window.addEventListener("pagehide", concealAll);

  let idle;
  const playing = () => [...root.querySelectorAll("video, audio")].some((one) => !one.paused);
  function rest() {
    clearTimeout(idle);
    idle = setTimeout(() => { if (playing()) rest(); else concealAll(); }, IDLE_MS);
  }
  for (const name of ["pointermove", "pointerdown", "keydown", "wheel", "scroll", "touchstart"])
    document.addEventListener(name, rest, { passive: true });
  rest();

  // What leads a reviewer, once they ask for it or have taken a stand.
  async function openDrawer(drawer, values) {
    const body = drawer.querySelector(".drawer-body"), button = drawer.querySelector("button");
    body.hidden = false;
    button.setAttribute("aria-expanded", "true");
    button.firstChild.textContent = "Hide ";
    if (!body.childElementCount)
      await htmx.ajax("POST", drawer.dataset.partUrl, { source: drawer, target: body, swap: "innerHTML", values });
  }
  function toggleDrawer(drawer) {
    const body = drawer.querySelector(".drawer-body"), button = drawer.querySelector("button");
    if (button.getAttribute("aria-expanded") === "true") {
      body.hidden = true;
      button.setAttribute("aria-expanded", "false");
      button.firstChild.textContent = "Show ";
    } else openDrawer(drawer, {});
  }
  document.addEventListener("modfleet:armed", (event) => {
    openDrawer(document.getElementById("findings"), { armed: event.detail?.kind ?? "yes" });
  });

  things.forEach((thing) => thing.update());
  // A text that is theirs to read is shown at once, what was flagged in a severe one by its first letters.
  if ("holds" in root.dataset && root.dataset.kind === "text" && !document.hidden) things[0].up();
})();
