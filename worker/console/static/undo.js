"use strict";
// The bar with which a ruling is undone: it counts the seconds that the server has said are left, by this page's own time.
(() => {
  const bar = document.getElementById("undo");
  const button = bar?.querySelector("button");
  if (!button) return;
  const until = performance.now() + 1000 * Number(bar.dataset.left);
  const shown = bar.querySelector("[data-countdown]");
  const tick = () => {
    const left = Math.ceil((until - performance.now()) / 1000);
    if (left > 0) {
      shown.textContent = `${left} s`;
      return;
    }
    clearInterval(timer);
    button.disabled = true;
    shown.textContent = "";
    const over = document.createElement("p");
    over.className = "muted";
    over.textContent = "It is being carried out; a new decision about the item can reverse it.";
    bar.append(over);
  };
  const timer = setInterval(tick, 250);
  tick();
  // A page that is loaded again, or shared, should not tell of it once more.
  const here = new URL(location.href);
  here.searchParams.delete("after");
  here.searchParams.delete("changed");
  history.replaceState(history.state, "", here);
})();
