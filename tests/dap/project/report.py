title = "report"
lines = [title, "-" * len(title)]
print("\n".join(lines))
