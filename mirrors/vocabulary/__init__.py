"""Words and limits that all layers share: reasons of decisions, advice on errors, bounds of stored values. Pure."""
