from pathlib import Path

rows = [1, 2, 3]
Path("/opt/ml/processing/out/rows.txt").write_text(repr(rows))
print("prepared", len(rows), "rows")
