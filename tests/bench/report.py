"""The tables, in Markdown, on stdout."""


def table(results, tools, title, work):
    """Prints one workload at one size: a row for each program."""
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


def growth(results, tools, sizes):
    """Prints one more .deb at every size: a row for each program, a table for each quantity."""
    first, last = span(sizes)
    quantities = [
        ("CPU s, user and system", "cpu_s", "{:.3f}".format),
        ("wall s", "wall_s", "{:.3f}".format),
        ("peak MiB", "peak_kib", mebibytes),
    ]
    for title, field, shown in quantities:
        print(f"\n### One more .deb beside N packages: {title}; median (largest)\n")
        print("| program | indices |" + "".join(f" {size:,} |" for size in sizes) + f" {first:,} → {last:,} |")
        print("|---|---|" + "---:|" * (len(sizes) + 1))
        for tool in tools:
            cells, missing = [], "–"
            for size in sizes:
                median, largest = (of(field, "one more", tool.name, size) for of in (results.median, results.largest))
                if ("one more", tool.name, size) in results.failed:
                    missing = "**failed**"
                cells.append(missing if median is None else f"{shown(median)} ({shown(largest)})")
            factor = ratio(*(results.median(field, "one more", tool.name, size) for size in (last, first)))
            cells.append("–" if factor is None else f"{factor:.1f} ×")
            print(f"| {tool.name} | {tool.indices} | {' | '.join(cells)} |")
    for (work, _, size), (tool, why) in results.failed.items():
        if work == "one more":
            print(f"\n**{tool.name} at {size:,}: {why}**")


def sizes(results):
    """Prints the files of `publish` and the same data in one stream of the same level."""
    rows = [line for line in results.lines if line["work"] == "sizes"]
    if not rows:
        return
    print("\n### Bytes of the indices of publish beside one stream: `gzip -6`, `xz -6`\n")
    print("| packages | when | .gz | one stream | | .xz | one stream | |\n|---:|---|---:|---:|---:|---:|---:|---:|")
    for row in rows:
        cells = [f"{row[form]:,} | {row[form + '_stream']:,} | {row[form + '_ratio']:.3f}" for form in ("gz", "xz")]
        print(f"| {row['size']:,} | {row['when']} | {' | '.join(cells)} |")


def targets(judged):
    print("\n### Targets\n\n| | target | measured | reached |\n|---|---|---|---|")
    for row in judged:
        limit, measured = (figure(row[key], row["unit"]) for key in ("limit", "measured"))
        beside = ", ".join(f"{name} {figure(value, row['unit'])}" for name, value in row["beside"].items() if value is not None)
        reached = {True: "yes", False: "**NO**", None: "not measured"}[row["reached"]]
        print(f"| {row['target']} | {row['sign']} {limit} | {measured}{f' ({beside})' if beside else ''} | {reached} |")


def span(sizes):
    """Returns the two sizes that growth is computed for: those of the target, if they are measured."""
    return (1_000, 60_000) if {1_000, 60_000} <= set(sizes) else (sizes[0], sizes[-1])


def figure(value, unit):
    return "–" if value is None else f"{value:.4g}{unit}"


def mebibytes(kibibytes):
    return "?" if kibibytes is None else f"{kibibytes / 1024:.0f}"


def ratio(one, other):
    return one / other if one is not None and other else None
