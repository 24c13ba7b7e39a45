"""Files that end in .mlp: the pixels per side of an image, then the width of each linear layer, one a line."""

from accmine.errors import Complaint, InputError


def read(path):
    sizes, wrong = [], []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        text = line.partition("#")[0].strip()
        if text.isdigit():
            sizes.append(int(text))
        elif text:
            wrong.append(Complaint(f"{path}:{number}:1", "", f"must be a whole number, got {text!r}"))
    if wrong or len(sizes) < 2:
        raise InputError(wrong or f"{path} needs the pixels of an image and the width of a layer")
    image, *widths = sizes
    layers = [layer for width in widths for layer in ({"linear": {"out": width}}, "relu")]
    return {"family": "convnet", "image": image, "layers": layers[:-1]}
