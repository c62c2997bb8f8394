"""Pictures of any size and mode become upright RGB."""

import struct
import zlib
from random import Random

import numpy as np
import pytest
from PIL import Image, ImageCms

from extension_lib.data.masks import read_mask
from extension_lib.data.pictures import TRANSPOSED, PictureError, load_picture, picture_size
from extension_lib.setup import picture_readers

Image.init()  # so that it is known which formats there are


def save(path, image, **options):
    image.save(path, **options)
    return path


def formats_here():
    """Those in which Pillow can write EXIF in this environment."""
    return ["JPEG", "PNG", "WEBP", "TIFF", *(["AVIF"] if ".avif" in Image.registered_extensions() else [])]


@pytest.mark.parametrize("kind", formats_here())
@pytest.mark.parametrize("turn", range(1, 9))
def test_exif_rotation_is_applied_in_every_format_and_counted_in_the_size(tmp_path, kind, turn):
    upright = Image.new("RGB", (48, 32), (0, 0, 200))
    upright.paste((200, 0, 0), (0, 0, 16, 16))
    stored = upright if turn == 1 else upright.transpose(inverse(TRANSPOSED[turn]))
    exif = Image.Exif()
    exif[0x0112] = turn
    path = save(tmp_path / f"a.{kind.lower()}", stored, format=kind, exif=exif)
    shown = load_picture(path)
    assert shown.size == picture_size(path) == (48, 32)
    assert np.abs(np.asarray(shown, int) - np.asarray(upright)).mean() < 12


def inverse(turn):
    left, right = Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_270
    return {left: right, right: left}.get(turn, turn)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def test_a_png_that_says_behind_its_pixels_how_it_is_turned(tmp_path):
    path = save(tmp_path / "a.png", Image.new("RGB", (40, 20)))
    exif = b"MM\0*" + struct.pack(">IH", 8, 1) + struct.pack(">HHIHxx", 0x0112, 3, 1, 6) + b"\0" * 4
    end = chunk(b"IEND", b"")
    path.write_bytes(path.read_bytes().removesuffix(end) + chunk(b"eXIf", exif) + end)
    assert load_picture(path).size == picture_size(path) == (20, 40)


def test_a_turned_mask_lies_as_its_picture(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    save(tmp_path / "a.png", Image.new("RGB", (40, 20)), exif=exif)
    save(tmp_path / "a-mask.PNG", Image.new("L", (40, 20), 255), exif=exif)
    assert read_mask(tmp_path / "a.png").size == (20, 40)


def profile(primaries):
    """A profile of a screen with these primaries, red first, each as XYZ."""
    def number(value):
        return struct.pack(">i", round(value * 65536))

    def xyz(values):
        return b"XYZ \0\0\0\0" + b"".join(map(number, values))

    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(2.2 * 256)) + b"\0\0"
    text = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"mine\0" + b"\0" * 78
    tags = {b"desc": text + b"\0" * (-len(text) % 4), b"wtpt": xyz((0.9642, 1.0, 0.8249)),
            **dict(zip((b"rXYZ", b"gXYZ", b"bXYZ"), map(xyz, primaries))),
            b"rTRC": curve, b"gTRC": curve, b"bTRC": curve}
    table, data, at = b"", b"", 132 + 12 * len(tags)
    for name, held in tags.items():
        table += name + struct.pack(">II", at + len(data), len(held))
        data += held
    size = at + len(data)
    head = struct.pack(">I", size) + b"lcms" + struct.pack(">I", 0x02400000) + b"mntrRGB XYZ " + b"\0" * 12 + b"acsp"
    head = head.ljust(68, b"\0") + b"".join(map(number, (0.9642, 1.0, 0.8249)))
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + data


RED, GREEN, BLUE = (0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_profile_says_what_the_numbers_mean(tmp_path, mode):
    image = Image.new(mode, (8, 8), (255, 0, 0, 255)[:len(mode)])
    path = save(tmp_path / "a.png", image, icc_profile=profile((GREEN, RED, BLUE)))
    assert np.allclose(load_picture(path).getpixel((4, 4)), (0, 255, 0), atol=6)


@pytest.mark.parametrize("held", [b"no profile", profile((RED, GREEN, BLUE))[:200],
                                  ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()])
def test_srgb_and_damaged_profiles_change_nothing(tmp_path, held):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8))
    path = save(tmp_path / "a.png", noise, icc_profile=held)
    assert (np.asarray(load_picture(path)) == np.asarray(noise)).all()


def test_a_damaged_avif_is_named_or_read_whatever_bit_is_wrong(tmp_path):
    assert all(reader.is_ready() for reader in picture_readers.READERS)
    path = save(tmp_path / "a.avif", Image.effect_noise((64, 64), 80).convert("RGB"))
    whole, rng = path.read_bytes(), Random(0)
    named = 0
    for _ in range(150):
        bits = bytearray(whole)
        bits[rng.randrange(len(bits))] ^= 1 << rng.randrange(8)
        path.write_bytes(bits)
        for read in (load_picture, picture_size):
            try:
                read(path)
            except PictureError as error:
                named += str(error).startswith("a.avif cannot be read")
    assert named > 20


@pytest.mark.parametrize("ending, module", [(".heic", "pillow_heif"), (".jxl", "pillow_jxl"), (".avif", "pillow_avif")])
def test_formats_of_packages_are_read_upright_where_they_are_installed(tmp_path, ending, module):
    exif = Image.Exif()
    exif[0x0112] = 6
    assert all(reader.is_ready() for reader in picture_readers.READERS if reader.module == module)
    path = save(tmp_path / f"a{ending}", Image.new("RGB", (40, 20), (200, 0, 0)), exif=exif.tobytes())
    assert load_picture(path).size == picture_size(path) == (20, 40)
    assert np.allclose(load_picture(path).getpixel((9, 9)), (200, 0, 0), atol=8)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_picture_that_would_fill_the_memory_is_named(tmp_path):
    path = save(tmp_path / "a.png", Image.new("1", (13_000, 12_000)))
    for read in (load_picture, picture_size):
        with pytest.raises(PictureError, match="a.png has 13000×12000 pixels, more than can be read"):
            read(path)


@pytest.mark.parametrize("start, package", [(b"\xff\x0a" + b"x" * 40, "pillow-jxl-plugin"),
                                            (b"\0\0\0\x18ftypheic" + b"x" * 40, "pillow-heif")])
def test_a_format_that_needs_a_package_is_named_with_it(tmp_path, monkeypatch, start, package):
    monkeypatch.setattr(picture_readers.Reader, "is_ready", lambda reader: False)
    monkeypatch.setattr(Image, "ID", [kind for kind in Image.ID if kind not in ("JXL", "HEIF", "AVIF")])
    (tmp_path / "a.jpg").write_bytes(start)  # whatever the file's name says
    for read in (load_picture, picture_size):
        with pytest.raises(PictureError, match=f"a.jpg is a .* needs the package {package}"):
            read(tmp_path / "a.jpg")


def test_what_is_transparent_becomes_white(tmp_path):
    path = save(tmp_path / "a.png", Image.new("RGBA", (4, 4), (10, 20, 30, 0)))
    assert load_picture(path).getpixel((0, 0)) == (255, 255, 255)
    palette = Image.new("P", (4, 4), 0)
    palette.putpalette([200, 0, 0] * 256)
    assert load_picture(save(tmp_path / "b.png", palette, transparency=0)).getpixel((0, 0)) == (255, 255, 255)


def test_sixteen_bits_are_scaled_not_clipped(tmp_path):
    ramp = np.linspace(0, 65535, 64, dtype=np.uint16).reshape(8, 8)
    grey = np.asarray(load_picture(save(tmp_path / "a.png", Image.fromarray(ramp))))[..., 0]
    assert grey.min() == 0 and grey.max() == 255 and abs(int(grey[4, 0]) - 129) < 3


@pytest.mark.parametrize("mode", ["L", "1", "CMYK", "P", "LA", "YCbCr"])
def test_every_mode_becomes_rgb(tmp_path, mode):
    kind = "jpg" if mode in ("CMYK", "YCbCr") else "png"
    path = save(tmp_path / f"a.{kind}", Image.new("RGB", (8, 8), (200, 30, 60)).convert(mode))
    assert load_picture(path).mode == "RGB"


def test_the_first_frame_of_an_animation_counts(tmp_path):
    frames = [Image.new("RGB", (8, 8), c) for c in ((255, 0, 0), (0, 0, 255))]
    path = save(tmp_path / "a.gif", frames[0], save_all=True, append_images=frames[1:])
    assert load_picture(path).getpixel((0, 0))[0] > 200


def test_a_broken_picture_is_named(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"\x89PNG not really")
    with pytest.raises(PictureError, match="broken.png"):
        load_picture(tmp_path / "broken.png")


def test_a_large_photograph_is_read_smaller_where_that_is_enough(tmp_path):
    Image.new("RGB", (1600, 1200), (200, 100, 50)).save(tmp_path / "a.jpg")
    small = load_picture(tmp_path / "a.jpg", 300)
    assert small.size == (400, 300) and load_picture(tmp_path / "a.jpg").size == (1600, 1200)
    assert load_picture(tmp_path / "a.jpg", 2000).size == (1600, 1200)


@pytest.mark.parametrize("tag", [struct.pack(">HHI4s", 0x011A, 2, 3, b"72"), struct.pack(">HHIhxx", 0x0128, 8, 1, -1)])
def test_a_photo_with_an_odd_tag_is_still_turned_upright(tmp_path, tag):
    """A resolution that is text, or negative: Pillow reads it, and cannot write it."""
    turned = struct.pack(">HHIHxx", 0x0112, 3, 1, 6)
    exif = b"Exif\0\0MM\0*" + struct.pack(">IH", 8, 2) + turned + tag + b"\0" * 4
    path = save(tmp_path / "a.jpg", Image.new("RGB", (40, 20)), exif=exif)
    assert load_picture(path).size == picture_size(path) == (20, 40)
