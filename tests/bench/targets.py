"""The targets of the design, compared with the measurements."""

from report import ratio

OURS = ["publish-xz", "publish-gz"]
PEERS = ["reprepro-gz", "reprepro-xz", "aptly", "apt-ftparchive"]


def judge(results):
    """Returns a row for each target; `reached` is None if it was not measured."""

    def nothing(field, tool):
        return results.median(field, "all", tool, 10_000)

    def one_more(size, tool="publish-xz"):
        return results.median("cpu_s", "one more", tool, size)

    def peak(work, size):
        return ratio(results.largest("peak_kib", work, "publish-xz", size), 1024)

    def files(form):
        return results.largest(form + "_ratio", "sizes", "publish-xz", 60_000)

    largest = results.largest("cpu_s", "one more", "publish-xz", 60_000)
    growth, floor = (ratio(one_more(60_000, tool), one_more(1_000, tool)) for tool in ("publish-xz", "floor"))
    ours, peers = ([nothing("wall_s", tool) for tool in tools] for tools in (OURS, PEERS))
    slower = None if None in ours else max(ours)
    fastest = min((wall for wall in peers if wall is not None), default=None)
    large = ratio(*(results.median("wall_s", "large", tool) for tool in ("publish-xz", "md5sum")))
    return [
        row("one more at 60,000: CPU", "≤", 0.5, " s", one_more(60_000), largest=largest, floor=one_more(60_000, "floor")),
        row("one more: CPU at 60,000 beside that at 1,000", "<", 8, " ×", growth, floor=floor),
        row("`.xz` at 60,000 beside one stream", "≤", 1.10, " ×", files("xz")),
        row("`.gz` at 60,000 beside one stream", "≤", 1.02, " ×", files("gz")),
        row("10,000 from nothing, gz + xz: CPU", "≤", 4, " s", nothing("cpu_s", "publish-xz")),
        row("10,000 from nothing, gz: CPU", "≤", 1.5, " s", nothing("cpu_s", "publish-gz")),
        row("10,000 from nothing: wall, beside the fastest peer's", "<", fastest, " s", slower),
        row("60,000 from nothing: peak memory", "≤", 200, " MiB", peak("set up", 60_000)),
        row("one more at 60,000: peak memory", "≤", 200, " MiB", peak("one more", 60_000)),
        row("1,000 from nothing: peak memory", "≤", 60, " MiB", peak("set up", 1_000)),
        row("one more at 1,000: peak memory", "≤", 60, " MiB", peak("one more", 1_000)),
        row("large .debs: wall, beside md5sum's", "≤", 1.3, " ×", large),
        row("requests of a sync of one more, none a listing: see `tests/bench/sync`", "≤", 20, "", None),
    ]


def row(what, sign, limit, unit, value, **beside):
    known = None not in (limit, value)
    return {
        "target": what,
        "sign": sign,
        "limit": limit,
        "unit": unit,
        "measured": value,
        "beside": beside,
        "reached": (value <= limit if sign == "≤" else value < limit) if known else None,
    }
