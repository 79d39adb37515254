"""Doubles each number, and writes a report."""

import json
import pathlib

place = pathlib.Path("/opt/ml/processing")
lines = [str(2 * int(line)) for line in (place / "in" / "numbers.txt").read_text().split()]
(place / "out").mkdir(parents=True, exist_ok=True)
(place / "out" / "numbers.txt").write_text("\n".join(lines))
(place / "report").mkdir(parents=True, exist_ok=True)
(place / "report" / "report.json").write_text(json.dumps({"rows": len(lines)}))
