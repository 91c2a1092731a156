"""The page of export/web in a real browser, compared with Python."""

import contextlib
import functools
import http.server
import json
import threading
from pathlib import Path
from statistics import NormalDist

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from PIL import Image
from web_browser import Browser, find_chromium

import keras_gan

PAGE = Path(__file__).parents[2] / "export" / "web"

pytestmark = [
    pytest.mark.skipif(not find_chromium(), reason="the page needs a browser; on Debian: apt-get install chromium"),
    pytest.mark.skipif(not (PAGE / "node_modules").exists(), reason="LiteRT.js is missing: run npm ci in export/web"),
]

A = keras_gan.architectures
P = keras_gan.priors
W = keras_gan.walks

# Generators, and their export options.
FILES = {
    "plain": (lambda: A.dcgan_generator((8, 12, 1), 5, width=4), {}),
    "labelled": (
        lambda: A.dcgan_generator((8, 8, 3), 4, width=4, condition=keras_gan.conditions.Labels(3)),
        {"sample": True, "batch_sizes": (4, 1)},
    ),
    "bytes": (lambda: A.mlp_generator((6, 6, 3), 3, units=(8,)), {"output": "uint8", "quantize": "dynamic"}),
    "uniform": (lambda: A.mlp_generator((6, 6, 1), 3, units=(8,)), {"prior": P.Uniform(3, -2.0, 1.0)}),
    "mixture": (
        lambda: A.mlp_generator((6, 6, 1), 3, units=(8,)),
        {"prior": P.Mixture(P.circle(5, 3, radius=3.0)), "sample": True},
    ),
    "undrawable": (lambda: A.mlp_generator((6, 6, 1), 3, units=(8,)), {"prior": P.Mixture(P.circle(5, 3))}),
    "points": (lambda: A.mlp_generator((2,), 3, units=(8,)), {}),
}


def translator(channels, *layers):
    """Makes a translator of pictures of 12 x 16 pixels with contrast."""
    image = x = keras.Input((12, 16, channels))
    convolution = keras.layers.Conv2D(8, 3, padding="same", activation="relu", kernel_initializer="he_normal")
    for layer in (convolution, *layers):
        x = layer(x)
    return keras.Model(image, x)


# Translators, and their export options.
TRANSLATORS = {
    "relief": (lambda: translator(3, keras.layers.Conv2D(1, 3, padding="same", activation="tanh")), {}),
    "larger": (
        lambda: translator(1, keras.layers.Conv2DTranspose(3, 4, 2, "same", activation="tanh")),
        {"output": "uint8", "batch_sizes": (2, 1)},
    ),
}


def picture(seed, size):
    """Makes a smooth picture in color, uint8 `(height, width, 3)`."""
    few = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), "uint8")
    return np.asarray(Image.fromarray(few).resize(size[::-1], Image.Resampling.BICUBIC))


def as_source(pixels, model):
    """Converts a picture to a translator's input, in [-1, 1]."""
    image = Image.fromarray(pixels).convert({1: "L", 3: "RGB"}[model.input_shape[-1]])
    return np.asarray(image, "float32").reshape(*pixels.shape[:2], -1) / 127.5 - 1


@contextlib.contextmanager
def serve(folder):
    """Serves one folder on a free port; `server.paths` lists the requests."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            self.server.paths.append(self.path)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=folder)) as server:
        server.paths = []
        server.url = f"http://127.0.0.1:{server.server_port}/"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The page of the repository, with generators next to it."""
    folder = tmp_path_factory.mktemp("site")
    for path in PAGE.iterdir():
        if path.suffix != ".tflite":
            (folder / path.name).symlink_to(path)
    rng = np.random.default_rng(0)
    for name, (make, options) in FILES.items():
        keras.utils.set_random_seed(0)
        generator = make()
        # At initialization all images are nearly gray: errors would not show.
        for weight in generator.weights:
            sign = 1 if weight.name == "moving_variance" else rng.choice([-1, 1], weight.shape)
            weight.assign(sign * rng.uniform(0.2, 1.2, weight.shape))
        keras_gan.export.export(generator, folder / f"{name}.tflite", **options)
    for name, (make, options) in TRANSLATORS.items():
        keras.utils.set_random_seed(0)
        translator = make()
        pictures = np.stack([as_source(picture(i, (12, 16)), translator) for i in range(4)])
        keras_gan.export.export_translation(translator, folder / f"{name}.tflite", pictures, **options)
    (folder / "cut.tflite").write_bytes((folder / "plain.tflite").read_bytes()[:2000])
    (folder / "text.tflite").write_text("no generator at all")
    with serve(folder) as server:
        server.folder = folder
        yield server


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture
def page(browser):
    browser.errors.clear()
    browser.requested.clear()
    yield browser
    assert not browser.errors


def uniform(seed, n):
    """Computes the uniform numbers of a seed from their definition."""

    def mix(x):
        x = x ^ (x >> np.uint32(16))
        x = x * np.uint32(0x85EBCA6B)
        x = x ^ (x >> np.uint32(13))
        x = x * np.uint32(0xC2B2AE35)
        return x ^ (x >> np.uint32(16))

    counter = np.arange(n, dtype=np.uint32) * np.uint32(0x9E3779B9)
    bits = mix(mix(mix(np.full(n, seed, np.uint32)) ^ counter) ^ np.uint32(0x5BD1E995))
    return ((bits >> np.uint32(9)) + 0.5) / 2**23


def normal_latent(seed, size):
    return np.array([NormalDist().inv_cdf(u) for u in uniform(seed, size)], "float32")


def uniform_latent(seed, size):
    return (-2 + 3 * uniform(seed, size)).astype("float32")


def python_image(path, value, label=None):
    """Runs LiteRT in Python on one latent, or on one seed, to `(height, width, channels)`."""
    interpreter = Interpreter(model_path=str(path))
    feed = {"seed": np.array([value], "int32")} if isinstance(value, int) else {"latent": np.asarray(value)[None]}
    if label is not None:
        feed["labels"] = np.array([label], "int32")
    shapes = {key: x.shape for key, x in feed.items()}
    runners = [interpreter.get_signature_runner(name) for name in interpreter.get_signature_list()]
    [run] = [r for r in runners if {k: tuple(d["shape"]) for k, d in r.get_input_details().items()} == shapes]
    return run(**feed)["image"][0]


def drawn(page, selector):
    """Returns the pixels of one canvas, uint8 `(height, width, 4)`."""
    width, height, *pixels = page.evaluate(
        f"(c => [c.width, c.height, ...c.getContext('2d').getImageData(0, 0, c.width, c.height).data])"
        f"(document.querySelector({json.dumps(selector)}))"
    )
    return np.array(pixels, np.uint8).reshape(height, width, 4)


def assert_same_picture(pixels, image):
    if image.dtype == np.float32:
        image = np.rint(image * 127.5 + 127.5)
    expected = np.broadcast_to(image.astype(int), (*image.shape[:2], 3))
    assert np.ptp(expected) > 100
    np.testing.assert_allclose(pixels[..., :3], expected, atol=1)
    assert (pixels[..., :3] != expected).mean() < 0.01
    assert (pixels[..., 3] == 255).all()


def open_model(page, site, name):
    page.open(f"{site.url}?model={name}")
    page.wait("document.getElementById('grid').ariaBusy === 'false'")


def change(page, control, value, event="input"):
    """Sets a control as a user would, and waits until the samples are drawn."""
    page.evaluate(
        f"(c => {{ c.value = {value}; c.dispatchEvent(new Event('{event}')); }})(document.getElementById('{control}'))"
    )
    page.wait("document.getElementById('grid').ariaBusy === 'false'")


def message(page):
    return page.wait("(t => !t.startsWith('Loading') && t)(document.getElementById('message').textContent)")


@pytest.mark.parametrize(
    ("name", "make_latent", "between", "size", "label"),
    [
        ("plain", normal_latent, W.slerp, 5, None),
        ("labelled", normal_latent, W.slerp, 4, 2),
        ("bytes", normal_latent, W.slerp, 3, None),
        ("uniform", uniform_latent, W.lerp, 3, None),
        ("mixture", None, None, 3, None),
    ],
)
def test_the_pixels_are_pythons(page, site, name, make_latent, between, size, label):
    file = site.folder / f"{name}.tflite"
    open_model(page, site, file.name)
    change(page, "seed", 2_000_000_000, event="change")
    if label is not None:
        change(page, "label", label)
    for i in (0, 1, 23):
        seed = 2_000_000_000 + i
        pixels = drawn(page, f"#grid li:nth-child({i + 1}) canvas")
        if FILES[name][1].get("sample"):
            assert_same_picture(pixels, python_image(file, seed, label))
        if make_latent is not None:
            assert_same_picture(pixels, python_image(file, make_latent(seed, size), label))
    assert page.evaluate("document.getElementById('walk-section').hidden") == (between is None)
    if between is not None:
        change(page, "way", 0.25)
        z = between(make_latent(0, size), make_latent(1, size), 0.25)
        assert_same_picture(drawn(page, "#walk"), python_image(file, z, label))


@pytest.fixture(scope="module")
def gpu_browser(tmp_path_factory):
    """A browser with WebGPU, in software."""
    browser = Browser(tmp_path_factory.mktemp("profile"), gpu=True)
    yield browser
    browser.close()


def test_webgpu_gives_pythons_pixels(gpu_browser, site):
    for name, size, label in (("plain", 5, None), ("labelled", 4, 2), ("bytes", 3, None)):
        file = site.folder / f"{name}.tflite"
        open_model(gpu_browser, site, file.name)
        assert ", on WebGPU;" in gpu_browser.evaluate("document.getElementById('about').textContent")
        if label is not None:
            change(gpu_browser, "label", label)
        for seed in (0, 5):
            image = python_image(file, normal_latent(seed, size), label)
            expected = image if image.dtype == np.uint8 else np.rint(image * 127.5 + 127.5)
            pixels = drawn(gpu_browser, f"#grid li:nth-child({seed + 1}) canvas")[..., :3]
            np.testing.assert_allclose(pixels, np.broadcast_to(expected, pixels.shape), atol=2)
            assert np.ptp(expected) > 100
    # Only the file can sample this prior, with integers that a GPU lacks.
    open_model(gpu_browser, site, "mixture.tflite")
    assert ", on WASM;" in gpu_browser.evaluate("document.getElementById('about').textContent")
    assert not gpu_browser.errors


def test_a_gpu_that_errs_is_not_used(gpu_browser, site):
    gpu_browser.open(f"{site.url}index.html")
    found = gpu_browser.evaluate(
        """(async () => {
          const { Generator, load } = await import("./generator.js");
          const generate = Generator.prototype.generate;
          Generator.prototype.generate = async function (...args) {
            const values = await generate.apply(this, args);
            return this.accelerator === "WebGPU" ? values.map(() => 0) : values;
          };
          const bytes = new Uint8Array(await (await fetch("plain.tflite")).arrayBuffer());
          return (await load(bytes)).accelerator;
        })()"""
    )
    assert found == "WASM"


# === Translations ===


def open_translator(page, site, name):
    page.open(f"{site.url}?model={name}.tflite")
    page.wait("!document.getElementById('translation-section').hidden && !document.querySelector('main').hidden")
    assert page.evaluate("document.getElementById('samples-section').hidden")
    assert page.evaluate("document.getElementById('walk-section').hidden")
    assert page.evaluate("document.getElementById('pair').hidden")


def translate_photo(page, path):
    page.choose_file("#photo", path)
    page.wait("!document.getElementById('pair').hidden")


def translated(path, pixels):
    """Runs LiteRT in Python on a picture, to bytes `(height, width, 1 or 3)`."""
    interpreter = Interpreter(model_path=str(path))
    runners = [interpreter.get_signature_runner(name) for name in interpreter.get_signature_list()]
    [run] = [r for r in runners if r.get_input_details()["image"]["shape"][0] == 1]
    details = run.get_input_details()["image"]
    image = np.asarray(Image.fromarray(pixels).convert("L" if details["shape"][-1] == 1 else "RGB"))
    image = image.reshape(details["shape"])
    if details["dtype"] == np.uint8:
        return run(image=image)["image"][0].astype(int)
    return np.rint(run(image=image.astype("float32") / 127.5 - 1)["image"][0] * 127.5 + 127.5)


def assert_translated(page, path, pixels):
    expected = translated(path, pixels)
    assert np.ptp(expected) > 50
    found = drawn(page, "#after")
    np.testing.assert_allclose(found[..., :3], np.broadcast_to(expected, (*expected.shape[:2], 3)), atol=2)
    assert (found[..., 3] == 255).all()


@pytest.mark.parametrize("name", TRANSLATORS)
def test_translated_pixels_are_pythons(page, site, tmp_path, name):
    open_translator(page, site, name)
    for seed in (10, 11):
        pixels = picture(seed, (12, 16))
        Image.fromarray(pixels).save(tmp_path / "photo.png")
        page.evaluate("document.getElementById('pair').hidden = true")
        translate_photo(page, tmp_path / "photo.png")
        np.testing.assert_array_equal(drawn(page, "#before")[..., :3], pixels)
        assert_translated(page, site.folder / f"{name}.tflite", pixels)
    assert page.evaluate("document.getElementById('translation-speed').textContent").endswith(" ms per image")
    about = page.evaluate("document.getElementById('about').textContent")
    sizes = {"relief": "16x12 colour images to 16x12 grey images", "larger": "16x12 grey images to 32x24 colour images"}
    assert about.replace(" \N{MULTIPLICATION SIGN} ", "x").startswith(f"{sizes[name]}, ") and ", on WASM;" in about


def test_webgpu_translates_as_python(gpu_browser, site, tmp_path):
    open_translator(gpu_browser, site, "relief")
    assert ", on WebGPU;" in gpu_browser.evaluate("document.getElementById('about').textContent")
    pixels = picture(12, (12, 16))
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    translate_photo(gpu_browser, tmp_path / "photo.png")
    assert_translated(gpu_browser, site.folder / "relief.tflite", pixels)
    assert not gpu_browser.errors


def test_of_a_photo_of_another_shape_the_middle_is_taken(page, site, tmp_path):
    open_translator(page, site, "relief")
    # As wide as three pictures, of which the middle one is red.
    pixels = np.zeros((60, 240, 3), "uint8")
    pixels[:, 80:160, 0] = 255
    pixels[:, :80, 2] = pixels[:, 160:, 2] = 255
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    translate_photo(page, tmp_path / "wide.png")
    before = drawn(page, "#before")
    assert before.shape == (12, 16, 4) and (before == [255, 0, 0, 255]).mean() > 0.99


def test_a_file_that_is_no_photo_is_named(page, site, tmp_path):
    open_translator(page, site, "relief")
    (tmp_path / "notes.png").write_text("no picture at all")
    page.choose_file("#photo", tmp_path / "notes.png")
    page.wait("document.getElementById('message').textContent.startsWith('notes.png is no picture')")
    Image.fromarray(picture(1, (12, 16))).save(tmp_path / "photo.png")
    translate_photo(page, tmp_path / "photo.png")
    assert page.evaluate("document.getElementById('message').textContent") == ""


def test_the_camera_and_the_next_file(page, site):
    open_translator(page, site, "relief")
    page.evaluate("document.getElementById('camera').click()")
    page.wait("!document.getElementById('pair').hidden")
    assert page.evaluate("document.getElementById('camera').textContent") == "Stop the camera"
    first = drawn(page, "#before")
    page.wait("new Promise((resume) => setTimeout(() => resume(true), 300))")
    # The test picture moves; the pictures shown match once the camera is stopped.
    page.evaluate("document.getElementById('camera').click()")
    page.wait("document.getElementById('camera').textContent === 'Use the camera'")
    page.wait("new Promise((resume) => setTimeout(() => resume(true), 300))")
    before = drawn(page, "#before")[..., :3]
    assert not np.array_equal(first[..., :3], before)
    expected = translated(site.folder / "relief.tflite", before)
    np.testing.assert_allclose(drawn(page, "#after")[..., :1], expected, atol=2)
    # Switches to a generator and back.
    for name, translates in (("plain", False), ("relief", True)):
        page.choose_file("#file", site.folder / f"{name}.tflite")
        page.wait(f"document.getElementById('name').textContent === '{name}.tflite'")
        for section, hidden in (("translation", not translates), ("samples", translates), ("walk", translates)):
            assert page.evaluate(f"document.getElementById('{section}-section').hidden") == hidden


def test_latents_are_those_of_the_seeds(page, site):
    page.open(f"{site.url}?model=plain.tflite")
    seeds = [-7, *range(1000)]
    latents = page.evaluate(
        f"""(async () => {{
          const {{ load }} = await import("./generator.js");
          const generator = await load(new Uint8Array(await (await fetch("plain.tflite")).arrayBuffer()));
          return {seeds}.map((seed) => [...generator.latent(seed)]);
        }})()"""
    )
    expected = np.stack([normal_latent(seed % 2**32, 5) for seed in seeds])
    assert np.abs(expected).max() > 3.3  # Far enough out for the polynomial of the tails.
    np.testing.assert_allclose(latents, expected, atol=1e-6)


@pytest.mark.parametrize(("name", "size", "label"), [("plain", 5, None), ("labelled", 4, 1)])
def test_the_numbers_are_pythons(page, site, name, size, label):
    page.open(site.url)
    z = normal_latent(3, size)
    image = page.evaluate(
        f"""(async () => {{
          const {{ load }} = await import("./generator.js");
          const generator = await load(new Uint8Array(await (await fetch("{name}.tflite")).arrayBuffer()));
          return [...await generator.generate(Float32Array.from({z.tolist()}), {label or 0})];
        }})()"""
    )
    expected = python_image(site.folder / f"{name}.tflite", z, label)
    np.testing.assert_allclose(np.reshape(image, expected.shape), expected, atol=1e-5)


def test_nothing_leaves_the_computer(page, site, tmp_path):
    open_model(page, site, "plain.tflite")
    assert any(url.endswith(".wasm") for url in page.requested)
    assert all(url.startswith((site.url, "data:")) for url in page.requested)
    with serve(tmp_path) as elsewhere:
        tried = f"fetch('{elsewhere.url}').then(() => 'sent', () => 'refused')"
        assert page.evaluate(tried) == "refused"
        page.open(f"{site.url}?model={elsewhere.url}g.tflite")
        assert "could not be loaded" in message(page)
        assert elsewhere.paths == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cut.tflite", "cut.tflite: This .tflite file is damaged"),
        ("text.tflite", "text.tflite: This is not a .tflite file."),
        (
            "points.tflite",
            "points.tflite: This generator makes no images: its output has the shape 1 ",
        ),
        ("undrawable.tflite", "undrawable.tflite: Only the file itself could draw from its Mixture prior: export it"),
        ("missing.tflite", "missing.tflite could not be loaded (404"),
    ],
)
def test_a_file_that_will_not_do_is_named(page, site, name, expected):
    page.open(f"{site.url}?model={name}")
    assert message(page).startswith(expected)
    assert page.evaluate("document.querySelector('main').hidden")


def test_without_a_file_the_page_asks_for_one(page, site):
    page.open(site.url)
    assert message(page) == "Open a .tflite file that keras_gan exported, or drop one here."
    page.choose_file("#file", site.folder / "text.tflite")
    page.wait("document.getElementById('message').textContent.includes('not a .tflite file')")
    page.choose_file("#file", site.folder / "plain.tflite")
    page.wait("document.getElementById('name').textContent === 'plain.tflite'")
    about = page.evaluate("document.getElementById('about').textContent")
    assert about.startswith("12 \N{MULTIPLICATION SIGN} 8 grey images from 5 numbers") and ", on WASM;" in about
    page.evaluate(
        """(async () => {
          const dataTransfer = new DataTransfer();
          const bytes = await (await fetch("labelled.tflite")).arrayBuffer();
          dataTransfer.items.add(new File([bytes], "dropped.tflite"));
          document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
        })()"""
    )
    page.wait("document.getElementById('name').textContent === 'dropped.tflite'")
    assert not page.evaluate("document.getElementById('label-control').hidden")
    assert page.evaluate("document.getElementById('message').textContent") == ""


def test_without_litert_the_page_says_what_to_run(page, site, tmp_path):
    for path in site.folder.iterdir():
        if path.name != "node_modules":
            (tmp_path / path.name).symlink_to(path)
    with serve(tmp_path) as server:
        page.open(f"{server.url}?model=plain.tflite")
        assert "Run npm ci in the folder of this page" in message(page)


def test_a_walk_plays_and_pauses(page, site):
    open_model(page, site, "plain.tflite")
    page.evaluate("document.querySelector('#grid li:nth-child(6) button').click()")
    page.wait("document.getElementById('walk-ends').textContent === 'from seed 1 to 5'")
    page.wait("document.getElementById('way').valueAsNumber > 0.1")
    page.evaluate("document.getElementById('play').click()")
    way = page.evaluate("document.getElementById('way').valueAsNumber")
    after = "new Promise(done => setTimeout(() => done(document.getElementById('way').valueAsNumber), 100))"
    assert page.evaluate(after) == pytest.approx(way, abs=0.02)


def test_every_control_has_a_name(page, site):
    open_model(page, site, "labelled.tflite")
    nodes = page.call("Accessibility.getFullAXTree")["nodes"]
    names = {"button": [], "slider": [], "spinbutton": [], "combobox": []}
    for node in nodes:
        if node["role"]["value"] in names:
            names[node["role"]["value"]].append(node["name"]["value"])
    assert all(name for of_role in names.values() for name in of_role)
    assert {role: len(of_role) for role, of_role in names.items()} == {
        "button": 26,
        "slider": 2,
        "spinbutton": 1,
        "combobox": 1,
    }
    assert page.evaluate("[...document.getElementById('label').options].map(o => o.text).join()") == "0,1,2"
