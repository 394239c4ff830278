"""What the OCSP bench says in the end: tables for docs/benchmarks.md, and
which budgets are kept.
"""

import statistics

import machine

NAMES = {
    "nginx": "nginx, static file",
    "table": "ocspd, from the table",
    "post": "ocspd, from the table, POST",
    "p256": "ocspd, nonce, P-256",
    "rsa": "ocspd, nonce, RSA-2048",
    "cfssl": "`cfssl ocspserve`, POST",
    "openssl": "`openssl ocsp`, P-256",
    "ocspd": "ocspd",
}
CLIENTS = {"wrk": "Keep-alive (wrk)",
           "ab": "A connection for each request (ab)"}


def table(heads, lines):
    print("| " + " | ".join(heads) + " |")
    print("|" + "---|" * len(heads))
    for line in lines:
        print("| " + " | ".join(line) + " |")


def short(value):
    """Three digits that count."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


class Report:
    def __init__(self, bench, options):
        self.bench, self.options = bench, options

    def rows_of(self, key):
        return list(self.bench.rows.get(key, {}).values())

    def cell(self, key, *columns):
        rows = self.rows_of(key)
        if not rows:
            return "stalled \\*" if key in self.bench.stalls else "–"
        star = "\\*" if key in self.bench.stalls else ""
        return " / ".join(short(machine.median(rows, column))
                          for column in columns) + star

    def names(self, client):
        """Those with this client, in the order of NAMES."""
        seen = {key[0] for key in [*self.bench.rows, *self.bench.stalls]
                if key[1] == client}
        return [name for name in NAMES if name in seen]

    def by_connections(self, client, title, *columns):
        levels = self.options.connections
        print(f"\n{CLIENTS[client]}: {title}\n")
        table(["connections", *(f"{n:,}" for n in levels)],
              [[NAMES[name], *(self.cell((name, client, n), *columns)
                               for n in levels)]
               for name in self.names(client) if name != "post"])

    def at_budget(self, client, connections):
        print(f"\n{CLIENTS[client]}, {connections} connections\n")
        lines = []
        for name in self.names(client):
            rows = self.rows_of((name, client, connections))
            if rows:
                lines.append([
                    NAMES[name], machine.spread(rows, "rate", "{:,.0f}"),
                    *(f"{machine.median(rows, column):.2f}"
                      for column in ("cpu", "p50", "p99")),
                    f"{100 * machine.median(rows, 'busy'):.0f} %"])
        table(["", "requests/s (least to most)", "CPU s per 100k", "p50 ms",
               "p99 ms", "server busy"], lines)

    def starts(self):
        print("\nStart to the first answer; memory after all this\n")
        table(["", "start ms", "RSS MiB", "PSS MiB"],
              [[NAMES[name], *(short(machine.median(rows, column))
                               for column in ("start_ms", "rss", "pss"))]
               for name, rows in self.bench.starts.items()])

    def ratios(self, one, other, column, scale=1):
        """Of each run that has both."""
        ones, others = (self.bench.rows.get(key, {}) for key in (one, other))
        return [scale * ones[run][column[0]] / others[run][column[1]]
                for run in sorted(ones.keys() & others.keys())]

    def budgets(self, connections):
        def of(name):
            return (name, "wrk", connections)

        def costs(name):
            return self.ratios(of(name), ("sign", name), ("cpu", "us"), 10)

        lines = []
        for text, bound, at_least, values in (
                ("table: requests/s, of nginx's", 1, True,
                 self.ratios(of("table"), of("nginx"), ("rate", "rate"))),
                ("table: CPU a request, of nginx's", 0.9, False,
                 self.ratios(of("table"), of("nginx"), ("cpu", "cpu"))),
                ("table, POST: CPU a request, of cfssl's", 1 / 6, False,
                 self.ratios(of("post"), of("cfssl"), ("cpu", "cpu"))),
                ("nonce, P-256: CPU an answer, in signatures", 2, False,
                 costs("p256")),
                ("nonce, RSA-2048: CPU an answer, in signatures", 1.15, False,
                 costs("rsa"))):
            if not values:
                lines.append([text, "", "not measured", "**missed**"])
                continue
            middle = statistics.median(values)
            kept = middle >= bound if at_least else middle <= bound
            lines.append([
                text, f"{'at least' if at_least else 'at most'} {bound:.3g}",
                f"{middle:.3f} ({min(values):.3f} to {max(values):.3f})",
                "kept" if kept else "**missed**"])
        print(f"\nBudgets: {connections} connections with keep-alive, one "
              "processor; medians of each run's ratio (least to most)\n")
        table(["", "budget", "measured", ""], lines)
        signatures = [f"{what} {self.cell(('sign', name), 'us')} µs"
                      for name, what in (("p256", "P-256"),
                                         ("rsa", "RSA-2048"))]
        print("\nOne signature by `openssl speed`: " + ", ".join(signatures))

    def stalls(self):
        for (name, client, connections), whys in self.bench.stalls.items():
            print(f"\\* {NAMES[name]}, {client}, {connections} connections: "
                  f"{len(whys)} of {self.options.runs} runs do not count: "
                  f"{whys[0]}")


def tell(bench, options, octets, connections):
    print(f"\nMedians of {options.runs} runs, {options.seconds} s each with "
          f"wrk, {options.ab_seconds} s with ab; {octets} octets an answer.")
    report = Report(bench, options)
    for client in CLIENTS:
        report.at_budget(client, connections)
        if options.connections != [connections]:
            report.by_connections(client, "requests/s", "rate")
            report.by_connections(client, "CPU s per 100k", "cpu")
            report.by_connections(client, "p50 / p99, ms", "p50", "p99")
    report.starts()
    report.budgets(connections)
    report.stalls()
