"""The measurements: one line of JSON each, written immediately, so that an aborted run keeps its lines."""

import json
import statistics


class Results:
    def __init__(self, file):
        self.file = file
        self.lines = []
        self.failed = {}

    def write(self, line):
        self.file.write(json.dumps(line) + "\n")
        self.file.flush()

    def add(self, work, tool, size, **more):
        line = {"work": work, "tool": tool.name, "indices": tool.indices, "size": size, **more}
        self.lines.append(line)
        self.write(line)

    def fail(self, work, tool, size, why):
        self.failed.setdefault((work, tool.name, size), (tool, str(why)))
        self.write({"work": work, "tool": tool.name, "size": size, "failed": str(why)})

    def values(self, field, work, tool, size=None):
        """Returns None for a program that failed, because a partial result is not comparable."""
        if any((work, tool) == key[:2] and size in (None, key[2]) for key in self.failed):
            return []
        return [
            line[field]
            for line in self.lines
            if (line["work"], line["tool"]) == (work, tool) and size in (None, line["size"]) and line[field] is not None
        ]

    def median(self, field, work, tool, size=None):
        values = self.values(field, work, tool, size)
        return statistics.median(values) if values else None

    def largest(self, field, work, tool, size=None):
        return max(self.values(field, work, tool, size), default=None)
