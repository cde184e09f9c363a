// The documentation of the API is dark where the admin is: by the user's choice there, else by the system's.
"use strict";
(() => {
    const system = window.matchMedia("(prefers-color-scheme: dark)");
    const chosen = () => {
        try {
            return JSON.parse(localStorage.getItem("adminTheme"));
        } catch {
            return null;
        }
    };
    const apply = () => {
        const theme = chosen();
        const isDark = theme === "dark" || (theme !== "light" && system.matches);
        document.documentElement.classList.toggle("dark-mode", isDark);
    };
    system.addEventListener("change", apply);
    window.addEventListener("storage", apply);
    apply();
})();
