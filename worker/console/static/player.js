"use strict";
// The player: paused and muted, never started by itself; jumps to what was flagged and stays there.
(() => {
  const root = document.getElementById("case");
  if (!root) return;
  const BEFORE = 1, JUMP = 5, FIRST_VOLUME = 0.25;
  const told = (seconds) => {
    const whole = Math.max(0, Math.floor(seconds)), minutes = Math.floor(whole / 60) % 60, hours = Math.floor(whole / 3600);
    const end = `${String(whole % 60).padStart(2, "0")}`;
    return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${end}` : `${minutes}:${end}`;
  };

  class Player {
    constructor(section) {
      this.section = section;
      this.controls = section.querySelector(".player");
      this.seek = section.querySelector(".seek");
      this.at = section.querySelector("[data-at]");
      this.moments = [...section.querySelectorAll(".moment")];
      this.label = section.querySelector("[data-moment]");
      this.here = -1;
      this.loud = false;
    }

    get video() { return this.section.querySelector("video.media"); }

    begin() {
      const video = this.video;
      this.controls.hidden = !video;
      if (!video) return;
      video.muted = true;
      video.addEventListener("loadedmetadata", () => {
        this.seek.max = video.duration;
        this.draw(video.duration * 1000);
        if (this.wanted !== undefined) this.go(this.wanted);
      });
      video.addEventListener("timeupdate", () => this.tell());
      for (const name of ["play", "pause", "ended"]) video.addEventListener(name, () => this.tell());
      video.addEventListener("click", () => this.toggle());
      video.addEventListener("keydown", (event) => {
        if (event.key === " " && !event.repeat) { event.preventDefault(); this.toggle(); }
      });
      video.playbackRate = Number(this.section.querySelector('[data-do="speed"]').value);
      this.tell();
    }

    end() { if (this.controls) this.controls.hidden = true; }

    // The lane is drawn to the last flagged moment until the length is known.
    draw(length) {
      for (const mark of this.section.querySelectorAll(".lane .mark")) {
        const begin = Number(mark.dataset.begin), end = Number(mark.dataset.end);
        mark.setAttribute("x", String(1000 * begin / length));
        mark.setAttribute("width", String(Math.max(4, 1000 * (end - begin) / length)));
      }
    }

    tell() {
      const video = this.video;
      if (!video) return;
      this.seek.value = video.currentTime;
      this.at.textContent = Number.isFinite(video.duration) ? `${told(video.currentTime)} of ${told(video.duration)}` : told(video.currentTime);
      const play = this.section.querySelector('[data-do="play"]');
      play.firstChild.textContent = video.paused ? "Play" : "Pause";
    }

    toggle() { const video = this.video; if (video) { if (video.paused) video.play().catch(() => {}); else video.pause(); } }
    jump(seconds) { const video = this.video; if (video) video.currentTime = Math.max(0, video.currentTime + seconds); }

    mute() {
      const media = this.section.querySelector("video.media, audio.media");
      if (!media) return;
      media.muted = !media.muted;
      if (!media.muted && !this.loud) { media.volume = FIRST_VOLUME; this.loud = true; }
      this.section.thing?.update();
    }

    // To a second before a flagged moment, paused; what is not revealed yet is asked for first, grey and blurred.
    moment(number) {
      if (!this.moments.length) return;
      this.here = (number + this.moments.length) % this.moments.length;
      const button = this.moments[this.here];
      this.moments.forEach((one) => one.setAttribute("aria-current", String(one === button)));
      this.label.textContent = `${this.here + 1} of ${this.moments.length}`;
      const place = Math.max(0, Number(button.dataset.begin) / 1000 - BEFORE);
      if (this.video) { this.go(place); return; }
      this.wanted = place;
      this.section.dispatchEvent(new CustomEvent("modfleet:wanted", { bubbles: true }));
    }

    go(place) {
      const video = this.video;
      this.wanted = undefined;
      video.pause();
      video.currentTime = place;
    }
  }

  const players = new Map([...root.querySelectorAll(".thing")].filter((one) => one.querySelector(".player")).map((one) => [one, new Player(one)]));
  const does = {
    play: (player) => player.toggle(),
    back: (player) => player.jump(-JUMP),
    forward: (player) => player.jump(JUMP),
    previous: (player) => player.moment(player.here < 0 ? -1 : player.here - 1),
    next: (player) => player.moment(player.here + 1),
    mute: (player) => player.mute(),
    larger: (player, button) => button.setAttribute("aria-pressed", String(player.section.classList.toggle("larger"))),
  };
  root.addEventListener("click", (event) => {
    const player = players.get(event.target.closest(".thing"));
    if (!player) return;
    const moment = event.target.closest(".moment"), button = event.target.closest("[data-do]");
    if (moment) player.moment(player.moments.indexOf(moment));
    else if (button) does[button.dataset.do]?.(player, button);
  });
  root.addEventListener("input", (event) => {
    const player = players.get(event.target.closest(".thing"));
    if (!player?.video) return;
    if (event.target === player.seek) player.video.currentTime = Number(player.seek.value);
    if (event.target.matches('[data-do="speed"]')) player.video.playbackRate = Number(event.target.value);
  });
  root.addEventListener("modfleet:shown", (event) => players.get(event.target)?.begin());
  root.addEventListener("modfleet:concealed", (event) => players.get(event.target)?.end());
})();
