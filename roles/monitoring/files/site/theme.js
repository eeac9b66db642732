// Before anything is painted: the colours that the reader chose here, or else those of the reader's system.
"use strict";
(() => {
  let kept = "";
  try {
    kept = localStorage.getItem("theme") || "";
  } catch (_refused) {
    // A browser may keep nothing; the system's colours do.
  }
  if (kept === "dark" || kept === "light") document.documentElement.dataset.theme = kept;
})();
