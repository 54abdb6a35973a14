#!/usr/bin/python3
"""Writes PNG and JPEG files of every kind into a folder, and expected.txt: the images that PIL decodes (make.py has the format).

    tests/images/corpus.py FOLDER"""
import io
import itertools
import os
import struct
import sys
import warnings

import PIL
from PIL import Image, ImageOps

sys.dont_write_bytecode = True
import make
from make import chunk, png, raw_profile, text

FOLDER = sys.argv[1]
warnings.simplefilter("ignore")  # PIL warns about damaged EXIF
EXIF, XMP = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"
# Older versions reject eXIf with EXIF's header and ignore XMP in JPEG files.
PIL_IS_NEW = int(PIL.__version__.split(".")[0]) >= 11
METHODS = [None, None, Image.FLIP_LEFT_RIGHT, Image.ROTATE_180, Image.FLIP_TOP_BOTTOM, Image.TRANSPOSE, Image.ROTATE_270,
           Image.TRANSVERSE, Image.ROTATE_90]
expected = []


def picture(width, height, mode="RGB"):
    """A picture without symmetry, smooth enough for JPEG."""
    image = Image.new("RGBA", (width, height))
    image.putdata([(255 * x // max(1, width - 1), 255 * y // max(1, height - 1), (37 * x + 91 * y) % 256 // 2,
                    [255, 0, 160][(x // 4 + y // 3) % 3]) for y in range(height) for x in range(width)])
    return image.convert(mode)


def add(name, data, orientation=None, image=None):
    """The expected image is `image`, or what PIL decodes, rotated by `orientation`, or else by PIL."""
    with open(os.path.join(FOLDER, name), "wb") as file:
        file.write(data)
    image = image or Image.open(io.BytesIO(data))
    if orientation is None:
        image = ImageOps.exif_transpose(image)
    elif orientation > 1:
        image = image.transpose(METHODS[orientation])
    if image.mode.startswith("I"):  # 16 bits; PIL would clip them in a conversion to 8 bits
        image = image.convert("I").point(lambda v: v * (1 / 257) + 0.5).convert("L")
    transparent = image.mode in ("LA", "RGBA", "PA") or "transparency" in image.info
    channels = 1 if image.mode in ("1", "L") and not transparent else 3
    image = make.flattened(image, (255, 255, 255)) if transparent else image.convert("L" if channels == 1 else "RGB")
    expected.append("%s 0 0 %d white %d %d %s" % (name, channels, *image.size, image.tobytes().hex()))


def encoded(image, form, **options):
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


SIZES = [(1, 1), (1, 7), (7, 1), (2, 3), (8, 8), (17, 9), (33, 20)]


def pngs_of_pil():
    for (w, h), mode in itertools.product(SIZES, ["1", "L", "LA", "RGB", "RGBA"]):
        add("%s-%dx%d.png" % (mode, w, h), encoded(picture(w, h).convert(mode) if mode == "1" else picture(w, h, mode), "PNG"))
    for colours in (2, 3, 4, 16, 17, 256):
        image = picture(33, 20, "RGB").quantize(colours)
        add("palette-%d.png" % colours, encoded(image, "PNG"))
        add("palette-%d-key.png" % colours, encoded(image, "PNG", transparency=1))
        add("palette-%d-alpha.png" % colours, encoded(image, "PNG", transparency=bytes(255 * i // colours for i in range(colours))))
    for level in (0, 1, 9):
        add("level-%d.png" % level, encoded(picture(33, 20), "PNG", compress_level=level))
    add("optimized.png", encoded(picture(33, 20), "PNG", optimize=True))
    add("grey-key.png", encoded(picture(33, 20, "L"), "PNG", transparency=picture(33, 20, "L").getpixel((5, 5))))
    add("rgb-key.png", encoded(picture(33, 20), "PNG", transparency=picture(33, 20).getpixel((5, 5))))


def pngs_of_bits():
    """Depths, interlacing and filters that PIL does not write."""
    for (w, h), interlaced in itertools.product(SIZES, (False, True)):
        name = "%dx%d%s.png" % (w, h, "-interlaced" if interlaced else "")
        for depth in (1, 2, 4, 8):
            add("grey%d-" % depth + name, png(w, h, depth, 0, lambda x, y: ((3 * x + 5 * y) % (1 << depth),), interlaced=interlaced))
            add("palette%d-" % depth + name, png(w, h, depth, 3, lambda x, y: ((x + 2 * y) % min(200, 1 << depth),),
                                                make.palette(depth), interlaced=interlaced))
        add("grey16-" + name, png(w, h, 16, 0, lambda x, y: ((4001 * x + 257 * y) % 65536,), interlaced=interlaced))
        for depth in (8, 16):
            sample = lambda x, y: tuple((v * (x + 1) + 31 * v * y) % (1 << depth) for v in (201, 57, 1000, 333))
            add("rgb%d-" % depth + name, png(w, h, depth, 2, lambda x, y: sample(x, y)[:3], interlaced=interlaced))
            image = Image.new("RGBA", (w, h))  # PIL would drop the lower 8 of 16 bits before blending
            image.putdata([tuple(round(v * 255 / (2**depth - 1)) for v in sample(x, y)) for y in range(h) for x in range(w)])
            add("rgba%d-" % depth + name, png(w, h, depth, 6, sample, interlaced=interlaced), image=image)
        add("la8-" + name, png(w, h, 8, 4, lambda x, y: ((9 * x + y) % 256, (70 * x + 50 * y) % 256), interlaced=interlaced))


def jpegs():
    for (w, h), mode in itertools.product(SIZES, ["L", "RGB", "CMYK"]):
        add("%s-%dx%d.jpg" % (mode, w, h), encoded(picture(w, h).convert(mode), "JPEG"))
    for quality, subsampling, progressive in itertools.product((5, 60, 100), (0, 1, 2), (False, True)):
        add("q%d-s%d-p%d.jpg" % (quality, subsampling, progressive),
            encoded(picture(33, 20), "JPEG", quality=quality, subsampling=subsampling, progressive=progressive))
    add("optimized.jpg", encoded(picture(33, 20), "JPEG", optimize=True))
    add("comment.jpg", encoded(picture(33, 20), "JPEG", comment=b"of no matter", dpi=(300, 300)))
    add("profile.jpg", encoded(picture(33, 20), "JPEG", icc_profile=bytes(range(256)) * 300))


def exif(value, kind=3, order="<", count=1, where=None, tag=0x0112, more=(), data=b""):
    """A TIFF header and a directory with the entries `more` and one other; `data` begins at offset 32."""
    size = {1: "B", 2: "B", 3: "H", 4: "I", 5: "II", 6: "b", 8: "h", 9: "i"}.get(kind, "I")
    packed = struct.pack(order + "I", where) if where else struct.pack(order + size[0], value).ljust(4, b"\0")
    entries = list(more) + [struct.pack(order + "HHI", tag, kind, count) + packed]
    return ((b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IH", 8, len(entries)) + b"".join(entries) +
            struct.pack(order + "I", 0) + struct.pack(order + "HHH", 6, 8, 1) + data)  # the last three values are at 26


def xmp(orientation, element=False):
    said = b"<tiff:Orientation>%d</tiff:Orientation>" if element else b'<rdf:Description tiff:Orientation="%d"/>'
    return b'<?xpacket begin=""?><x:xmpmeta><rdf:RDF>' + said % orientation + b"</rdf:RDF></x:xmpmeta>"


def stored_png(before=b"", after=b""):
    return png(7, 4, 8, 2, lambda x, y: picture(7, 4).getpixel((x, y)), before, after)


def segment(data):
    return b"\xff\xe1" + struct.pack(">H", len(data) + 2) + data


def stored_jpeg(*segments):
    data = encoded(picture(24, 16), "JPEG", quality=95, subsampling=0)
    return data[:2] + b"".join(segment(s) for s in segments) + data[2:]


def everywhere(name, block, orientation=None):
    """Adds files of both formats with an EXIF block."""
    add(name + ".png", stored_png(chunk(b"eXIf", block)), orientation)
    add(name + "-after.png", stored_png(after=chunk(b"eXIf", block)), orientation)
    add(name + ".jpg", stored_jpeg(EXIF + block), orientation)


def orientations():
    for n, order in itertools.product(range(10), "<>"):
        everywhere("exif%d-%s" % (n, "le" if order == "<" else "be"), exif(n, order=order))
    for kind in (3, 4, 6, 8, 9):
        everywhere("type%d" % kind, exif(6, kind))
    everywhere("type1", exif(6, 1), 6)  # PIL ignores BYTE
    for kind, data in {5: struct.pack("<II", 12, 2), 10: struct.pack("<ii", 6, 1), 11: b"", 12: struct.pack("<d", 6),
                       16: struct.pack("<Q", 6)}.items():
        everywhere("type%d" % kind, exif(struct.unpack("<I", struct.pack("<f", 6))[0], kind, where=32 if data else None, data=data))
    everywhere("half", exif(0, 5, where=32, data=struct.pack("<II", 13, 2)))
    everywhere("endless", exif(0, 5, where=32, data=struct.pack("<II", 13, 0)))
    for kind in (2, 7):
        add("type%d-xmp.png" % kind, stored_png(text(b"XML:com.adobe.xmp", xmp(3)) + chunk(b"eXIf", exif(6, kind))))
    everywhere("type2", exif(ord("6"), 2))
    everywhere("type99", exif(6, 99))
    everywhere("two-values", exif(6, count=2))
    everywhere("three-values", exif(0, count=3, where=26))
    everywhere("no-value", exif(6, count=0))
    everywhere("far", exif(6, count=2**31, where=26), 1)
    everywhere("other-tag", exif(6, tag=0x0103))
    everywhere("twice", exif(6, more=[struct.pack("<HHIHH", 0x0112, 3, 1, 3, 0)]), 3)  # an older PIL uses the last entry
    everywhere("swapped-version", b"MM*\0" + exif(6, order=">")[4:])

    head = EXIF + exif(6)
    turned = None if PIL_IS_NEW else 6
    add("header.png", stored_png(chunk(b"eXIf", head)), turned)
    add("two-headers.png", stored_png(chunk(b"eXIf", EXIF + head)), 6)  # PIL is wrong here
    kinds = (b"tEXt", b"zTXt", b"iTXt", b"iTXz")
    for kind in kinds:
        name = kind.decode()
        add("raw-%s.png" % name, stored_png(text(b"Raw profile type exif", raw_profile(head), kind)))
        add("raw-after-%s.png" % name, stored_png(after=text(b"Raw profile type exif", raw_profile(head), kind)))
        add("raw-app1-%s.png" % name, stored_png(text(b"Raw profile type APP1", raw_profile(head, b"APP1"), kind)), 6)  # PIL does not read it
        for element in (False, True):
            add("xmp-%s-%d.png" % (name, element), stored_png(text(b"XML:com.adobe.xmp", xmp(6, element), kind)))
    for n in range(10):
        add("xmp%d.jpg" % n, stored_jpeg(XMP + xmp(n)), None if PIL_IS_NEW or n > 8 else n)
        add("xmp%d.png" % n, stored_png(text(b"XML:com.adobe.xmp", xmp(n, True), b"iTXt")))

    # Precedence if they disagree.
    raw, of_xmp = text(b"Raw profile type exif", raw_profile(EXIF + exif(8))), text(b"XML:com.adobe.xmp", xmp(3), b"iTXt")
    for name, block in {"six": exif(6), "one": exif(1), "none": exif(6, tag=0x0103)}.items():
        add("both-%s-xmp.png" % name, stored_png(of_xmp + chunk(b"eXIf", block)))
        add("both-%s-raw.png" % name, stored_png(raw + chunk(b"eXIf", block)))
        add("both-%s-xmp.jpg" % name, stored_jpeg(XMP + xmp(3), EXIF + block),
            None if PIL_IS_NEW else {"six": 6, "one": 1, "none": 3}[name])
    add("both-raw-xmp.png", stored_png(of_xmp + raw))
    add("two-exif.jpg", stored_jpeg(EXIF + exif(6), EXIF + exif(3)))
    add("two-xmp.png", stored_png(of_xmp + text(b"XML:com.adobe.xmp", xmp(8), b"zTXt")))


pngs_of_pil()
pngs_of_bits()
jpegs()
orientations()
with open(os.path.join(FOLDER, "expected.txt"), "w", encoding="ascii") as file:
    file.write("\n".join(expected) + "\n")
