(() => {
  const root = document.documentElement;
  const button = document.querySelector("[data-toggle-theme]");
  const remember = (theme) => { try { localStorage.setItem("seedbed-theme", theme); } catch { /* a file without storage */ } };
  const isDark = () => root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const label = () => { button.textContent = isDark() ? "Light" : "Dark"; button.setAttribute("aria-label", `Switch to ${isDark() ? "light" : "dark"} colors`); };
  try { const theme = localStorage.getItem("seedbed-theme"); if (theme) root.dataset.theme = theme; } catch { /* the system's choice */ }
  button.hidden = false;
  label();
  button.addEventListener("click", () => { root.dataset.theme = isDark() ? "light" : "dark"; remember(root.dataset.theme); label(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", label);

  // The line of the contents that one is reading.
  const links = new Map([...document.querySelectorAll("nav.contents a")].map((a) => [a.hash.slice(1), a]));
  if ("IntersectionObserver" in window) {
    const seen = new IntersectionObserver((entries) => entries.forEach((entry) => {
      if (!entry.isIntersecting) return;
      links.forEach((a) => a.removeAttribute("aria-current"));
      links.get(entry.target.id)?.setAttribute("aria-current", "true");
    }), { rootMargin: "-15% 0px -75% 0px" });
    links.forEach((_, id) => { const section = document.getElementById(id); if (section) seen.observe(section); });
  }
})();
