import pytest
from PIL import Image

from trainer.cli import main


@pytest.fixture
def page(data, draw_photo, tmp_path):
    """Return the page of a set with a resized copy, a file that is not a photograph, and a label with markup."""
    (data / "dog").rename(data / "<b>dog")
    (data / "cat" / "bad.jpg").write_text("text")
    with Image.open(draw_photo(data / "cat" / "large.png", 900, size=(96, 96))) as image:
        image.resize((90, 90)).save(data / "cat" / "smaller.png")
    page = tmp_path / "page.html"
    assert main(["explore", str(data), "--no-cache", "--html", str(page)]) == 0
    return page


def test_the_page_opens_on_a_phone_and_a_desktop_with_every_picture(page, check_page):
    contact_sheet, pair, views = 14 + 12, 2, 4 * 8
    assert check_page(page) == contact_sheet + pair + views


def test_the_page_shows_warnings_pairs_and_files_left_out_and_escapes_names(page):
    text = page.read_text(encoding="utf-8")
    assert "Near-duplicates in" in text
    assert "cat/bad.jpg" in text
    assert "only 14 photographs" in text
    assert "<b>dog" not in text
    assert "Class &lt;b&gt;dog" in text
