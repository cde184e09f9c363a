// Makes the API documentation dark if the admin is dark: by the user's choice in the admin, or else by the system's setting.
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
