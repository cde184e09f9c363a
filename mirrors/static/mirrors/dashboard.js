// Prepares the data of the charts, with hours in the viewer's time zone, and redraws them when the numbers are refreshed.
"use strict";
// Returns the data of a chart, and labels the chart with a summary for screen readers.
const read = (canvas) => {
  const source = document.querySelector(`[data-chart="${canvas.dataset.of}"]`);
  const value = JSON.parse(source.dataset.value);
  const words = canvas.dataset.unit === "hour"
    ? (at) => at.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" })
    : (at) => at.toLocaleDateString(undefined, { day: "numeric", month: "short", timeZone: "UTC" });
  value.labels = value.labels.map((label) => words(new Date(label)));
  canvas.dataset.title ??= canvas.ariaLabel;
  canvas.ariaLabel = `${canvas.dataset.title}. ${source.textContent}`;
  return value;
};
const canvases = document.querySelectorAll("canvas[data-of]");
for (const canvas of canvases) { canvas.dataset.value = JSON.stringify(read(canvas)); }
document.addEventListener("htmx:afterSwap", () => {
  for (const canvas of canvases) {
    const chart = Chart.getChart(canvas);
    if (!chart) { continue; }
    const value = read(canvas);
    chart.data.labels = value.labels;
    value.datasets.forEach((set, which) => { chart.data.datasets[which].data = set.data; });
    chart.update("none");
  }
});
// Start axes at zero, so that few values are not drawn as large changes, and count jobs in whole numbers.
window.addEventListener("load", () => {
  for (const canvas of canvases) {
    const chart = Chart.getChart(canvas);
    if (!chart) { continue; }
    const axis = chart.options.scales.y;
    axis.beginAtZero = true;
    if (canvas.dataset.of === "coverage") { axis.suggestedMax = 100; }
    if (canvas.dataset.of === "jobs") { axis.ticks.precision = 0; }
    chart.update("none");
  }
});
