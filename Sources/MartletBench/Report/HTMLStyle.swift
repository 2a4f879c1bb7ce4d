/// How the page of a report looks, by day and by night.
enum HTMLStyle {
    static let text = """
        :root {
          --paper: #f6f7f9; --sheet: #ffffff; --ink: #1b2330; --quiet: #5b6676; --rule: #dde2ea;
          --line0: #1667c4; --line1: #c2570c; --line2: #c0273a; --good: #1c7a45;
        }
        @media (prefers-color-scheme: dark) {
          :root {
            --paper: #12161d; --sheet: #1a202a; --ink: #e6eaf0; --quiet: #97a3b4;
            --rule: #2d3643; --line0: #6db0ff; --line1: #ffa45c; --line2: #ff7b88;
            --good: #5fd08f;
          }
        }
        * { box-sizing: border-box; }
        body {
          margin: 0; background: var(--paper); color: var(--ink);
          font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
        }
        main { max-width: 800px; margin: 0 auto; padding: 32px 20px 48px; }
        h1 { font-size: 24px; line-height: 1.25; margin: 0 0 8px; overflow-wrap: anywhere; }
        h2 { font-size: 16px; margin: 24px 0 8px; }
        .settings { color: var(--quiet); margin: 0 0 20px; }
        .conclusion, .warning {
          margin: 0 0 10px; padding: 10px 14px; background: var(--sheet);
          border: 1px solid var(--rule); border-left: 4px solid var(--good); border-radius: 6px;
        }
        .warning { border-left-color: var(--line1); }
        .cards { display: flex; flex-wrap: wrap; gap: 12px; margin: 16px 0; }
        .card {
          flex: 1 1 120px; background: var(--sheet); border: 1px solid var(--rule);
          border-radius: 8px; padding: 12px 16px;
        }
        .card b { display: block; font-size: 24px; line-height: 1.2; font-weight: 650; }
        .card b, td { font-variant-numeric: tabular-nums; }
        .card span { color: var(--quiet); font-size: 13px; }
        .card.bad b { color: var(--line2); }
        figure {
          margin: 16px 0; padding: 14px 16px 8px; background: var(--sheet);
          border: 1px solid var(--rule); border-radius: 8px;
        }
        figcaption { font-weight: 600; margin-bottom: 6px; }
        svg { display: block; width: 100%; height: auto; }
        .grid { stroke: var(--rule); stroke-width: 1; }
        .tick, .axis, .levelname { fill: var(--quiet); font-size: 11px; }
        .line { fill: none; stroke-width: 2; stroke-linejoin: round; }
        .line.dashed { stroke-dasharray: 5 4; stroke-width: 1.5; }
        .line0 { stroke: var(--line0); } .line1 { stroke: var(--line1); }
        .line2 { stroke: var(--line2); }
        .dot.line0 { fill: var(--line0); }
        .level { stroke: var(--line2); stroke-width: 1.5; stroke-dasharray: 2 4; }
        .key {
          display: inline-block; width: 18px; height: 0; border-top: 3px solid;
          margin: 0 6px 4px 14px; vertical-align: middle;
        }
        .key.dashed { border-top-style: dashed; border-top-width: 2px; }
        .key.line0 { border-color: var(--line0); } .key.line1 { border-color: var(--line1); }
        .key.line2 { border-color: var(--line2); }
        h2 .key { margin-left: 0; }
        .name { font-weight: 400; color: var(--quiet); font-size: 13px; }
        .scroll { overflow-x: auto; }
        table {
          border-collapse: collapse; width: 100%; margin: 12px 0; background: var(--sheet);
          border: 1px solid var(--rule);
        }
        th, td { text-align: right; padding: 5px 12px; border-bottom: 1px solid var(--rule); }
        td { white-space: nowrap; }
        td:last-child { white-space: normal; }
        thead th { color: var(--quiet); font-size: 13px; font-weight: 600; }
        tr > th:first-child { text-align: left; font-weight: 500; }
        footer { color: var(--quiet); font-size: 13px; margin-top: 24px; }
        """
}
