"""The page in a headless Chromium: at three widths, light and dark, with hostile names; it asks nobody for anything."""

from __future__ import annotations

import pytest

from intel_quantization.report import render
from tests.browser import Browser
from tests.quantization.report.reports import BLAME, GRAPH, REPORT, SAMPLE, TENSOR, TUNING, box

pytestmark = pytest.mark.browser

HOSTILE = (
    "</script><script>alert(1)</script>",
    "<img src=http://127.0.0.1:1/x onerror=alert(1)>",
    "\"'><svg onload=alert(1)>",
    "{{ 7 * 7 }}${7*7}",
    "\u202egnp.exe\u2028\u0000 ]]> --> &lt;",
    "javascript:alert(1)//" + 400 * "x",
    "__proto__",
)
WIDTHS = (1200, 768, 390)
# a JPEG of one pixel
PIXEL = bytes.fromhex(
    "ffd8ffe000104a46494600010100000100010000ffdb004300080606070605080707070909080a0c140d0c0b0b0c1912130f141d1a1f1e1d"
    "1a1c1c20242e2720222c231c1c2837292c30313434341f27393d38323c2e333432ffc0000b080001000101011100ffc4001f000001050101"
    "01010101000000000000000102030405060708090a0bffc400b5100002010303020403050504040000017d01020300041105122131410613"
    "516107227114328191a1082342b1c11552d1f02433627282090a161718191a25262728292a3435363738393a434445464748494a53545556"
    "5758595a636465666768696a737475767778797a838485868788898a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2"
    "c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae1e2e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9faffda0008010100003f00fbd5ffd9"
)


def hostile(name):
    """A report in which whatever can be called something is called so."""
    opportunity = dict(BLAME["opportunities"][0], nodes=[name, name], detail=name, excluded_nodes=f"{name},{name}")
    layers = [dict(layer, node=f"{name}{layer['node']}", detail=name) for layer in BLAME["layers"]]
    boxes = [box(name, 0.0, 0, op=name), box(f"{name}2", 0.5, 1), box(f"{name}3", -0.5, 1, precision="fp32")]
    edges = [{"from": 0, "to": 1, "passes": []}, {"from": 0, "to": 2, "passes": []}]
    return dict(
        REPORT,
        headline=name,
        graphs={"fp32": name, "int8": name},
        alarms=[{"severity": "alarm", "output": name, "what": name, "try": name}],
        reasons=[{"node": name, "op": "Conv2D", "reason": name}],
        blame=dict(BLAME, opportunities=[opportunity] * 7, layers=layers),
        tuning=dict(TUNING, text=name, excluded_nodes=[name]),
        samples=[dict(SAMPLE, name=name, fp32=name)] * 3,
        tensors=[dict(TENSOR, tensor=name, readers=[name])] * 8,
        graph={"boxes": boxes, "edges": edges},
    )


@pytest.fixture(scope="module")
def browser():
    """One for all tests here."""
    with Browser() as running:
        yield running


@pytest.fixture
def opened(browser, tmp_path):
    """Opens a report; gives the browser."""

    def opening(report, width=1200, dark=False):
        path = tmp_path / "net.report.html"
        path.write_text(render(report, [PIXEL]), encoding="utf-8")
        browser.open(path, width, dark=dark)
        return browser

    return opening


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_it_opens_without_a_request_and_without_a_complaint(opened, name, width):
    page = opened(hostile(name), width, dark=width == 768)
    assert page.run("document.querySelectorAll('#drawing .node').length") == 3
    page.run("document.querySelectorAll('details').forEach(part => part.open = true)")
    page.run("document.querySelectorAll('button').forEach(button => button.click())")
    page.run("document.querySelectorAll('#drawing .node').forEach(box => box.dispatchEvent(new MouseEvent('click')))")
    assert page.run("document.title") == f"{name.replace(chr(0), chr(0xFFFD))}: quantization report".strip()
    assert page.run("document.querySelectorAll('script').length") == 2
    assert page.run("document.documentElement.scrollWidth") <= width
    assert page.requests == []
    assert page.complaints == []


def test_the_page_is_watched(opened):
    """Were there a request or a complaint, these tests would see it."""
    page = opened(REPORT)
    page.run("fetch('http://127.0.0.1:9/').catch(() => 0)")
    assert any("Content Security Policy" in each for each in page.complaints)
    page.run("console.error('this')")
    assert "this" in page.complaints
    page.run("setTimeout(() => { throw new Error('thrown'); }, 0)")
    page.run("new Promise(done => setTimeout(done, 50))")
    assert any("thrown" in each for each in page.complaints)


def test_the_watcher_sees_requests(browser, tmp_path):
    path = tmp_path / "plain.html"
    path.write_text("<img src='http://127.0.0.1:9/x.png'>", encoding="utf-8")
    browser.open(path)
    assert browser.requests == ["http://127.0.0.1:9/x.png"]


def test_the_graph_can_be_searched(opened):
    page = opened(dict(REPORT, graph=GRAPH, blame=BLAME))
    page.run(
        "const find = document.getElementById('find'); find.focus(); find.value = 'CONV<'; "
        "find.dispatchEvent(new Event('input'))"
    )
    hits = "document.querySelectorAll('#drawing .hit').length"
    told, shown = "document.getElementById('found').textContent", "document.getElementById('box').textContent"
    assert page.run(hits) == 2
    assert page.run(told) == "1 of 2"
    assert page.run(shown).startswith("conv<0>: Conv2D in INT8, with 2 nodes that are fused into it; local 30.0 dB")
    page.key("Enter")
    assert page.run(told) == "2 of 2"
    assert page.run(shown).startswith("conv<1>: ")
    page.run(
        "document.getElementById('find').value = 'nothing of the kind'; "
        "document.getElementById('find').dispatchEvent(new Event('input'))"
    )
    assert page.run(hits) == 0
    assert page.run(told) == "none"


def test_the_graph_can_be_coloured(opened):
    page = opened(dict(REPORT, graph=GRAPH))
    choose = (
        "(by => {{ const list = document.getElementById('colour'); list.value = by; "
        "list.dispatchEvent(new Event('change')); return document.getElementById('legend').textContent; }})('{}')"
    )
    count = "document.querySelectorAll('#drawing .{}').length"
    assert page.run(count.format("int8")) == 2
    assert "down to 30.0 dB" in page.run(choose.format("local_db"))
    assert page.run(count.format("heat")) == 2  # of the third nothing is known
    assert page.run(count.format("int8")) == 0
    assert "milliseconds" in page.run(choose.format("int8_ms"))
    assert page.run(count.format("heat")) == 3


def test_the_graph_can_be_zoomed(opened):
    page = opened(dict(REPORT, graph=GRAPH))
    wide = "document.getElementById('drawing').viewBox.baseVal.width"
    before = page.run(wide)
    page.run("document.getElementById('in').click()")
    near = page.run(wide)
    page.run("document.getElementById('fit').click(); document.getElementById('out').click()")
    assert near < before < page.run(wide)


def test_a_large_graph_is_seen_from_its_input(opened):
    boxes = [box(f"n{number}", 3.0 * (number % 9), number) for number in range(40)]
    boxes[7]["op"] = "Placeholder"
    page = opened(dict(REPORT, graph={"boxes": boxes, "edges": []}))
    frame = page.run("document.getElementById('drawing').getBoundingClientRect().toJSON()")
    seen = page.run("document.querySelectorAll('#drawing .node')[7].getBoundingClientRect().toJSON()")
    assert frame["left"] < seen["left"] < seen["right"] < frame["right"]
    assert frame["top"] <= seen["top"] < frame["top"] + 60
    assert seen["height"] > 25  # to be read


def test_what_prints_is_open(opened):
    page = opened(dict(REPORT, blame=dict(BLAME, opportunities=BLAME["opportunities"] * 9), tensors=[TENSOR] * 9))
    closed = "[...document.querySelectorAll('details')].filter(part => !part.open).length"
    before = page.run(closed)
    assert before >= 2
    page.run("dispatchEvent(new Event('beforeprint'))")
    assert page.run(closed) == 0
    page.run("dispatchEvent(new Event('afterprint'))")
    assert page.run(closed) == before
    assert page.printed().startswith(b"%PDF")


def test_without_a_graph_there_is_no_picture(opened):
    page = opened(REPORT)
    assert page.run("document.getElementById('picture')") is None
    assert page.complaints == []
