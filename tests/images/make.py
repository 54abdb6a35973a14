#!/usr/bin/env python3
"""Writes the image files of this folder, and expected.txt: the images that PIL (Debian's python3-pil, 9.4) decodes. Not needed
to run the tests.

A line of expected.txt: FILE SIZE CROP CHANNELS BACKGROUND WIDTH HEIGHT BYTES, the bytes in hexadecimal. SIZE and CROP are 0
if the image is not resized or cropped."""
import io
import math
import os
import struct
import zlib

from PIL import Image, ImageOps

W, H = 21, 13  # of most files: not powers of two, and rows do not fill whole bytes
HERE = os.path.dirname(os.path.abspath(__file__))


def rgba16(x, y):
    """A picture without symmetry: four values of 16 bits."""
    r = int(65535 * x / (W - 1))
    g = int(65535 * (0.5 + 0.5 * math.sin(0.7 * x + 1.3 * y)))
    b = int(65535 * y / (H - 1))
    a = [65535, 0, 40000][(x // 4 + y // 3) % 3]
    return r, g, b, a


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, depth, colour, sample, before=b"", after=b"", interlaced=False):
    """`sample(x, y)` is a tuple of values of `depth` bits."""

    def lines(xs, ys):
        out = b""
        for y in ys:
            bits = "".join(format(v, "0%db" % depth) for x in xs for v in sample(x, y))
            bits += "0" * (-len(bits) % 8)
            out += b"\0" + bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8))
        return out

    if interlaced:  # Adam7
        passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
        data = b"".join(lines(range(x, width, dx), range(y, height, dy)) for x, y, dx, dy in passes if x < width)
    else:
        data = lines(range(width), range(height))
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, int(interlaced))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + before + chunk(b"IDAT", zlib.compress(data, 9)) + after
            + chunk(b"IEND", b""))


def exif(orientation, order):
    return (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(
        order + "IHHHIHHHHIHHI", 8, 2, 0x0103, 3, 1, 6, 0, 0x0112, 3, 1, orientation, 0, 0)


def text(key, value, kind=b"tEXt"):
    """A chunk of text; iTXt is compressed where `kind` is b"iTXz"."""
    packed = zlib.compress(value)
    body = {b"tEXt": value, b"zTXt": b"\0" + packed, b"iTXt": b"\0\0\0\0" + value, b"iTXz": b"\1\0\0\0" + packed}[kind]
    return chunk(b"iTXt" if kind == b"iTXz" else kind, key + b"\0" + body)


def raw_profile(data, name=b"exif"):
    """As ImageMagick writes it."""
    digits = data.hex().encode()
    lines = b"".join(digits[i : i + 72] + b"\n" for i in range(0, len(digits), 72))
    return b"\n" + name + b"\n" + b"%8d\n" % len(data) + lines


def write(name, data):
    with open(os.path.join(HERE, name), "wb") as file:
        file.write(data)


def grey(depth):
    return lambda x, y: (rgba16(x, y)[1] >> (16 - depth),)


def index(depth):
    return lambda x, y: ((x + 2 * y) % (1 << depth if depth < 8 else 200),)


def palette(depth):
    count = 1 << depth if depth < 8 else 200
    return chunk(b"PLTE", bytes(v for i in range(count) for v in (255 * i // (count - 1), 37 * i % 256, 255 - 11 * i % 256)))


def eight(v):
    return (v * 255 + 32767) // 65535


def truth(columns, background):
    """A picture of 16 bits as one of eight: PIL itself knows no more than a part of them."""
    image = Image.new("RGBA", (W, H))
    image.putdata([tuple(eight(v) for v in columns(x, y)) for y in range(H) for x in range(W)])
    return flattened(image, background)


def flattened(image, background):
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, background + (255,)), image).convert("RGB")


def prepared(image, size, crop, channels):
    if channels == 1:
        image = image.convert("L")
    width, height = image.size
    if crop:
        left, top = round((width - crop) / 2), round((height - crop) / 2)
        image = image.crop((left, top, left + crop, top + crop))
        width = height = crop
    if size:
        longer = int(size * max(width, height) / min(width, height))
        to = (size, longer) if width <= height else (longer, size)
        image = image.resize(to, Image.BILINEAR)
        left, top = round((to[0] - size) / 2), round((to[1] - size) / 2)
        image = image.crop((left, top, left + size, top + size))
    return image


COLOURS = {"white": (255, 255, 255), "black": (0, 0, 0), "#204080": (32, 64, 128)}
expected = []


def expect(name, size=8, crop=0, channels=3, background="white", image=None):
    if image is None:
        image = ImageOps.exif_transpose(Image.open(os.path.join(HERE, name)))
        transparent = image.mode in ("LA", "RGBA") or "transparency" in image.info
        image = flattened(image, COLOURS[background]) if transparent else image.convert("RGB")
    image = prepared(image, size, crop, channels)
    expected.append("%s %d %d %d %s %d %d %s" % (name, size, crop, channels, background, *image.size, image.tobytes().hex()))


def make_pngs():
    for depth in (1, 2, 4, 8):
        write("grey%d.png" % depth, png(W, H, depth, 0, grey(depth)))
        write("palette%d.png" % depth, png(W, H, depth, 3, index(depth), palette(depth)))
        expect("grey%d.png" % depth)
        expect("palette%d.png" % depth)
    transparent = chunk(b"tRNS", bytes([255, 0, 100, 200]))
    write("palette4-alpha.png", png(W, H, 4, 3, index(4), palette(4) + transparent))
    write("grey4-key.png", png(W, H, 4, 0, grey(4), chunk(b"tRNS", struct.pack(">H", 15))))
    write("grey-alpha.png", png(W, H, 8, 4, lambda x, y: tuple(v >> 8 for v in rgba16(x, y)[1::2])))
    eight_bits = lambda x, y: tuple(v >> 8 for v in rgba16(x, y))
    write("rgb.png", png(W, H, 8, 2, lambda x, y: eight_bits(x, y)[:3]))
    key = struct.pack(">HHH", *eight_bits(3, 4)[:3])
    write("rgb-key.png", png(W, H, 8, 2, lambda x, y: eight_bits(x, y)[:3], chunk(b"tRNS", key)))
    write("rgba.png", png(W, H, 8, 6, eight_bits))
    write("rgba-interlaced.png", png(W, H, 8, 6, eight_bits, interlaced=True))
    write("grey2-interlaced.png", png(3, 5, 2, 0, grey(2), interlaced=True))  # some passes are empty
    write("exif6.png", png(W, H, 8, 2, lambda x, y: eight_bits(x, y)[:3], after=chunk(b"eXIf", exif(6, ">"))))
    for background, behind in COLOURS.items():
        for name in ("palette4-alpha.png", "grey-alpha.png", "rgb-key.png", "rgba.png", "rgba-interlaced.png"):
            expect(name, background=background)
        # PIL compares the 4-bit key with 8-bit values.
        keyed = lambda x, y: (4369 * grey(4)(x, y)[0],) * 3 + (0 if grey(4)(x, y)[0] == 15 else 65535,)
        expect("grey4-key.png", background=background, image=truth(keyed, behind))
    expect("rgba.png", channels=1, background="#204080")
    expect("rgb.png", channels=1)
    expect("exif6.png", 0)
    expect("grey2-interlaced.png", 4)
    for size, crop in ((5, 0), (13, 0), (21, 0), (32, 0), (1, 0), (0, 12), (0, 13), (8, 12), (20, 7)):
        expect("rgb.png", size, crop)

    write("grey16.png", png(W, H, 16, 0, lambda x, y: rgba16(x, y)[1:2]))
    write("rgb16.png", png(W, H, 16, 2, lambda x, y: rgba16(x, y)[:3]))
    write("rgba16.png", png(W, H, 16, 6, rgba16))
    opaque = lambda x, y: rgba16(x, y)[:3] + (65535,)
    expect("grey16.png", image=truth(lambda x, y: rgba16(x, y)[1:2] * 3 + (65535,), COLOURS["white"]))
    expect("rgb16.png", 0, image=truth(opaque, COLOURS["white"]))
    expect("rgb16.png", image=truth(opaque, COLOURS["white"]))
    expect("rgba16.png", background="#204080", image=truth(rgba16, COLOURS["#204080"]))


def make_jpegs():
    picture = Image.open(os.path.join(HERE, "rgb.png")).resize((2 * W, 2 * H), Image.BICUBIC)
    kinds = {"colour.jpg": ("RGB", {"subsampling": 0}), "colour-420.jpeg": ("RGB", {"subsampling": 2}), "grey.jpg": ("L", {}),
             "progressive.JPG": ("RGB", {"progressive": True}), "cmyk.jpg": ("CMYK", {})}
    for name, (mode, options) in kinds.items():
        out = io.BytesIO()
        picture.convert(mode).save(out, "JPEG", quality=80, **options)
        write(name, out.getvalue())
        expect(name)
    expect("colour.jpg", 0)
    expect("colour-420.jpeg", 8, channels=1)
    expect("colour-420.jpeg", 17)
    # Eight files of the same picture, each stored so that its orientation restores it.
    inverse = {2: Image.FLIP_LEFT_RIGHT, 3: Image.ROTATE_180, 4: Image.FLIP_TOP_BOTTOM, 5: Image.TRANSPOSE, 6: Image.ROTATE_90,
               7: Image.TRANSVERSE, 8: Image.ROTATE_270}
    small = picture.resize((16, 8), Image.BICUBIC)
    for orientation in range(1, 9):
        out = io.BytesIO()
        stored = small.transpose(inverse[orientation]) if orientation > 1 else small
        block = exif(orientation, "<>"[orientation % 2])
        stored.save(out, "JPEG", quality=95, subsampling=0, exif=b"Exif\0\0" + block)
        write("exif%d.jpg" % orientation, out.getvalue())
        expect("exif%d.jpg" % orientation, 0)


if __name__ == "__main__":
    make_pngs()
    make_jpegs()
    write("expected.txt", ("\n".join(expected) + "\n").encode())
