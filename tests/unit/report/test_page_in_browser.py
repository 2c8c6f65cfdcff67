"""The report in a real browser, as a person meets it on a desktop and on a phone."""

import shutil

import pytest
import report_samples as samples

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="session")
def analysis(tmp_path_factory):
    return samples.analysis(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="module")
def browser():
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"none of {', '.join(BROWSERS)} is installed")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(params=["desktop", "phone"])
def page(request, browser, analysis):
    """The report with everything unfolded; a word on the console or a request is a failure."""
    context = browser.new_context(  # a phone in the dark
        viewport=PHONE if request.param == "phone" else DESKTOP,
        has_touch=request.param == "phone",
        color_scheme="dark" if request.param == "phone" else "light",
    )
    page, said = context.new_page(), []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda r: said.append(r.url) if not _of_the_page(r.url, analysis) else None)
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.goto(analysis.path.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    yield page
    context.close()
    assert said == []


def _of_the_page(url, analysis):
    return url == analysis.path.as_uri() or url.startswith("data:")


def column(page, table, index):
    cells = page.locator("table").nth(table).locator(f"tbody td:nth-child({index + 1})")
    return cells.all_text_contents()


def test_every_figure_is_visible(page, analysis):
    boxes = [f.bounding_box() for f in page.locator("figure svg, figure img").all()]
    assert len(boxes) == sum(len(f.figures) for f in (analysis.found, *analysis.found.parts))
    assert all(box["width"] > 250 and box["height"] > 100 for box in boxes)


def test_the_page_is_as_wide_as_the_screen(page):
    wide, screen = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert wide <= screen


def test_only_the_first_condition_is_unfolded_at_first(page):
    page.reload()
    states = page.locator("details.condition").evaluate_all("all => all.map(d => d.open)")
    assert states == [True, False, False]


def test_a_click_sorts_and_a_second_one_turns_the_order(page):
    table = page.locator("table").nth(1)
    head = table.locator("th").nth(4)
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    rising = [float(text) for text in column(page, 1, 4)]
    assert rising == sorted(rising)
    assert rising != rising[::-1]
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    assert [float(text) for text in column(page, 1, 4)] == rising[::-1]
    assert table.locator("th[aria-sort=none]").count() == table.locator("th").count() - 1


def test_the_keyboard_sorts_too(page):
    button = page.locator("table").nth(1).locator("th button").first
    button.focus()
    page.keyboard.press("Enter")
    names = column(page, 1, 0)
    page.keyboard.press("Space")
    assert column(page, 1, 0) == names[::-1]
    assert len(set(names)) > 3


def test_what_has_no_number_comes_last(page, analysis):
    tables = page.locator(".grid", has_text="Split points").all()
    head = tables[-1].locator("th", has_text="accuracy")
    for _ in range(2):
        head.locator("button").click()
        cells = tables[-1].locator("tbody td:nth-child(9)").all_text_contents()
        assert cells.count("-") == 3
        assert cells[-3:] == ["-"] * 3


def test_a_mark_says_what_it_is_under_a_pointer(page, analysis):
    condition = analysis.conditions[0]
    label = condition.points[3].label
    mark = page.locator("details.condition").first.locator(".mark", has_text=label).first
    mark.scroll_into_view_if_needed()
    mark.hover()
    said = mark.locator("title").text_content()
    accuracy = f"accuracy {condition.retrained[3].accuracy:.3f} ±"
    for words in (label, "32 x 16 x 16", "bytes", accuracy, "rank by cui"):
        assert words in said
    assert mark.evaluate("mark => getComputedStyle(mark).fillOpacity") == "0.35"


def test_the_answer_is_on_the_first_screen(page, analysis):
    box = page.locator("h1").bounding_box()
    assert box["y"] + box["height"] < page.viewport_size["height"] / 2
    assert page.locator("h1").inner_text() == analysis.found.answer


def test_paper_gets_everything_unfolded(page):
    page.reload()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details:not([open])").count() > 0
