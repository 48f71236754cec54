// @ts-check
// Light or dark before anything is drawn: what was chosen here last, else what the system prefers.
(() => {
  const wish = window.matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    let chosen = null;
    try {
      chosen = localStorage.getItem("pellucid-theme");
    } catch {
      // storage may be forbidden: the system's wish then
    }
    document.documentElement.dataset.theme = chosen === "light" || chosen === "dark" ? chosen : wish.matches ? "dark" : "light";
    document.dispatchEvent(new Event("themechange"));
  };
  wish.addEventListener("change", apply);
  window.addEventListener("storage", apply);
  document.addEventListener("themechosen", apply);
  apply();
})();
