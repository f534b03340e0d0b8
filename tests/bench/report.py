"""The tables, in Markdown, on stdout."""


def table(results, tools, title, work):
    """One work at one size: a row for each program."""
    rows, failed = [], []
    for tool in tools:
        walls = results.values("wall_s", work, tool.name)
        if walls:
            of = lambda field: results.median(field, work, tool.name)  # noqa: E731
            spread = f" ({min(walls):.2f} to {max(walls):.2f})" if len(walls) > 1 else ""
            cpu = f"{of('cpu_s'):.2f} ({of('user_s'):.2f} + {of('system_s'):.2f})"
            peak = mebibytes(of("peak_kib"))
            rows.append(f"| {tool.name} | {tool.indices} | {of('wall_s'):.2f}{spread} | {cpu} | {peak} | {len(walls)} |")
    for (what, _, _), (tool, why) in results.failed.items():
        if what == work:
            failed.append(f"| {tool.name} | {tool.indices} | **failed**: {why} | | | |")
    if rows or failed:
        print(f"\n### {title}\n")
        print("| program | indices | wall s | CPU s (user + system) | peak MiB | runs |\n|---|---|---:|---:|---:|---:|")
        print("\n".join(rows + failed))


def mebibytes(kibibytes):
    return "?" if kibibytes is None else f"{kibibytes / 1024:.0f}"
