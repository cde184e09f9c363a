"""Constants that all layers share: reasons of decisions, bounds of stored values. Pure."""
