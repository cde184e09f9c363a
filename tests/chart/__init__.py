"""The Helm chart, rendered by helm and checked from the view of an operator."""
