"""From what lies on disk, or elsewhere, to bytes, lines, records and texts."""
