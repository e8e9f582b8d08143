// Theme: the one chosen last, before anything is painted. Without a choice the system's counts (style.css).
const chosen = localStorage.getItem("theme");
if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
