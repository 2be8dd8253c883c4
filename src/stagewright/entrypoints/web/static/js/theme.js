// Runs before the page is painted, so that it does not flash in the other theme.
try {
  const theme = localStorage.getItem("sw-theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch { /* storage may be forbidden: the system's theme stands */ }
