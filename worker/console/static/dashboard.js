"use strict";
// The dashboard loads itself again, where somebody wants that, and never while they read a table of it.
(() => {
  const box = document.getElementById("by-itself");
  const wanted = new URLSearchParams(location.search).has("fresh");
  const switcher = box.querySelector("input");
  box.hidden = false;
  switcher.checked = wanted;
  switcher.addEventListener("change", () => location.assign(switcher.checked ? "/dashboard?fresh" : "/dashboard"));
  if (wanted) document.getElementById("fresh").href = "/dashboard?fresh";
  const again = () => {
    const reading = document.querySelector("details[open]");
    if (wanted && !reading && document.visibilityState === "visible") location.reload();
  };
  setInterval(again, 30000);
})();
