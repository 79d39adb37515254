import pathlib


def numbers(folder):
    for path in sorted(pathlib.Path(folder).rglob("*.txt")):
        yield from map(int, path.read_text().split())
